"""What a bundle tells of the training run that it came from."""

from pathlib import Path
from typing import Self

import msgspec

from polyrank.errors import RepositoryError

RUN_FILE = "run.json"
METRICS_FILE = "metrics.json"
"""Of a run directory."""


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model came from, and how good it was there.

    Attributes:
        run_id: content hash of the run.
        train_rows: rows that it was trained on; None when the run has no metrics.
        validation_rows: rows that it was measured on.
        validation: metrics of those, by task; one that is undefined is None.
    """

    run_id: str
    train_rows: int | None = None
    validation_rows: int | None = None
    validation: dict[str, dict[str, float | None]] = {}

    def to_json(self) -> str:
        """Write the record."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"

    @classmethod
    def of(cls, run: Path, run_id: str) -> Self:
        """Take from a run directory what a bundle carries; a run without metrics has an id alone."""
        file = run / METRICS_FILE
        return cls._read(file, "train and export anew") if file.is_file() else cls(run_id=run_id)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read the record of a bundle or a version; None where an earlier Polyrank wrote none.

        Raises:
            RepositoryError: it cannot be read.
        """
        file = folder / RUN_FILE
        return cls._read(file, "export the run anew") if file.is_file() else None

    @classmethod
    def _read(cls, file: Path, remedy: str) -> Self:
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except msgspec.DecodeError as err:
            raise RepositoryError(f"{file} cannot be read: {err}; {remedy}") from err
