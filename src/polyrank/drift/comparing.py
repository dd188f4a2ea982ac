"""Two data sets, read one after the other, and all that moved between them."""

import dataclasses
from collections.abc import Iterable, Iterator

import msgspec

from polyrank.arguments import path
from polyrank.files import UTF8, Location, Progress, RemotePath, Wanted, location
from polyrank.inspection.columns import columns_in
from polyrank.schema import Schema

from .measuring import class_drift, label_drift, number_drift, score_drift, value_drift
from .naming import name_values
from .reading import IN_COLUMNS, Reading, Scores, read
from .results import Data, Drift, Limits, Move, Result
from .values import moves


@dataclasses.dataclass(frozen=True, kw_only=True)
class DriftOptions:
    """How data sets are compared.

    Attributes:
        limits: how much may change.
        scores: where scores come from; None compares none.
        encoding: of CSV and JSON Lines files.
        progress: called after each piece with the rows of the data set that are done.
    """

    limits: Limits = dataclasses.field(default_factory=Limits)
    scores: Scores | None = None
    encoding: str = UTF8
    progress: Progress = lambda _done, _total: None


def compare(
    schema: Schema, reference: Location | str, current: Location | str, options: DriftOptions = DriftOptions()
) -> Result:
    """Say how the rows of a data set moved from those of another: features, labels and scores.

    Each is a file, the files of a directory, or those of a pattern, and is read once, in pieces; the values that moved
    are then looked up, as a rule in the first piece. Memory holds a piece of a file as `scan` gives it, up to a million
    values of each hashed column and their counts, and 262,144 rows of each column of numbers, of both data sets.

    Raises:
        ConfigError: `reference` or `current` is no path.
        DataError: the data cannot be read, hold no row, lack a feature's column, or a value does not fit its feature or
            task; the message names the file and the row.
        PolyrankError: rows cannot be answered.
    """
    paths = (_place("reference", reference), _place("current", current))
    comparison = _Comparison(schema.resolved(), paths, options)
    readings = [read(comparison.reading(one), comparison.columns, comparison.wanted, options.progress) for one in paths]
    return comparison.result(*readings)


def _place(name: str, value: object) -> Location:
    return value if isinstance(value, RemotePath) else location(value if isinstance(value, str) else path(name, value))


class _Comparison:
    """What is compared of two data sets, and how they are read."""

    def __init__(self, schema: Schema, paths: tuple[Location, Location], options: DriftOptions) -> None:
        self.schema, self.paths, self.options = schema, paths, options
        scores = options.scores
        asked = [schema] if scores is None else [schema, scores.schema]
        self.wanted = Wanted(
            text=_together(one.text_columns for one in asked),
            integers=_together(one.integer_columns for one in asked),
            encoding=options.encoding,
        )
        self.not_compared = self._without_labels()
        tasks = tuple(task for task in schema.tasks if task.name not in self.not_compared)
        self.labelled = msgspec.structs.replace(schema, tasks=tasks) if tasks else None
        labels = (name for task in tasks for name in (task.label, task.when) if name is not None)
        self.columns = _together((schema.feature_columns, labels, () if scores is None else scores.columns))

    def reading(self, path: Location) -> Reading:
        """Return a reading of a data set in which nothing is read yet."""
        return Reading(path, self.schema, self.labelled, self.options.scores)

    def result(self, reference: Reading, current: Reading) -> Result:
        """Compare what was read."""
        found = sorted(self._drifts(reference, current), key=lambda drift: -drift.excess)
        scores = self.options.scores
        return Result(
            reference=Data(source=str(reference.path), rows=reference.rows),
            current=Data(source=str(current.path), rows=current.rows),
            limits=self.options.limits,
            drifts=tuple(self._with_moves(found, reference, current)),
            model=None if scores is None else scores.model,
            not_compared=self.not_compared,
        )

    def _without_labels(self) -> dict[str, str]:
        """Return the tasks of which a data set lacks a column, with it; one that holds scores is none of labels."""
        scores = self.options.scores
        taken = scores.columns if scores is not None and scores.model.source == IN_COLUMNS else ()
        lacking: dict[str, str] = {}
        for place in self.paths:
            columns = columns_in(place, self.wanted)
            present = columns.types.keys() - columns.lacking.keys() - set(taken)
            for task in self.schema.tasks:
                for name in (task.label, task.when):
                    if name is not None and name not in present:
                        lacking.setdefault(task.name, name)
        return lacking

    def _drifts(self, reference: Reading, current: Reading) -> Iterator[Drift]:
        limits, tasks = self.options.limits, {task.name: task for task in self.schema.tasks}
        for name, values in reference.values.items():
            yield value_drift(values, current.values[name], limits)
        for name, numbers in reference.numbers.items():
            yield number_drift(numbers, current.numbers[name], limits)
        if reference.labels is not None and current.labels is not None:
            for name, labels in reference.labels.numbers.items():
                yield label_drift(tasks[name], labels, current.labels.numbers[name], limits)
            for name, classes in reference.labels.classes.items():
                yield class_drift(tasks[name], classes, current.labels.classes[name], limits)
        if reference.scores is not None and current.scores is not None:
            for task, scores in reference.scores.readings.items():
                yield score_drift(task, scores, current.scores.readings[task], limits)

    def _with_moves(self, drifts: list[Drift], reference: Reading, current: Reading) -> Iterator[Drift]:
        """Yield what was found, with the values that moved most of hashed features that drifted."""
        moved = {
            drift.name: [*moves(reference.values[drift.name].values, current.values[drift.name].values)]
            for drift in drifts
            if drift.drifted and drift.part == "feature" and drift.name in reference.values
        }
        sought = {name: {value for value, _, _ in found} for name, found in moved.items()}
        names = name_values(self.schema, self.paths, sought, self.wanted)
        for drift in drifts:
            known = names.get(drift.name, {}) if drift.part == "feature" else {}
            found = (move for move in moved.get(drift.name, ()) if move[0] in known)
            shown = (Move(value=known[value], reference=before, current=after) for value, before, after in found)
            yield msgspec.structs.replace(drift, moves=tuple(shown))


def _together(parts: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for part in parts for name in part))
