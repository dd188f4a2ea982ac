from pathlib import Path

import numpy as np
import pytest
import torch
from artefacts.runs import AGE, DENSE, HISTORY, ITEM, PRICE, WEIGHTED, make_run, make_schema_of
from torch import Tensor, nn

from polyrank.encoder import Batch
from polyrank.export.movement import movement
from polyrank.export.parity import SLACK, Expectation, compare, expectations
from polyrank.export.probes import BATCH_SIZES, awkward_rows, extreme_rows, make_probes
from polyrank.models import TrainedRanker
from polyrank.models.answering_module import AnsweringModule
from polyrank.models.trained import predict

INT64 = np.iinfo(np.int64)


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> TrainedRanker:
    return make_run(tmp_path_factory.mktemp("probes") / "run", make_schema_of(ITEM, WEIGHTED, PRICE, AGE))


def test_awkward_rows_hold_every_kind(ranker: TrainedRanker) -> None:
    rows = awkward_rows(ranker)
    bags = rows.ids[:, 1:]
    assert (rows.ids == -1).all(1).any()
    assert np.isnan(rows.dense).all(1).any()
    assert ((bags == -1).all(1) & (rows.ids[:, 0] >= 0)).any()
    assert (bags >= 0).all(1).any()
    assert {INT64.min, INT64.max} <= set(rows.ids.reshape(-1).tolist())


def test_extreme_rows_reach_both_ends_of_float32(ranker: TrainedRanker) -> None:
    rows, largest = extreme_rows(ranker), np.finfo(np.float32).max
    assert rows.weights is not None
    assert [{float(value) for value in column} >= {float(largest), -float(largest)} for column in rows.dense.T] == [
        True,
        True,
    ]
    assert not np.isinf(rows.dense).any()
    assert float(rows.weights.max()) == pytest.approx(1e30)


def test_each_number_is_extreme_alone_too(ranker: TrainedRanker) -> None:
    known = {float(value) for value in ranker.sample.dense[:, 1]}
    alone = [row for row in extreme_rows(ranker).dense if abs(row[0]) == np.float32(1e30) and float(row[1]) in known]
    assert alone


def test_ids_alone_have_no_extreme_rows(tmp_path: Path) -> None:
    ranker = make_run(tmp_path / "run", make_schema_of(DENSE, HISTORY))
    assert [probe.name for probe in make_probes(ranker)] == ["sample", "awkward"]


def test_every_kind_goes_through_at_every_batch_size(ranker: TrainedRanker) -> None:
    found = {(entry.rows, entry.size) for entry in expectations(ranker)}
    assert found == {(rows, size) for rows in ("sample", "awkward", "extreme") for size in BATCH_SIZES}


def test_largest_batch_holds_all_rows_of_a_kind(ranker: TrainedRanker) -> None:
    assert max(len(probe.rows) for probe in make_probes(ranker)) <= max(BATCH_SIZES) == 4096


def test_rounding_hardly_moves_answers_to_real_rows(ranker: TrainedRanker) -> None:
    moved = movement(ranker.model, ranker.sample)
    assert 0.0 < max(float(values.max()) for values in moved.values()) < 1e-4


class Squares(AnsweringModule):
    """Answers the sum of the squares of a row's numbers, and has no weight."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Identity()

    def answers(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        return self.outputs(ids, dense, weights)

    def outputs(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        del ids, weights
        return {"click": self.network([dense])[0].square().sum(1, keepdim=True)}


def test_answers_move_with_what_layers_read() -> None:
    rows = Batch(np.empty((2, 0), np.int64), np.array([[1e3, 1.0], [0.0, 0.0]], np.float32))
    moved = movement(Squares(), rows)["click"]
    assert 2.0**-22 < moved[0] < 4 * 2.0**-22
    assert moved[1] == 0.0


def test_model_is_left_as_it_was(ranker: TrainedRanker) -> None:
    before = {name: value.clone() for name, value in ranker.model.state_dict().items()}
    movement(ranker.model, ranker.sample[:5])
    assert all(torch.equal(value, before[name]) for name, value in ranker.model.state_dict().items())


def expected_of(ranker: TrainedRanker, moved: float | None) -> Expectation:
    batch = ranker.sample[:4]
    answers = predict(ranker.model, batch)
    own = None if moved is None else {name: np.full(values.shape, moved) for name, values in answers.items()}
    return Expectation("awkward", batch.named(), len(batch), answers, own)


def shifted(entry: Expectation, by: float) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return {name: values + np.float32(by) for name, values in entry.answers.items()}


def test_what_rounding_moves_is_taken_off(ranker: TrainedRanker) -> None:
    entry = expected_of(ranker, 1e-3)
    (click, *_) = compare([entry], [shifted(entry, 0.01)])
    assert click.absolute == pytest.approx(0.01, rel=1e-4)
    assert click.difference == pytest.approx(0.01 - SLACK * 1e-3, rel=1e-3)


def test_nothing_is_taken_off_of_real_rows(ranker: TrainedRanker) -> None:
    entry = expected_of(ranker, None)
    (click, *_) = compare([entry], [shifted(entry, 0.01)])
    assert click.difference == pytest.approx(0.01, rel=1e-4)


def test_relative_difference_is_that_of_the_answer(ranker: TrainedRanker) -> None:
    entry = expected_of(ranker, None)
    (click, *_) = compare([entry], [shifted(entry, 0.01)])
    assert click.relative == pytest.approx(0.01 / float(entry.answers["click"].min()), rel=1e-3)


def test_answers_beyond_float32_are_counted_and_not_compared(ranker: TrainedRanker) -> None:
    entry = expected_of(ranker, 1e-6)
    entry.answers["click"][1] = np.inf
    (click, *_) = compare(
        [entry], [shifted(entry, 0.0) | {"click": np.zeros(4, np.float32) + entry.answers["click"][0]}]
    )
    assert click.overflowed == 1
    assert np.isfinite(click.difference)


def test_nan_for_a_finite_answer_is_no_number(ranker: TrainedRanker) -> None:
    entry = expected_of(ranker, 1e-6)
    (click, *_) = compare([entry], [shifted(entry, np.nan)])
    assert np.isnan(click.difference)
