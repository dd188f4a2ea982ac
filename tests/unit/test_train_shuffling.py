import numpy as np
import pytest
import torch

from polyrank.train.encoded import EncodedRows, MemoryStorage, Selection
from polyrank.train.shuffling import SHARDS_IN_MEMORY, Shuffler, TrainingBatch

ROW_BYTES = 3 * 4 + 8  # dense, label and weight, and the place in a permutation


class Pieces(MemoryStorage):
    """Rows of which dense says the number, in pieces."""

    def __init__(self, *lengths: int) -> None:
        self.lengths = lengths  # type: ignore[assignment]
        self.read: list[int] = []

    def piece(self, index: int) -> EncodedRows:
        self.read.append(index)
        numbers = np.arange(sum(self.lengths[:index]), sum(self.lengths[: index + 1]), dtype=np.float32)
        ids = np.empty((len(numbers), 0), np.int64)
        return EncodedRows(ids=ids, dense=numbers[:, None], labels=numbers[:, None] + 0.5, sample_weights=numbers)


def shuffler(*lengths: int, rows_in_memory: int = 10**6, batch_size: int = 10, seed: int = 0) -> Shuffler:
    storage = Pieces(*lengths)
    selection = Selection(storage, np.ones(sum(lengths), bool))
    return Shuffler(selection, batch_size=batch_size, seed=seed, memory_bytes=rows_in_memory * ROW_BYTES)


def order_of(batches: list[TrainingBatch]) -> list[int]:
    return [int(row) for batch in batches for row in batch.dense[:, 0]]


SIZES = [(100, 10**6), (1000, 1000), (1000, 999), (1000, 130), (1003, 64), (131, 64), (11, 10)]


@pytest.mark.parametrize(("count", "rows_in_memory"), SIZES)
def test_every_row_is_seen_once_in_an_epoch(count: int, rows_in_memory: int) -> None:
    batches = list(shuffler(count, rows_in_memory=rows_in_memory).batches(1))
    left_out = count % 10 == 1
    assert len(set(order_of(batches))) == len(order_of(batches)) == count - left_out
    assert {batch.num_rows for batch in batches[:-1]} <= {10}


@pytest.mark.parametrize(("count", "rows_in_memory"), SIZES)
def test_steps_of_an_epoch_are_known_before(count: int, rows_in_memory: int) -> None:
    rows = shuffler(count, rows_in_memory=rows_in_memory)
    assert len(list(rows.batches(1))) == rows.steps_per_epoch


@pytest.mark.parametrize("count", [100, 103, 101])
def test_rows_before_a_step_are_those_of_the_batches_before_it(count: int) -> None:
    rows = shuffler(count)
    sizes = [batch.num_rows for batch in rows.batches(1)]
    for step in range(len(sizes) + 1):
        assert rows.rows_before(3, step) == 2 * sum(sizes) + sum(sizes[:step])


@pytest.mark.parametrize("rows_in_memory", [10**6, 130, 64])
@pytest.mark.parametrize("first_step", [0, 1, 12, 13, 14, 50, 99, 100])
def test_epoch_goes_on_from_any_step(rows_in_memory: int, first_step: int) -> None:
    whole = list(shuffler(1000, rows_in_memory=rows_in_memory).batches(3))
    rest = list(shuffler(1000, rows_in_memory=rows_in_memory).batches(3, first_step))
    assert order_of(rest) == order_of(whole[first_step:])
    assert [batch.num_rows for batch in rest] == [batch.num_rows for batch in whole[first_step:]]


@pytest.mark.parametrize("rows_in_memory", [10**6, 130])
def test_order_does_not_depend_on_where_rows_lie(rows_in_memory: int) -> None:
    one, many = (shuffler(*lengths, rows_in_memory=rows_in_memory) for lengths in ((1000,), (1, 250, 0, 700, 49)))
    assert order_of(list(one.batches(1))) == order_of(list(many.batches(1)))


@pytest.mark.parametrize("rows_in_memory", [10**6, 130])
def test_seed_and_epoch_decide_the_order(rows_in_memory: int) -> None:
    orders = [
        order_of(list(shuffler(1000, rows_in_memory=rows_in_memory, seed=seed).batches(epoch)))
        for seed, epoch in ((0, 1), (0, 1), (0, 2), (1, 1), (2**63 - 1, 2**31 - 1))
    ]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) == 4


def test_columns_of_a_row_stay_together() -> None:
    for batch in shuffler(300, 400, rows_in_memory=130).batches(1):
        assert batch.sample_weights is not None
        assert torch.equal(batch.labels[:, 0], batch.dense[:, 0] + 0.5)
        assert torch.equal(batch.sample_weights, batch.dense[:, 0])


def test_rows_from_all_over_the_data_set_are_in_memory_together() -> None:
    order = np.array(order_of(list(shuffler(100_000, rows_in_memory=6_400).batches(1))))
    windows = order[:96_000].reshape(15, 6_400)
    assert np.abs(windows.mean(axis=1) - 50_000).max() < 4 * 100_000 / np.sqrt(12 * SHARDS_IN_MEMORY)
    assert np.abs(np.diff(windows[0])).mean() > 20_000


def test_what_fits_memory_is_read_once() -> None:
    storage = Pieces(100)
    rows = Shuffler(Selection(storage, np.ones(100, bool)), batch_size=10, seed=0, memory_bytes=10**6)
    storage.read.clear()
    for epoch in (1, 2, 3):
        assert len(list(rows.batches(epoch))) == 10
    assert len(storage.read) == 2  # for the columns, and for the rows


def test_selection_reads_ranges_of_what_it_chose() -> None:
    selection = Selection(Pieces(4, 0, 3, 5), np.arange(12) % 3 != 0)  # 1 2 4 5 7 8 10 11
    assert len(selection) == 8
    assert selection.rows.tolist() == [1, 2, 4, 5, 7, 8, 10, 11]
    assert selection.read().dense[:, 0].tolist() == [1, 2, 4, 5, 7, 8, 10, 11]
    assert selection.read((5, 8), (0, 1), (2, 2), (1, 4)).dense[:, 0].tolist() == [8, 10, 11, 1, 2, 4, 5]


def parts_of(count: int, *, rows_in_memory: int, epoch: int = 1, first_step: int = 0) -> list[list[TrainingBatch]]:
    """Return the batches of each of three ranks."""
    selection = Selection(Pieces(count), np.ones(count, bool))
    options = {"batch_size": 10, "seed": 0, "memory_bytes": rows_in_memory * ROW_BYTES, "world_size": 3}
    return [list(Shuffler(selection, rank=rank, **options).batches(epoch, first_step)) for rank in range(3)]


@pytest.mark.parametrize(("count", "rows_in_memory"), [*SIZES, (1002, 130), (12, 10), (200, 64)])
@pytest.mark.parametrize("first_step", [0, 1, 13])
def test_parts_of_ranks_are_the_batches_of_one(count: int, rows_in_memory: int, first_step: int) -> None:
    parts = parts_of(count, rows_in_memory=rows_in_memory, epoch=2, first_step=first_step)
    whole = list(shuffler(count, rows_in_memory=rows_in_memory).batches(2, first_step))
    assert [order_of(list(batch)) for batch in zip(*parts, strict=True)] == [order_of([batch]) for batch in whole]


def test_rows_of_a_batch_are_split_evenly() -> None:
    sizes = [[batch.num_rows for batch in part] for part in parts_of(32, rows_in_memory=100)]
    assert sizes == [[3, 3, 3, 0], [3, 3, 3, 1], [4, 4, 4, 1]]


def test_ranks_copy_their_own_rows_alone() -> None:
    selection = Selection(Pieces(1000), np.ones(1000, bool))
    rows = Shuffler(selection, batch_size=10, seed=0, memory_bytes=128 * ROW_BYTES, rank=1, world_size=2)
    assert sum(window.num_rows for window, _ in rows.windows(1)) == 500
