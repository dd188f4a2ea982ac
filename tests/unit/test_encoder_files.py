"""The copy of Polyrank that a server's workers encode rows with."""

import subprocess
import sys
import sysconfig
from pathlib import Path

from polyrank.serving.encoder_files import copy_encoder

SCRIPT = """
import sys
from polyrank.raw_inputs import RawEncoder
from polyrank.signature import Signature
import polyrank
print(polyrank.__file__)
print(*sorted({name for name in sys.modules if name.split(".")[0] in ("pyarrow", "torch", "onnx")}))
"""


def test_copy_encodes_without_the_rest(tmp_path: Path) -> None:
    copy_encoder(tmp_path)
    # Without `site`, which would find an editable installation first.
    environment = {"PYTHONPATH": f"{tmp_path}:{sysconfig.get_path('purelib')}"}
    command = [sys.executable, "-S", "-c", SCRIPT]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [str(tmp_path / "polyrank" / "__init__.py"), ""]


def test_copy_holds_the_session_of_the_backend_and_no_other_room(tmp_path: Path) -> None:
    copy_encoder(tmp_path)
    folders = {path.name for path in (tmp_path / "polyrank").iterdir() if path.is_dir()}
    assert folders == {"canonical", "features", "serving", "table"}
    serving = tmp_path / "polyrank" / "serving"
    assert [path.name for path in serving.rglob("*.py")] == ["model.py"]
