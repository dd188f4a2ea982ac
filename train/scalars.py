"""Scalars of a training for TensorBoard: losses, metrics, the learning rate and rows per second."""

import time
from pathlib import Path
from typing import Any

from polyrank.errors import MissingExtraError, OutputError
from polyrank.metrics import Metrics
from polyrank.reasons import system_reason


class Scalars:
    """Writes event files into a folder while a training runs, until it is closed.

    Args:
        folder: is made where it is missing; a later training of the same folder adds its own file.

    Raises:
        MissingExtraError: tensorboard is not installed.
        OutputError: `folder` cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as err:
            raise MissingExtraError("--tensorboard needs tensorboard; pip install 'polyrank[tensorboard]'") from err
        try:
            self._writer: Any = SummaryWriter(str(folder))
        except OSError as err:
            reason = system_reason(err)
            raise OutputError(f"cannot write {folder}: {reason}; choose another folder for --tensorboard") from err
        self.start(0)

    def start(self, rows: int) -> None:
        """Count rows per second from now, after so many."""
        self._last = (time.monotonic(), rows)

    def write(self, steps: int, rows: int, rate: float, losses: dict[str, float], metrics: Metrics) -> None:
        """Add what a validation found after so many steps, and rows, of the training."""
        now, (before, counted) = time.monotonic(), self._last
        self._last = (now, rows)
        named = {f"loss/{task}": loss for task, loss in losses.items()}
        named |= {f"{name}/{task}": value for task, found in metrics.items() for name, value in found.items()}
        named |= {"lr": rate, "rows_per_s": (rows - counted) / max(now - before, 1e-9)}
        for name, value in named.items():
            self._writer.add_scalar(name, value, steps)
        self._writer.flush()

    def close(self) -> None:
        """Close the file, and end the thread that writes it."""
        self._writer.close()
