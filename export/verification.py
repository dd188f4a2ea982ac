"""The parity gate once more, in another version of ONNX Runtime."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .answers import Answers
from .environments import python_with, run_python
from .parity import Expectation, Parity, compare

SCRIPT = Path(__file__).with_name("answering.py")


def verify_with(version: str, model: Path, expected: Sequence[Expectation], *, tolerance: float) -> Parity:
    """Compare what a version of ONNX Runtime from pip answers, in an environment of its own.

    Args:
        version: `major.minor` or `major.minor.patch`.
        model: the ONNX file; files beside it that it names are found.
        expected: rows and the trained model's answers.
        tolerance: of the differences.

    Raises:
        ExportError: the version cannot be installed, or does not load or run the model.
    """
    python = python_with(version)
    with tempfile.TemporaryDirectory() as folder:
        rows, answers = Path(folder, "rows.npz"), Path(folder, "answers.npz")
        inputs: dict[str, Any] = {
            f"{index}/{name}": values for index, entry in enumerate(expected) for name, values in entry.inputs.items()
        }
        np.savez(rows, **inputs)
        run_python(python, str(SCRIPT), str(model.absolute()), str(rows), str(answers))
        with np.load(answers) as stored:
            exact = str(stored["onnxruntime"])
            found = [_answers(stored, index, entry) for index, entry in enumerate(expected)]
    return Parity(differences=compare(expected, found), onnxruntime=exact, tolerance=tolerance)


def _answers(stored: Any, index: int, entry: Expectation) -> Answers:
    values = {name: stored[f"{index}/{name}"] for name in entry.answers}
    return {name: value if value.shape[1] > 1 else value[:, 0] for name, value in values.items()}
