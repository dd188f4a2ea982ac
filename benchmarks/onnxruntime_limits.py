"""Which opset and IR version each ONNX Runtime loads: the table in export/releases.py.

Loads one-node models of rising versions in an environment of each, which `polyrank export` makes and keeps too.

    python benchmarks/onnxruntime_limits.py           # those of the table: some minutes
    python benchmarks/onnxruntime_limits.py 1.22.0
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from onnx import TensorProto, helper

from polyrank.export.environments import python_with

VERSIONS = ("1.19.2", "1.20.1", "1.21.0", "1.22.0", "1.23.2", "1.24.4", "1.27.0")
OPSETS, IR_VERSIONS = range(13, 40), range(7, 30)
LOADED_OPSET, LOADED_IR_VERSION = 17, 8
"""Those that every version loads, with which the other one rises."""
PROBE = """
import pathlib, sys
import onnxruntime
for file in pathlib.Path(sys.argv[1]).iterdir():
    try:
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    except Exception:
        continue
    print(file.stem)
"""


def main(versions: list[str]) -> None:
    """Print the limits of each version."""
    with tempfile.TemporaryDirectory() as folder:
        write_models(Path(folder))
        for version in versions or VERSIONS:
            names = loaded(version, folder)
            opset, ir_version = (
                max(int(name.removeprefix(kind)) for name in names if name.startswith(kind)) for kind in ("opset", "ir")
            )
            print(f"ONNX Runtime {version}: opset {opset}, IR version {ir_version}")


def write_models(folder: Path) -> None:
    """Write a model of each opset, and one of each IR version."""
    for opset in OPSETS:
        (folder / f"opset{opset}.onnx").write_bytes(model(opset, LOADED_IR_VERSION))
    for ir_version in IR_VERSIONS:
        (folder / f"ir{ir_version}.onnx").write_bytes(model(LOADED_OPSET, ir_version))


def model(opset: int, ir_version: int) -> bytes:
    """Return a model of one node."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", ends[:1], ends[1:])
    opsets = [helper.make_opsetid("", opset)]
    made: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=ir_version).SerializeToString()
    return made


def loaded(version: str, folder: str) -> list[str]:
    """Return the names of the models that a version loads.

    Raises:
        SystemExit: its Python does not run, and says why.
    """
    command = [python_with(version), "-I", "-c", PROBE, folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"ONNX Runtime {version}: {(done.stderr.strip().splitlines() or ['it told nothing'])[-1]}")
    return done.stdout.split()


if __name__ == "__main__":
    main(sys.argv[1:])
