"""What ranks exchange adds up to the gradients of the whole batch."""

import numpy as np
import pytest
import torch
from artefacts.ranks import ThreadProcesses, on_ranks
from torch import Tensor
from torch.testing import assert_close

from polyrank.train.exchange import add_gradients, add_row_gradients, with_total
from polyrank.train.optimizers import RowGradient
from polyrank.train.processes import ALONE, Processes

TOUCHED = [[[5, 2], [7]], [[2, 9, 0], []], [[], [7]]]  # by rank, by table
DIMS = (3, 1)


def values_of(rank: int, table: int) -> Tensor:
    generator = torch.Generator().manual_seed(10 * rank + table)
    return torch.randn(len(TOUCHED[rank][table]), DIMS[table], generator=generator)


def gradients_of(rank: int) -> list[RowGradient | None]:
    return [
        RowGradient.coalesced(torch.tensor(rows, dtype=torch.int64), values_of(rank, table))
        for table, rows in enumerate(TOUCHED[rank])
    ]


def dense(gradient: RowGradient | None, dim: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    assert gradient is not None
    table = np.zeros((10, dim), np.float32)
    np.add.at(table, gradient.rows.numpy(), gradient.values.numpy())
    return table


def added(processes: Processes) -> list[RowGradient | None]:
    return add_row_gradients(gradients_of(processes.rank), processes)


@pytest.mark.parametrize("table", [0, 1])
def test_gradients_of_rows_add_up(table: int) -> None:
    expected = sum(dense(gradients_of(rank)[table], DIMS[table]) for rank in range(3))
    for found in on_ranks(3, added):
        np.testing.assert_allclose(dense(found[table], DIMS[table]), expected, rtol=1e-6)


def test_each_row_is_there_once_on_all_ranks_alike() -> None:
    first, *others = on_ranks(3, added)
    assert first[0] is not None
    assert sorted(first[0].rows.tolist()) == [0, 2, 5, 9]
    assert all(other[0] is not None and torch.equal(other[0].rows, first[0].rows) for other in others)
    assert all(other[0] is not None and torch.equal(other[0].values, first[0].values) for other in others)


def test_what_travels_are_the_rows_touched() -> None:
    sent: list[int] = []

    class Counting(ThreadProcesses):
        def gather(self, tensor: Tensor) -> list[Tensor]:
            sent.append(tensor.numel() * tensor.element_size())
            return super().gather(tensor)

    on_ranks(3, lambda processes: add_row_gradients(gradients_of(processes.rank), Counting(**vars(processes))))
    most = 3 * (8 + 4 * 3)  # rank 1: three rows of three columns, each with its number
    assert sorted(sent) == [16, 16, 16, most, most, most]


def test_a_table_without_a_gradient_stays_without() -> None:
    found = on_ranks(2, lambda processes: add_row_gradients([None, *gradients_of(processes.rank)[1:]], processes))
    assert [gradients[0] for gradients in found] == [None, None]
    assert found[0][1] is not None
    assert found[0][1].rows.tolist() == [7]


def test_one_process_keeps_its_gradients() -> None:
    gradients = gradients_of(0)
    assert add_row_gradients(gradients, ALONE) == gradients


def test_dense_gradients_add_up_in_place() -> None:
    def work(processes: Processes) -> list[Tensor]:
        gradients = [torch.full((2, 3), float(processes.rank + 1)), torch.full((4,), 10.0 * (processes.rank + 1))]
        add_gradients(gradients, processes)
        return gradients

    for matrix, vector in on_ranks(2, work):
        assert torch.equal(matrix, torch.full((2, 3), 3.0))
        assert torch.equal(vector, torch.full((4,), 30.0))


def test_losses_have_the_total_and_the_gradient_of_the_part() -> None:
    def work(processes: Processes) -> tuple[Tensor, Tensor]:
        weight = torch.tensor([3.0], requires_grad=True)
        total = with_total(weight * (processes.rank + 1), processes)
        (gradient,) = torch.autograd.grad(total.sum(), weight)
        return total.detach(), gradient

    found = on_ranks(2, work)
    assert_close(torch.cat([total for total, _ in found]), torch.tensor([9.0, 9.0]))
    assert_close(torch.cat([gradient for _, gradient in found]), torch.tensor([1.0, 2.0]))
