"""Answers of a graph in ONNX Runtime."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import MissingExtraError

Answers = dict[str, NDArray[np.float32]]
"""float32 [B] by output; [B, C] of one with several columns."""


def open_session(model: bytes | Path, *, threads: int = 0) -> Any:
    """Load a model into ONNX Runtime on the CPU.

    Args:
        model: the content of an ONNX file, or where it lies.
        threads: that a call takes; 0 takes as many as there are cores.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingExtraError("export needs onnxruntime; pip install 'polyrank[export,cpu]'") from err
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    source = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def run_session(session: Any, inputs: Mapping[str, NDArray[Any]]) -> Answers:
    """Answer rows, float32 [B] by output name; [B, C] of one with several columns."""
    names = [output.name for output in session.get_outputs()]
    values = session.run(names, dict(inputs))
    return {name: value[:, 0] if value.shape[1:] == (1,) else value for name, value in zip(names, values, strict=True)}
