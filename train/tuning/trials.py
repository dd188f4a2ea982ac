"""What was tried, and the files that say it."""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from polyrank.schema import toml_text
from polyrank.staging import staged_file
from polyrank.train.config import TrainConfig

from .storage import INTERRUPTED

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

TRIALS_FILE = "trials.csv"
BEST_FILE = "best.toml"

State = Literal["complete", "pruned", "diverged", "undefined", "failed", "interrupted", "running"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial.

    Attributes:
        number: from 0.
        state: how it ended; `pruned`, when it was worse than the median of those before it at the same point;
            `failed`, when an error ended the search with it.
        value: of the metric; None where the trial did not come to its end.
        seconds: that it took.
        values: what was tried, by name.
        config: the whole configuration; None where the trial did not come to its end.
    """

    number: int
    state: State
    value: float | None
    seconds: float | None
    values: Mapping[str, Any]
    config: TrainConfig | None


def tried(study: "Study") -> list[Tried]:
    """Read all trials of a study."""
    return [_tried(trial) for trial in study.get_trials(deepcopy=False)]


def finished(trials: Sequence[Tried]) -> int:
    """Count the trials that came to an end of any kind."""
    return sum(trial.state not in (INTERRUPTED, "running") for trial in trials)


def write_files(folder: Path, trials: Sequence[Tried], best: Tried | None) -> None:
    """Write the table of trials, and the best configuration, if there is one.

    Raises:
        OutputError: they cannot be written.
    """
    names = sorted({name for trial in trials for name in trial.values})
    with staged_file(folder / TRIALS_FILE) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["number", "state", "value", "seconds", *names])
        for trial in trials:
            seconds = None if trial.seconds is None else round(trial.seconds, 3)
            row = [trial.number, trial.state, trial.value, seconds]
            writer.writerow(["" if cell is None else cell for cell in [*row, *map(trial.values.get, names)]])
    if best is not None and best.config is not None:
        with staged_file(folder / BEST_FILE) as partial:
            partial.write_text(toml_text(best.config), encoding="utf-8")


def _tried(trial: "FrozenTrial") -> Tried:
    attributes = trial.user_attrs
    config = attributes.get("config")
    return Tried(
        number=trial.number,
        state=attributes.get("state", "running"),
        value=attributes.get("value"),
        seconds=attributes.get("seconds"),
        values=dict(trial.params),
        config=None if config is None else msgspec.toml.decode(config, type=TrainConfig),
    )
