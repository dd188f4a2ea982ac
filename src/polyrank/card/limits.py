"""What a model is for, and where its limits are: in words that follow from facts."""

from collections.abc import Iterator
from typing import Any, get_args

from polyrank.evaluation import Result
from polyrank.features import CrossFeature, Feature, HashedFeature, NeighborsFeature, SharingFeature
from polyrank.features.keys import Side
from polyrank.halves import columns_of_halves
from polyrank.run_record import RunRecord
from polyrank.schema import columns_for
from polyrank.tasks import BinaryTask

from .caveats import evaluation_caveats
from .facts import Facts
from .markdown import bullets, code, listed, section
from .model import side_of

FOR_REQUESTS = (
    "It scores items that another system proposes for a user, so that the best come first; it proposes none of its own."
)
FOR_ROWS = "It scores rows, so that the best come first."
NOT_MEANT = "Not meant: decisions on a person's credit, work, housing, health or law."
SHOWN = (
    "Not meant either: what an answer would be had something else been shown, since labels are of what was shown; "
    "users, items or times unlike those of the training rows, before it is evaluated on such rows."
)
UNLIKE = "Not meant either: rows unlike those of the training, before it is evaluated on such rows."
FEEDBACK = (
    "Its rows are of what people were shown. What was shown often is known best, and what it puts first becomes the "
    "next logs: measure how popular its recommendations are before it decides alone."
)
PRIVACY = (
    "`golden.npz` holds some rows of the validation as they were encoded. Fingerprints are no secret: whoever knows an "
    "id can compute its fingerprint. Keep the bundle where the logs may be kept."
)
CHANCE = 0.5
"""Area under the ROC curve of answers that say nothing."""


def intended_use_lines(facts: Facts) -> Iterator[str]:
    """Give the section."""
    schema = facts.signature.schema
    users, items = columns_of_halves(schema)
    tasks = listed(task.name for task in schema.tasks)
    what = FOR_REQUESTS if users and items else FOR_ROWS
    whom = "users, items and times like those of its training rows"
    unlike = SHOWN
    if not _has_users_and_items(facts):
        whom, unlike = "rows like those of its training", UNLIKE
    points = [f"{what} It answers {tasks}, each apart.", f"Meant for {whom}.", NOT_MEANT, unlike]
    yield from section("Intended use", bullets(points))


def factor_lines(facts: Facts, evaluation: Result | None) -> Iterator[str]:
    """Give the section: what answers may differ by, and whether anybody looked."""
    sides = {side: columns_for(_of_side(facts, side)) for side in get_args(Side)}
    points = [f"Columns of the {side}: {listed(columns)}." for side, columns in sides.items() if columns]
    if evaluation is not None and evaluation.slices:
        points.append(f"Evaluated apart, below: by {listed(each.by for each in evaluation.slices)}.")
    else:
        points.append(
            "No part of the rows was evaluated apart: whether it is worse for some users or items is unknown."
        )
    yield from section("Factors", bullets(points))


def ethical_lines(facts: Facts) -> Iterator[str]:
    """Give the section."""
    personal = columns_for(_of_side(facts, "user"))
    points = [f"It reads of users: {listed(personal)}. Whether these may be used, nothing here checks."] * bool(
        personal
    )
    points += [FEEDBACK] * _has_users_and_items(facts)
    points.append(PRIVACY)
    yield from section("Ethical considerations", bullets(points))


def caveat_lines(facts: Facts, evaluation: Result | None) -> Iterator[str]:
    """Give the section."""
    points = [*_conditional(facts), *_unknown(facts), *_quality(facts.record)]
    if evaluation is not None:
        points += evaluation_caveats(facts, evaluation)
    if _is_uncalibrated(facts):
        points.append(
            "Probabilities were not calibrated after training: read `calibration` before they are used as such."
        )
    yield from section("Caveats and recommendations", bullets(points))


def _of_side(facts: Facts, side: Side) -> list[Feature]:
    """Return the features of a side that have columns of their own: a cross has those of its parts."""
    features = [each for each in facts.signature.schema.features if not isinstance(each, CrossFeature)]
    return [feature for feature in features if side_of(feature) == side]


def _has_users_and_items(facts: Facts) -> bool:
    """Say whether rows are of a user with an item, which so was shown: other data have features of one alone."""
    return all(_of_side(facts, side) for side in ("user", "item"))


def _conditional(facts: Facts) -> Iterator[str]:
    for task in facts.signature.schema.tasks:
        if task.when is not None:
            yield (
                f"Labels of {code(task.name)} count where {code(task.when)} is 1 alone, and its answer is of these: "
                f"how good it is for others is unknown."
            )


def _unknown(facts: Facts) -> Iterator[str]:
    """Say what becomes of ids and values that training did not see."""
    if facts.module is not None:
        yield "What it answers for ids and values that its training did not see is for whoever trained it to say."
        return
    features = facts.signature.schema.features
    hashed = [each for each in features if isinstance(each, HashedFeature)]
    by_id = [each.name for each in hashed if isinstance(each, SharingFeature) and each.identity]
    by_hash = [each.name for each in hashed if each.name not in by_id]
    if by_hash:
        yield f"Values of {listed(by_hash)} are hashed to the rows of a table: those that share a row are alike to it."
        yield f"A value that training did not see shares a row that others trained, or has one {_untrained(facts)}."
    if by_id:
        yield f"Ids of {listed(by_id)} below 0 or beyond their table are taken for missing."
        yield f"An id of the table that training did not see has a row {_untrained(facts)}."
    if any(isinstance(each, NeighborsFeature) for each in features):
        yield "Neighbours are those of the training rows: a newer value has none."
    yield "A missing value has a row, number or vector of its own, as good as training saw it often."


def _untrained(facts: Facts) -> str:
    rare: dict[str, Any] = {} if facts.record is None else facts.record.config.get("rare_ids", {})
    if rare.get("min_count", 0) > 0:
        return "that is the one of missing values"
    if facts.signature.precision.prune_rows:
        return "of zeros, which all such values share"
    return "of small random numbers, as training began with"


def _quality(record: RunRecord | None) -> Iterator[str]:
    if record is None or not record.validation:
        yield "How good it is was not recorded: evaluate it before it is used."
        return
    for task, reasons in record.undefined.items():
        for metric in reasons:
            yield f"{code(metric)} of {code(task)} is undefined on the validation rows, and says nothing."
    for task in record.validation:
        low, high = record.intervals.get(task, {}).get("auc", (None, None))
        if low is not None and high is not None and low <= CHANCE:
            yield _no_better(task, high)
    yield "One training with one seed was measured: another would differ."


def _no_better(task: str, high: float) -> str:
    if high < CHANCE:
        return f"{code(task)} orders rows worse than chance: the whole interval of its `auc` is below {CHANCE}."
    return f"{code(task)} may order rows no better than chance: the interval of its `auc` holds {CHANCE}."


def _is_uncalibrated(facts: Facts) -> bool:
    model = {} if facts.record is None else facts.record.config.get("model", {})
    is_binary = any(isinstance(task, BinaryTask) for task in facts.signature.schema.tasks)
    return is_binary and model.get("calibration") == "none"
