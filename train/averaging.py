"""Exponential moving averages of weights, exact for embedding tables too at the cost of what a batch touches."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from .optimizers import RowGradient


class AverageWeights:
    """`a = d[t] · a + (1 - d[t]) · w` after step t, of all weights of a model, and of what its batch norms saw.

    `d[t] = decay · (1 - decay**(t - 1)) / (1 - decay**t)` weighs the weights after step i by `decay**(t - i)`,
    and those before the first by nothing: the bias correction of Kingma and Ba, Adam, ICLR 2015, section 3. A row of an
    embedding table that no step touches stays the same, so what steps s + 1 to t do to its average follows at once:
    `a = w + d[s + 1] · ... · d[t] · (a - w)`. It is done when the row is touched again, or asked for.

    Args:
        dense: weights that each step changes, and statistics that it changes in place.
        tables: embedding tables.
        decay: in (0, 1).
    """

    def __init__(self, dense: Sequence[Tensor], tables: Sequence[nn.Parameter], decay: float) -> None:
        self._dense, self._tables, self._decay = tuple(dense), tuple(tables), decay
        self.dense = [weight.detach().clone() for weight in dense]
        self.tables = [table.detach().clone() for table in tables]
        self.last = [torch.zeros(len(table), dtype=torch.int64, device=table.device) for table in tables]
        self.num_steps = 0

    @torch.no_grad()
    def before_rows(self, index: int, gradient: RowGradient) -> None:
        """Catch up on rows of a table that a step is about to change."""
        self._catch_up(index, gradient.rows)

    @torch.no_grad()
    def after_step(self) -> None:
        """Take in the weights that a step gave."""
        self.num_steps += 1
        kept = float(self._kept(torch.tensor(self.num_steps - 1)))
        torch._foreach_lerp_(self.dense, [weight.detach() for weight in self._dense], 1 - kept)

    @torch.no_grad()
    def exchange(self) -> None:
        """Put the averages in the place of the weights, and the weights in that of the averages; again to undo."""
        for index, last in enumerate(self.last):
            self._catch_up(index, (last < self.num_steps).nonzero().squeeze(1))
        for average, weight in zip((*self.dense, *self.tables), (*self._dense, *self._tables), strict=True):
            kept = weight.detach().clone()
            weight.copy_(average)
            average.copy_(kept)

    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on besides the weights, by name: views, but for the number of steps."""
        lists = {"dense": self.dense, "tables": self.tables, "last": self.last}
        named = {f"{name}.{index}": value for name, values in lists.items() for index, value in enumerate(values)}
        return named | {"num_steps": torch.tensor(self.num_steps)}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        own = self.state()
        own.pop("num_steps")
        for name, value in own.items():
            value.copy_(state[name])
        self.num_steps = int(state["num_steps"])

    def _catch_up(self, index: int, rows: Tensor) -> None:
        averages, table, last = self.tables[index], self._tables[index], self.last[index]
        kept = self._kept(last[rows]).to(averages.dtype).unsqueeze(1)
        current = table[rows]
        averages[rows] = current + kept * (averages[rows] - current)
        last[rows] = self.num_steps

    def _kept(self, since: Tensor) -> Tensor:
        """Return which part of an average steps left, `d[since + 1] · ... · d[num_steps]`, float64."""
        if self.num_steps == 0:
            return torch.ones_like(since, dtype=torch.float64)
        powers = torch.pow(self._decay, torch.stack([since, self.num_steps - since]).double())
        return powers[1] * (1 - powers[0]) / (1 - self._decay**self.num_steps)


def running_statistics(model: nn.Module) -> list[Tensor]:
    """Return the running means and variances of a model's batch norms, which steps change in place, in its order."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm1d)]
    found = [statistic for norm in norms for statistic in (norm.running_mean, norm.running_var)]
    return [statistic for statistic in found if statistic is not None]
