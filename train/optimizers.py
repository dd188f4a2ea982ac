"""Optimisers: row-wise Adagrad or Adam for the rows of embedding tables that a batch touched, AdamW for the rest."""

import abc
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from polyrank.embedding_rows import coalesce_rows, update_rowwise_adagrad
from polyrank.models.buckets import BucketTable
from polyrank.models.embedding import FusedTable

from .balancing.adam import ADAM_BETAS, EPSILON
from .config_sections import OptimizerConfig


class RowGradient:
    """The gradient of an embedding table: the rows that a batch touched, each once."""

    def __init__(self, rows: Tensor, values: Tensor) -> None:
        self.rows, self.values = rows, values

    @classmethod
    def of(cls, table: Tensor) -> "RowGradient | None":
        """Take the sparse gradient of a table, (R, D), and add the values of equal rows: (U,) and (U, D)."""
        gradient = table.grad
        table.grad = None
        if gradient is None:
            return None
        return cls.coalesced(gradient._indices()[0], gradient._values())  # noqa: SLF001

    @classmethod
    def coalesced(cls, rows: Tensor, values: Tensor) -> "RowGradient":
        """Add the values (N, D) of equal rows (N,)."""
        found = coalesce_rows(rows.numpy(), values.contiguous().numpy())
        return cls(*map(torch.from_numpy, found))


class RowOptimizer(abc.ABC):
    """Steps the rows of embedding tables that have a gradient, so that a step costs what a batch touches."""

    def __init__(self, tables: Sequence[nn.Parameter], lr: float) -> None:
        self.tables, self.lr = tuple(tables), lr

    @abc.abstractmethod
    def step(self, index: int, gradient: RowGradient, *, rate: float = 1.0, scale: float = 1.0) -> None:
        """Step rows of one table, at `rate` times the learning rate, with `scale` times the gradient."""

    @abc.abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Return what the next step depends on besides the tables, by name: views, not copies."""

    @abc.abstractmethod
    def changed_rows(self) -> list[Tensor]:
        """Return which rows of each table a step has changed, bool (R,)."""

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        for name, value in self.state().items():
            value.copy_(state[name])


class RowwiseAdagrad(RowOptimizer):
    """Adagrad with one accumulator for each row.

    `s[r] += mean(g[r]²); w[r] -= lr / (sqrt(s[r]) + eps) · g[r]`. Duchi et al., JMLR 12, 2011; kept per row as in
    Mudigere et al., ISCA 2022, section 4.1.1.
    """

    def __init__(self, tables: Sequence[nn.Parameter], lr: float, *, threads: int = 1) -> None:
        super().__init__(tables, lr)
        self.sums = [torch.zeros(len(table), device=table.device) for table in self.tables]
        self._threads = threads

    @torch.no_grad()
    def step(self, index: int, gradient: RowGradient, *, rate: float = 1.0, scale: float = 1.0) -> None:
        """Step rows of one table."""
        tensors = (self.tables[index].detach(), self.sums[index], gradient.rows, gradient.values)
        arrays = (tensor.numpy() for tensor in tensors)
        update_rowwise_adagrad(*arrays, lr=self.lr * rate, epsilon=EPSILON, scale=scale, threads=self._threads)

    def state(self) -> dict[str, Tensor]:
        """Return the accumulators."""
        return {f"sums.{index}": sums for index, sums in enumerate(self.sums)}

    def changed_rows(self) -> list[Tensor]:
        """Return where an accumulator is above 0."""
        return [sums > 0 for sums in self.sums]


class SparseAdam(RowOptimizer):
    """Adam whose moments move where a row has a gradient, with one step count for all rows.

    Kingma and Ba, Adam, ICLR 2015, algorithm 1, applied lazily as torch.optim.SparseAdam does.
    """

    def __init__(self, tables: Sequence[nn.Parameter], lr: float) -> None:
        super().__init__(tables, lr)
        self.means = [torch.zeros_like(table) for table in self.tables]
        self.squares = [torch.zeros_like(table) for table in self.tables]
        self.steps = torch.zeros(len(self.tables), dtype=torch.int64)

    @torch.no_grad()
    def step(self, index: int, gradient: RowGradient, *, rate: float = 1.0, scale: float = 1.0) -> None:
        """Step rows of one table."""
        rows, values = gradient.rows, gradient.values * scale
        self.steps[index] += 1
        count, (beta1, beta2) = int(self.steps[index]), ADAM_BETAS
        mean = self.means[index][rows].lerp_(values, 1 - beta1)
        square = self.squares[index][rows].lerp_(values.square(), 1 - beta2)
        self.means[index][rows], self.squares[index][rows] = mean, square
        size = self.lr * rate * (1 - beta2**count) ** 0.5 / (1 - beta1**count)
        self.tables[index].index_add_(0, rows, mean / (square.sqrt() + EPSILON), alpha=-size)

    def state(self) -> dict[str, Tensor]:
        """Return the moments and how many steps each table has taken."""
        moments = {"means": self.means, "squares": self.squares}
        named = {f"{name}.{index}": value for name, values in moments.items() for index, value in enumerate(values)}
        return named | {"steps": self.steps}

    def changed_rows(self) -> list[Tensor]:
        """Return where a second moment is above 0."""
        return [squares.any(1) for squares in self.squares]


class FusedAdamW:
    """AdamW for the weights that each step changes, all in one call.

    Loshchilov and Hutter, Decoupled Weight Decay Regularization, ICLR 2019, algorithm 2. The numbers are those of
    torch.optim.AdamW with `fused=True`, whose `step` takes eight times as long for the weights of a ranker: it looks at
    each of them in Python.
    """

    def __init__(self, weights: Sequence[nn.Parameter], *, lr: float, weight_decay: float) -> None:
        self.weights, self.lr, self.weight_decay = tuple(weights), lr, weight_decay
        self.means = [torch.zeros_like(weight) for weight in self.weights]
        self.squares = [torch.zeros_like(weight) for weight in self.weights]
        self._all_steps = torch.zeros(len(self.weights))
        self.steps = list(self._all_steps.unbind())

    @torch.no_grad()
    def step(self) -> None:
        """Step the weights that have a gradient, and take it from them."""
        state = zip(self.weights, self.means, self.squares, self.steps, strict=True)
        stepped = [(*each, each[0].grad) for each in state if each[0].grad is not None]
        if not stepped:
            return
        weights, means, squares, steps, gradients = map(list, zip(*stepped, strict=True))
        if len(stepped) == len(self.weights):
            self._all_steps += 1.0
        else:
            torch._foreach_add_(steps, 1.0)
        torch._fused_adamw_(
            weights,
            gradients,
            means,
            squares,
            [],
            steps,
            lr=self.lr,
            beta1=ADAM_BETAS[0],
            beta2=ADAM_BETAS[1],
            weight_decay=self.weight_decay,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )
        for weight in weights:
            weight.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return moments and steps, by number of the weight and name: views, not copies."""
        lists = {"exp_avg": self.means, "exp_avg_sq": self.squares, "step": self.steps}
        return {f"{place}.{name}": value for name, values in lists.items() for place, value in enumerate(values)}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        for name, value in self.state().items():
            value.copy_(state[name])


def embedding_tables(model: nn.Module) -> list[nn.Parameter]:
    """Return the weights that are looked up, and so have sparse gradients, in the order of the model."""
    return [module.weight for module in model.modules() if isinstance(module, FusedTable | BucketTable)]


def build_optimizers(model: nn.Module, config: OptimizerConfig, *, threads: int = 1) -> tuple[FusedAdamW, RowOptimizer]:
    """Give everything but the embedding tables to AdamW, and those to the row optimiser that `config` names."""
    tables = embedding_tables(model)
    owned = {id(table) for table in tables}
    others = [parameter for parameter in model.parameters() if id(parameter) not in owned]
    dense = FusedAdamW(others, lr=config.lr, weight_decay=config.weight_decay)
    if config.embedding == "sparse_adam":
        return dense, SparseAdam(tables, config.table_lr)
    return dense, RowwiseAdagrad(tables, config.table_lr, threads=threads)


def gradient_norm(dense: Sequence[Tensor], tables: Sequence[RowGradient | None]) -> float:
    """Return the Euclidean norm of all gradients together."""
    parts = [*dense, *(gradient.values for gradient in tables if gradient is not None)]
    return float(torch.stack(torch._foreach_norm(parts)).norm()) if parts else 0.0  # noqa: SLF001
