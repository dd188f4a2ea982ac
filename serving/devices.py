"""On which device each model of a started server runs."""

import re
from collections.abc import Mapping
from pathlib import Path

from .runtime import Accelerator

# What the backend named onnxruntime logs of each instance.
_LINE = re.compile(r'"(?P<model>\S+) version \d+: onnxruntime (?P<provider>\w+?)ExecutionProvider"')
GPU = Path("/dev/nvidia0")


def devices(log: str) -> dict[str, str]:
    """Return "CPU", "CUDA", or both by model, from the log of a server; models without ONNX Runtime are left out."""
    found: dict[str, set[str]] = {}
    for line in _LINE.finditer(log):
        found.setdefault(line["model"], set()).add(line["provider"])
    return {model: " and ".join(sorted(providers)) for model, providers in sorted(found.items())}


def devices_line(found: Mapping[str, str], accelerator: Accelerator) -> str:
    """Say in one line what `devices` found, and why models run on the CPU.

    Args:
        found: Devices by model.
        accelerator: Which ONNX Runtime the server has.
    """
    listed = ", ".join(f"{model} on {device}" for model, device in found.items()) or "no model with ONNX Runtime"
    return f"devices: {listed}{_reason(accelerator) if 'CPU' in ' '.join(found.values()) else ''}"


def _reason(accelerator: Accelerator) -> str:
    if not GPU.exists():
        return " (this machine has no GPU)"
    if accelerator == "cpu":
        return " (the server has the ONNX Runtime for CPUs; --accelerator gpu takes that for GPUs)"
    return " (their instances are of kind cpu, or CUDA's libraries do not load; the log has details)"
