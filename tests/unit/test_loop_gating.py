"""When a run is good enough, beside the metrics and intervals that it is judged by."""

import msgspec
import numpy as np
import pytest
from artefacts.shop_logs import SCHEMA
from numpy.typing import NDArray
from sklearn.metrics import log_loss, roc_auc_score

from polyrank.loop.findings import TaskGate
from polyrank.loop.gating import HeldOut, first_gates, gates
from polyrank.loop.sections import EvaluateSection
from polyrank.metrics import Bootstrap, difference_intervals
from polyrank.schema import Schema

SHOP = Schema.from_toml(SCHEMA)
ROWS = 600
SETTINGS = EvaluateSection(min_rows=50, min_positives=10)
Scores = dict[str, NDArray[np.float32]]


def held_out(rows: int = ROWS, share: float = 0.4) -> HeldOut:
    labels = (np.random.default_rng(0).random((rows, 2)) < share).astype(np.float32)
    return HeldOut(SHOP, labels, None, None)


def scores(held: HeldOut, *, noise: float, seed: int) -> Scores:
    """Answers that know the labels but for some noise."""
    rng = np.random.default_rng(seed)
    return {
        task.name: np.clip(
            0.3 + 0.4 * held.labels[:, place] + rng.normal(0, noise, len(held.labels)), 0.01, 0.99
        ).astype(np.float32)
        for place, task in enumerate(SHOP.tasks)
    }


def judged(held: HeldOut, live: Scores, new: Scores, settings: EvaluateSection = SETTINGS) -> TaskGate:
    return gates(held, SHOP.tasks, (live, new), settings)[0]


def test_same_answers_are_not_worse() -> None:
    held = held_out()
    same = scores(held, noise=0.3, seed=1)
    gate = judged(held, same, same, msgspec.structs.replace(SETTINGS, tolerance=0.0))
    assert (gate.verdict, gate.worse_by, gate.worst) == ("passed", 0.0, 0.0)


def test_areas_are_compared_as_they_are() -> None:
    held = held_out()
    live, new = scores(held, noise=0.2, seed=1), scores(held, noise=0.5, seed=2)
    gate = judged(held, live, new)
    areas = [roc_auc_score(held.labels[:, 0], each["click"]) for each in (live, new)]
    assert (gate.metric, gate.rows, gate.positives) == ("auc", ROWS, int(held.labels[:, 0].sum()))
    assert [gate.live, gate.new, gate.worse_by] == pytest.approx([*areas, areas[0] - areas[1]], abs=1e-6)


def test_losses_are_compared_as_shares_of_the_live_one() -> None:
    held = held_out()
    live, new = scores(held, noise=0.2, seed=1), scores(held, noise=0.3, seed=2)
    gate = judged(held, live, new, msgspec.structs.replace(SETTINGS, metrics={"click": "log_loss"}))
    losses = [log_loss(held.labels[:, 0], each["click"].astype(float)) for each in (live, new)]
    assert gate.worse_by == pytest.approx((losses[1] - losses[0]) / losses[0], abs=1e-6)


def test_worse_end_of_the_interval_decides() -> None:
    held = held_out()
    live, new = scores(held, noise=0.2, seed=1), scores(held, noise=0.4, seed=2)
    found = difference_intervals(SHOP, (live, new), held.labels, intervals=Bootstrap())["click"]["auc"]
    worst = -found.interval[0]
    for tolerance, verdict in ((worst * 1.001, "passed"), (worst * 0.999, "failed")):
        gate = judged(held, live, new, msgspec.structs.replace(SETTINGS, tolerance=tolerance))
        assert gate.verdict == verdict
        assert gate.worst == pytest.approx(worst)
    assert found.interval[0] < found.difference


def test_failure_says_by_how_much_and_what_was_allowed() -> None:
    held = held_out()
    gate = judged(held, scores(held, noise=0.1, seed=1), scores(held, noise=2.0, seed=2))
    assert gate.live is not None
    assert gate.new is not None
    assert gate.reason == (
        f"auc {gate.live:.4f} to {gate.new:.4f}; worse by at most {gate.worst:.4f}, beyond the tolerance of 0.02"
    )


@pytest.mark.parametrize(
    ("rows", "share", "reason"),
    [
        (30, 0.5, "30 labels, of 50 that it needs"),
        (60, 0.04, "2 labels of 1, of 10 that it needs"),
        (60, 0.96, "2 labels of 0, of 10 that it needs"),
    ],
)
def test_few_labels_do_not_judge(rows: int, share: float, reason: str) -> None:
    labels = np.zeros((rows, 2), np.float32)
    labels[: round(rows * share)] = 1
    held = HeldOut(SHOP, labels, None, None)
    same = scores(held, noise=0.1, seed=1)
    gate = judged(held, same, same)
    assert (gate.verdict, gate.reason) == ("not judged", reason)


def test_labels_that_are_unobserved_do_not_count() -> None:
    held = held_out()
    held.labels[:560, 0] = np.nan
    same = scores(held_out(), noise=0.1, seed=1)
    gate = judged(held, same, same)
    assert (gate.rows, gate.verdict) == (40, "not judged")


def test_metric_that_is_undefined_does_not_judge() -> None:
    labels = np.zeros((60, 2), np.float32)
    labels[:30] = 1
    held = HeldOut(SHOP, labels, np.arange(60), None)  # each user has one row, so that no group has both classes
    same = scores(held, noise=0.1, seed=1)
    gate = judged(held, same, same, msgspec.structs.replace(SETTINGS, metrics={"click": "gauc"}))
    assert (gate.verdict, gate.reason) == ("not judged", "gauc is undefined")


def test_first_run_is_measured_and_not_judged() -> None:
    held = held_out()
    answers = scores(held, noise=0.3, seed=1)
    click, _ = first_gates(held, SHOP.tasks, answers, SETTINGS)
    assert click.new == pytest.approx(roc_auc_score(held.labels[:, 0], answers["click"]))
    assert (click.live, click.verdict, click.reason) == (None, "not judged", "no version is live")
