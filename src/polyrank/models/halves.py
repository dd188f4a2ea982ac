"""Rows of one request that are not tiled: the user once, and each item."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Halves(NamedTuple):
    """What the layers read of one request, in two halves.

    A linear layer of both is that of the user, taken once, and that of each item: `W [u; i] = Wu u + Wi i`.

    Attributes:
        user: float32 (1, Iu), or (1, G, Iu) of G groups.
        item: float32 (N, Ii), or (N, G, Ii).
        user_columns: which of the I inputs the user's are.
        item_columns: which of them are an item's.
    """

    user: Tensor
    item: Tensor
    user_columns: tuple[int, ...]
    item_columns: tuple[int, ...]

    def linear(self, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply a weight (O, I) and a bias (O,): (N, O)."""
        of_user, of_item = self._split(weight, 1)
        # The user's part stands where a bias does, so that no pass over (N, O) adds it.
        return torch.addmm(functional.linear(self.user, of_user, bias), self.item, of_item.t())

    def grouped_linear(self, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Apply weights (G, I, O) and biases (G, 1, O), each to its group: (G, N, O)."""
        of_user, of_item = self._split(weight, 1)
        once = torch.bmm(self.user.transpose(0, 1), of_user)
        return torch.baddbmm(once if bias is None else once + bias, self.item.transpose(0, 1), of_item)

    def joined(self) -> Tensor:
        """Return the rows that the halves stand for, float32 (N, I)."""
        tiled = self.user.expand(self.item.shape[0], -1)
        places = sorted(range(len(self.user_columns) + len(self.item_columns)), key=self._columns.__getitem__)
        return torch.cat([tiled, self.item], dim=1).index_select(1, torch.tensor(places))

    def between(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Return which of the inputs from `start` up to `stop` each half has, (1, ·) and (N, ·)."""
        of_user = [place for place, column in enumerate(self.user_columns) if start <= column < stop]
        of_item = [place for place, column in enumerate(self.item_columns) if start <= column < stop]
        return self.user[:, of_user], self.item[:, of_item]

    @property
    def _columns(self) -> tuple[int, ...]:
        return self.user_columns + self.item_columns

    def _split(self, weight: Tensor, dim: int) -> tuple[Tensor, Tensor]:
        return (
            weight.index_select(dim, torch.tensor(self.user_columns)),
            weight.index_select(dim, torch.tensor(self.item_columns)),
        )


def stacked(inputs: Sequence[Tensor | Halves]) -> Tensor | Halves:
    """Lay inputs (B, I) of G networks side by side: (B, G, I)."""
    halves = [each for each in inputs if isinstance(each, Halves)]
    if not halves:
        return torch.stack([each for each in inputs if isinstance(each, Tensor)], dim=1)
    user, item = (torch.stack(parts, dim=1) for parts in zip(*(each[:2] for each in halves), strict=True))
    return halves[0]._replace(user=user, item=item)


def repeated(inputs: Tensor | Halves, count: int) -> Tensor | Halves:
    """Repeat each group of (B, G, I) `count` times: (B, G * count, I)."""
    if isinstance(inputs, Tensor):
        return inputs.repeat_interleave(count, dim=1)
    user, item = (half.repeat_interleave(count, dim=1) for half in (inputs.user, inputs.item))
    return inputs._replace(user=user, item=item)
