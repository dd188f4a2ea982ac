"""Data: what the model was trained on, and measured on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from polyrank.evaluation import Result
from polyrank.evaluation.results import Model
from polyrank.run_record import RunRecord

from .facts import Facts
from .markdown import bullets, code, listed, section, table
from .model import UNKNOWN


def evaluation_data_lines(facts: Facts, evaluation: Result | None) -> Iterator[str]:
    """Give the section."""
    record = facts.record
    points = [f"Validation of the training: {_count(None if record is None else record.validation_rows)}."]
    if facts.module is not None:
        points = ["None is recorded here."]
    if record is not None and record.config:
        points.append(_split(facts, record.config.get("validation", {})))
    if evaluation is not None:
        points += [_evaluated(evaluation), _answered(evaluation.model)]
    yield from section("Evaluation data", bullets(points))
    if record is not None and record.counts:
        rows = [(code(task), f"{counts.get('rows', 0):,}") for task, counts in record.counts.items()]
        yield from table(("task", "validation rows with an observed label"), rows)


def training_data_lines(facts: Facts) -> Iterator[str]:
    """Give the section."""
    record = facts.record
    points = [f"Trained on {_count(None if record is None else record.train_rows)}."]
    if facts.module is not None:
        points = ["Trained elsewhere, on rows of which nothing is recorded here."]
    if record is not None:
        points += list(_training(record))
    yield from section("Training data", bullets(points))
    if record is not None and record.tables:
        yield from table(("embedding table", "rows, with that of missing", "changed by training"), _tables(record))


def _tables(record: RunRecord) -> Iterator[tuple[str, str, str]]:
    for name, found in record.tables.items():
        yield code(name), f"{found.rows:,}", "unknown" if found.trained is None else f"{found.trained:,}"


def _count(rows: int | None) -> str:
    return f"a number of rows that is {UNKNOWN}" if rows is None else f"{rows:,} rows"


def _training(record: RunRecord) -> Iterator[str]:
    if record.data_digest is not None:
        yield f"Digest of all rows as they were encoded, of those of the validation too: {code(record.data_digest)}."
    if record.kept is not None:
        yield f"The weights are those after epoch {record.kept.epoch:,}, step {record.kept.steps:,}."
    if record.warm_start is not None:
        yield f"Training began with the weights of run {code(record.warm_start.run_id)}, whose rows it has seen too."
    seed = record.config.get("seed")
    if seed is not None:
        yield f"Seed: {seed}. The whole configuration is in `run.json`."


def _split(facts: Facts, validation: dict[str, Any]) -> str:
    """Say which rows validated, by the rule of the training's configuration."""
    share = f"{validation.get('share', 0):.0%}"
    column, hours, time = validation.get("column"), validation.get("hours"), facts.signature.schema.time
    split = validation.get("split") or ("column" if column else "random" if time is None else "time")
    if split == "column":
        return f"They are the rows in which {code(column)} says `validation`."
    if split == "time":
        newest = f"newest {share} of the rows" if hours is None else f"rows of the newest {hours:g} hours"
        return f"They are the {newest}, by {code(time)}: the model had not seen what came after its training rows."
    if split == "group":
        return f"They are the rows of {share} of the values of {code(facts.signature.schema.group)}, drawn at random."
    return f"They are {share} of the rows, drawn at random: they are of the same time as the training rows."


def _evaluated(evaluation: Result) -> str:
    data = evaluation.data
    part = "all rows" if data.part == "all" else "the validation rows"
    groups = "" if data.group is None or data.groups is None else f" of {data.groups:,} values of {code(data.group)}"
    times = "" if data.begins is None or data.ends is None else f", from {data.begins} to {data.ends}"
    source = code(Path(data.source).name)  # its folder is of one machine, and the card goes to others
    return f"Evaluation of {evaluation.created}: {part} of {source}, {data.rows:,} rows{groups}{times}."


def _answered(model: Model) -> str:
    precision = f": {listed(model.precision.split(', '))}" if model.precision else ""
    return f"Answered by the {model.kind} {code(Path(model.source).name)}{precision}."
