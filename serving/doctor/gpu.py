"""GPUs, their driver, and the ONNX Runtime that would use them."""

import shutil
import subprocess
from collections.abc import Iterator

from polyrank.errors import ServerRuntimeError
from polyrank.serving.installer import MARKER
from polyrank.serving.runtime import Accelerator, runtime_folder

from .finding import Finding

_QUERY = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
_TIMEOUT_S = 10.0


def findings(accelerator: Accelerator) -> Iterator[Finding]:
    """Look at them.

    Args:
        accelerator: What models shall run on.
    """
    if shutil.which(_QUERY[0]) is None:
        yield _absent("none; nvidia-smi is absent", accelerator)
        return
    try:
        done = subprocess.run(_QUERY, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S)  # noqa: S603 (the driver's own tool)
    except subprocess.TimeoutExpired:
        yield Finding.fail("gpu", f"nvidia-smi did not answer in {_TIMEOUT_S:g} s", "restart the machine or its driver")
        return
    if done.returncode != 0:
        reason = (done.stdout or done.stderr).strip().splitlines()
        yield _absent(f"none; nvidia-smi says: {reason[0] if reason else 'nothing'}", accelerator)
        return
    for line in done.stdout.splitlines():
        yield Finding.ok("gpu", line)
    yield _onnxruntime(accelerator)


def _absent(found: str, accelerator: Accelerator) -> Finding:
    if accelerator == "gpu":
        return Finding.fail("gpu", found, "install NVIDIA's driver, or serve with --accelerator cpu")
    return Finding.ok("gpu", f"{found}; models run on the CPU")


def _onnxruntime(accelerator: Accelerator) -> Finding:
    try:
        is_there = (runtime_folder("gpu") / MARKER).exists()
    except ServerRuntimeError as err:
        return Finding.fail("onnxruntime-gpu", str(err), "set POLYRANK_CACHE_DIR")
    if is_there:
        return Finding.ok("onnxruntime-gpu", "is in the server's environment for GPUs")
    found = "is in no environment of the server"
    advice = "`polyrank server install --accelerator gpu`, then `polyrank serve --accelerator gpu`"
    return (
        Finding.fail("onnxruntime-gpu", found, advice)
        if accelerator == "gpu"
        else Finding.warn("onnxruntime-gpu", found, advice)
    )
