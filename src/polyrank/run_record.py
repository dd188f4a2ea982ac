"""What a bundle tells of the training run that it came from."""

from pathlib import Path
from typing import Any, Self

import msgspec

from polyrank.decoding import decode_json, decode_toml
from polyrank.errors import RepositoryError

RUN_FILE = "run.json"
METRICS_FILE = "metrics.json"
CONFIG_FILE = "config.toml"
"""Of a run directory."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """Whose weights a run kept: those after this epoch, counted from 1, and this step."""

    epoch: int
    steps: int


class TrainedTable(msgspec.Struct, frozen=True, kw_only=True):
    """An embedding table after training: its rows, and how many of them training changed."""

    rows: int
    trained: int | None = None


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """The older run whose weights a training started from."""

    run_id: str


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model came from, and how good it was there. What an older Polyrank did not write is None or empty.

    Attributes:
        run_id: content hash of the run.
        train_rows: rows that it was trained on; None when the run has no metrics.
        validation_rows: rows that it was measured on.
        data_digest: stands for the content of all these rows, as they were encoded.
        validation: metrics of the validation rows, by task; one that is undefined is None.
        undefined: why, by task and metric.
        counts: what metrics rest on, by task, such as `rows`.
        intervals: confidence intervals of some, by task and metric.
        tables: embedding tables, by feature.
        kept: whose weights they are.
        warm_start: None of a training from random weights.
        config: of the training, all of it, as its run has it in TOML.
        module: class of a module that was trained elsewhere, of which nothing else is known; None of a run.
    """

    run_id: str
    train_rows: int | None = None
    validation_rows: int | None = None
    data_digest: str | None = None
    validation: dict[str, dict[str, float | None]] = {}
    undefined: dict[str, dict[str, str]] = {}
    counts: dict[str, dict[str, int]] = {}
    intervals: dict[str, dict[str, tuple[float | None, float | None]]] = {}
    tables: dict[str, TrainedTable] = {}
    kept: Kept | None = None
    warm_start: Origin | None = None
    config: dict[str, Any] = {}
    module: str | None = None

    @property
    def made_of(self) -> int | None:
        """Rows that the run was trained or measured on; None when it has no metrics."""
        if self.train_rows is None or self.validation_rows is None:
            return None
        return self.train_rows + self.validation_rows

    def to_json(self) -> str:
        """Write the record."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"

    @classmethod
    def of(cls, run: Path, run_id: str) -> Self:
        """Take from a run directory what a bundle carries; without metrics an id and a configuration.

        Raises:
            RepositoryError: a file of it cannot be read.
        """
        file = run / METRICS_FILE
        found = cls._read(file, "train and export anew") if file.is_file() else cls(run_id=run_id)
        try:
            config = decode_toml((run / CONFIG_FILE).read_bytes(), dict[str, Any])
        except (OSError, msgspec.DecodeError) as err:
            raise RepositoryError(f"{run / CONFIG_FILE} cannot be read: {_reason(err)}; train anew") from err
        return msgspec.structs.replace(found, config=config)

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
            return decode_json(file.read_bytes(), cls)
        except (OSError, msgspec.DecodeError) as err:
            raise RepositoryError(f"{file} cannot be read: {_reason(err)}; {remedy}") from err


def _reason(err: Exception) -> str:
    return str(getattr(err, "strerror", None) or err)
