"""Answers rows with the ONNX Runtime of another environment. A script: that environment has no Polyrank.

    python answering.py MODEL ROWS.npz ANSWERS.npz

ROWS.npz holds each input as `<batch>/<name>`, ANSWERS.npz each output so, and the version as `onnxruntime`.
"""

import sys
from typing import Any

import numpy as np
import onnxruntime


def main(model: str, rows: str, answers: str) -> None:
    """Answer each batch by itself."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    batches: dict[str, dict[str, Any]] = {}
    with np.load(rows) as stored:
        for key in stored.files:
            batch, _, name = key.partition("/")
            batches.setdefault(batch, {})[name] = stored[key]
    found: dict[str, Any] = {"onnxruntime": np.array(onnxruntime.__version__)}
    for batch, inputs in batches.items():
        for name, value in zip(names, session.run(names, inputs), strict=True):
            found[f"{batch}/{name}"] = value
    np.savez(answers, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
