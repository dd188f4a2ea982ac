"""Which opset and IR version each ONNX Runtime loads: the table in export/releases.py.

Installs each version into a throw-away virtual environment and loads one-node models of rising versions.

    python benchmarks/onnxruntime_limits.py           # those of the table: some minutes
    python benchmarks/onnxruntime_limits.py 1.22.0
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

VERSIONS = ("1.19.2", "1.20.1", "1.21.0", "1.22.0", "1.23.2", "1.24.4", "1.27.0")
PROBE = """
import onnx, onnxruntime
from onnx import TensorProto, helper

def loads(ir_version, opset):
    value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", [value("x")], [value("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True

opset = max(version for version in range(13, 40) if loads(8, version))
ir_version = max(version for version in range(7, 30) if loads(version, 17))
print(f"ONNX Runtime {onnxruntime.__version__}: opset {opset}, IR version {ir_version}")
"""


def main(versions: list[str]) -> None:
    """Print the limits of each version."""
    for version in versions or VERSIONS:
        with tempfile.TemporaryDirectory() as folder:
            venv.create(folder, with_pip=True)
            python = Path(folder, "bin", "python")
            subprocess.run([python, "-m", "pip", "install", "--quiet", f"onnxruntime=={version}", "onnx"], check=True)
            subprocess.run([python, "-c", PROBE], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:])
