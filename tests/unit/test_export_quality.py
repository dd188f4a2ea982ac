import dataclasses

import msgspec
import numpy as np
import pytest
from artefacts.runs import EVERY_TASK, ITEM, make_run, make_schema_of
from sklearn.metrics import root_mean_squared_error

from polyrank.auc import auc
from polyrank.errors import ParityError
from polyrank.export.answers import Answers
from polyrank.export.quality import MetricLoss, metric_losses, require_quality
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict

ROWS = 200


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> TrainedRanker:
    made = make_run(tmp_path_factory.mktemp("quality") / "run", make_schema_of(ITEM, tasks=EVERY_TASK))
    rng = np.random.default_rng(0)
    labels = np.stack(
        [
            rng.integers(0, 2, ROWS),
            np.where(rng.random(ROWS) < 0.5, np.nan, rng.integers(0, 2, ROWS)),
            rng.exponential(size=ROWS),
            rng.normal(size=ROWS),
            rng.choice([1, 2, 3.5, 5], ROWS),
            rng.integers(0, 4, ROWS),
            np.full(ROWS, np.nan),
        ],
        axis=1,
    ).astype(np.float32)
    return dataclasses.replace(made, labels=labels)


@pytest.fixture(scope="module")
def before(ranker: TrainedRanker) -> Answers:
    return predict(ranker.model, ranker.sample)


@pytest.fixture(scope="module")
def after(before: Answers) -> Answers:
    noise = np.random.default_rng(1)
    found = {name: values + noise.normal(0, 0.05, values.shape) for name, values in before.items()}
    return {name: np.asarray(np.clip(values, 1e-3, None), np.float32) for name, values in found.items()}


def by_task(ranker: TrainedRanker, before: Answers, after: Answers) -> dict[str, MetricLoss]:
    return {entry.task: entry for entry in metric_losses(ranker, before, after)}


def labels_of(ranker: TrainedRanker, place: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    assert ranker.labels is not None
    return ranker.labels[:, place]


def test_binary_task_loses_auc(ranker: TrainedRanker, before: Answers, after: Answers) -> None:
    found, positive = by_task(ranker, before, after)["click"], labels_of(ranker, 0) > 0
    areas = auc(before["click"], positive), auc(after["click"], positive)
    assert found.metric == "auc"
    assert [found.before, found.after, found.loss] == pytest.approx([*areas, areas[0] - areas[1]])


def test_unobserved_labels_do_not_count(ranker: TrainedRanker, before: Answers, after: Answers) -> None:
    labels = labels_of(ranker, 1)
    seen = ~np.isnan(labels)
    assert by_task(ranker, before, after)["like"].after == pytest.approx(auc(after["like"][seen], labels[seen] > 0))


def test_number_loses_rmse_relative_to_itself(ranker: TrainedRanker, before: Answers, after: Answers) -> None:
    found = by_task(ranker, before, after)["seconds"]
    first, second = (root_mean_squared_error(labels_of(ranker, 3), part["seconds"]) for part in (before, after))
    assert found.metric == "rmse"
    assert found.loss == pytest.approx(second / first - 1, rel=1e-3)


def test_classes_lose_log_loss(ranker: TrainedRanker, before: Answers, after: Answers) -> None:
    found = by_task(ranker, before, before | {"genre": after["genre"] / after["genre"].sum(1, keepdims=True)})["genre"]
    own = before["genre"][np.arange(ROWS), labels_of(ranker, 5).astype(np.int64)].astype(np.float64)
    first = float(np.mean(-np.log(np.maximum(own, 2.0**-23))))
    assert found.metric == "log_loss"
    assert found.before == pytest.approx(first, rel=1e-5)


def test_task_without_labels_is_left_out(ranker: TrainedRanker, before: Answers, after: Answers) -> None:
    assert set(by_task(ranker, before, after)) == {"click", "like", "ratio", "seconds", "stars", "genre"}


def test_task_of_one_class_is_left_out(ranker: TrainedRanker, before: Answers) -> None:
    assert ranker.labels is not None
    labels = ranker.labels.copy()
    labels[:, 0] = 1.0
    assert "click" not in by_task(dataclasses.replace(ranker, labels=labels), before, before)


def test_run_without_labels_has_no_losses(ranker: TrainedRanker, before: Answers) -> None:
    assert metric_losses(dataclasses.replace(ranker, labels=None), before, before) == ()


def test_same_answers_lose_nothing(ranker: TrainedRanker, before: Answers) -> None:
    assert {(entry.loss, entry.error) for entry in metric_losses(ranker, before, before)} == {(0.0, 0.0)}


def test_error_is_that_of_resampled_rows(ranker: TrainedRanker, before: Answers, after: Answers) -> None:
    rng, positive = np.random.default_rng(2), labels_of(ranker, 0) > 0
    draws = [rng.integers(0, ROWS, ROWS) for _ in range(800)]
    gaps = [auc(before["click"][rows], positive[rows]) - auc(after["click"][rows], positive[rows]) for rows in draws]
    assert by_task(ranker, before, after)["click"].error == pytest.approx(float(np.std(gaps)), rel=0.15)


LOSS = MetricLoss(task="click", metric="auc", before=0.75, after=0.7485, loss=0.0015, error=0.0002)


def test_sure_loss_above_the_limit_is_refused() -> None:
    with pytest.raises(
        ParityError,
        match=r"^task 'click' loses 0\.0015 of its auc \(limit 0\.001\): 0\.7500 before and 0\.7485 after; choose ",
    ):
        require_quality([LOSS])


def test_loss_within_its_error_is_accepted() -> None:
    require_quality([msgspec.structs.replace(LOSS, error=0.0003)])


def test_loss_that_is_no_number_is_refused() -> None:
    with pytest.raises(ParityError, match=r"^task 'click' loses nan of its auc"):
        require_quality([msgspec.structs.replace(LOSS, loss=float("nan"))])
