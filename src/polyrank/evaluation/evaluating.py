"""`evaluate_files`: a model and rows in, what can be said of its answers out."""

import datetime as dt
import time

import numpy as np
from numpy.typing import NDArray

from polyrank.environment import environment
from polyrank.files import Location
from polyrank.score_weights import score_weights
from polyrank.tasks import BinaryTask

from .answered import AnsweredRows, Answerer, single_answer_tasks
from .curves import calibration_curve, distribution, group_areas
from .findings import CalibrationBin, Distribution, GroupAreas, Importances
from .importance import LabelledRows, importances
from .keys import keys_of
from .options import EvaluationOptions
from .ordering import ordering, trade_offs
from .reading import ReadRows, read_rows
from .recommending import recommendations
from .results import Model, Result, Rows
from .slicing import slices
from .task_results import task_results


def evaluate_files(
    answerer: Answerer,
    data: Location,
    options: EvaluationOptions | None = None,
    *,
    evaluated: NDArray[np.bool_] | None = None,
) -> Result:
    """Evaluate a model on the rows of files.

    Memory is that of answers, labels and a few columns of all rows, of the features of each distinct user and item in
    one row, and of two pieces of the files.

    Args:
        answerer: the model.
        data: a file, a directory of files or a pattern.
        options: how; None takes the defaults.
        evaluated: bool of all rows, which of them to evaluate, such as those that a run validated on; the others are
            then taken for those that it was trained on. None evaluates all.

    Raises:
        ConfigError: an option does not go with the model.
        DataError: the files cannot be read, hold no row, or do not fit the schema; or an answer is not finite.
        PolyrankError: as `Answerer.answer`.
    """
    options = options or EvaluationOptions()
    start = time.monotonic()
    schema = answerer.schema
    keys = keys_of(schema, user=options.user, item=options.item)
    names = [task.name for task in single_answer_tasks(schema)]
    weights = score_weights(answerer.name, names, options.weights) if names or options.weights else {}
    read = read_rows(answerer, data, options, keys, evaluated=evaluated)
    options.progress("measure", 0, None)
    rows, generator = read.answered, np.random.default_rng(options.seed)
    return Result(
        model=_model(answerer),
        data=_data(data, read, is_part=evaluated is not None),
        tasks=task_results(rows, options.bootstrap()),
        slices=slices(read, keys, options),
        calibration=_calibration(rows, options.level),
        distributions=_distributions(rows),
        group_areas=_group_areas(rows),
        ordering=ordering(rows, weights, options.k),
        trade_offs=trade_offs(rows, options.k, generator),
        catalogue=recommendations(answerer, read, keys, options, weights, generator),
        importance=_importance(answerer, read, options, generator),
        tables=read.loads.result(),
        level=options.level,
        resamples=options.resamples,
        seed=options.seed,
        seconds=round(time.monotonic() - start, 3),
        created=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        environment=environment(),
    )


def _model(answerer: Answerer) -> Model:
    return Model(
        source=answerer.source,
        kind=answerer.kind,
        name=answerer.name,
        run_id=answerer.run_id,
        version=answerer.version,
        precision=answerer.precision,
    )


def _data(data: Location, read: ReadRows, *, is_part: bool) -> Rows:
    groups = read.answered.groups
    return Rows(
        source=str(data),
        part="validation" if is_part else "all",
        rows=len(read.answered),
        group=read.answered.schema.group,
        groups=None if groups is None else int(groups.max(initial=-1)) + 1,
        begins=None if read.times is None else read.times[0],
        ends=None if read.times is None else read.times[1],
    )


def _calibration(rows: AnsweredRows, level: float) -> dict[str, tuple[CalibrationBin, ...]]:
    found = {task.name: calibration_curve(task, observed, level) for task, observed in rows.by_task()}
    return {name: curve for name, curve in found.items() if curve}


def _distributions(rows: AnsweredRows) -> dict[str, Distribution]:
    found = {task.name: distribution(task, observed) for task, observed in rows.by_task()}
    return {name: histogram for name, histogram in found.items() if histogram is not None}


def _group_areas(rows: AnsweredRows) -> dict[str, GroupAreas]:
    if rows.groups is None:
        return {}
    binary = ((task, observed) for task, observed in rows.by_task() if isinstance(task, BinaryTask))
    found = {task.name: group_areas(observed) for task, observed in binary}
    return {name: areas for name, areas in found.items() if areas is not None}


def _importance(
    answerer: Answerer, read: ReadRows, options: EvaluationOptions, generator: np.random.Generator
) -> Importances | None:
    if options.importance_rows == 0:
        return None
    some = read.answered[read.sample.positions]
    return importances(
        answerer.schema,
        answerer.answer,
        LabelledRows(table=read.sample.table(), labels=some.labels, groups=some.groups, weights=some.weights),
        shuffles=options.shuffles,
        generator=generator,
        progress=lambda done, total: options.progress("shuffle", done, total),
    )
