import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from artefacts.processes import wait_until
from integration.server_repository import add_model, ask, rows

from polyrank.serving.installer import MARKER
from polyrank.serving.runtime import install_runtime, runtime_folder
from polyrank.serving.server import serve

pytestmark = pytest.mark.triton

ENSURE = "from polyrank.serving.runtime import ensure_runtime; print(ensure_runtime().path)"


def start_ensuring() -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", ENSURE], stdout=subprocess.PIPE, text=True)


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_killed_install_is_made_anew_by_two_at_once_and_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "cache"))
    add_model(tmp_path / "repository")
    killed = start_ensuring()
    assert wait_until((runtime_folder() / "pyvenv.cfg").exists)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert not (runtime_folder() / MARKER).exists()

    both = [start_ensuring(), start_ensuring()]
    printed = [process.communicate()[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert printed == [str(runtime_folder())] * 2

    (runtime_folder() / MARKER).write_text("{")
    assert install_runtime().path == runtime_folder()
    with serve(tmp_path / "repository") as server:
        assert ask(server.grpc_url, rows(1, 1))["click"].item() == 1.5
