"""A plain PyTorch loop, written with care: tensors in memory, a permutation and an index for each batch, Adam."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from worker import TASKS, Job, Task, work

LAYERS, TOWER, EMBEDDING_DIM, INITIAL_STD = (128, 64), (32,), 16, 0.01
EVALUATED_ROWS = 4096


class Plain:
    """A model and its loop."""

    def __init__(self, job: Job, task: Task) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(task.seed)
        self._batch_size = task.batch_size
        self._ids, self._genres, self._labels = map(torch.from_numpy, (job.ids, job.genres, job.labels))
        self._embeddings = Embeddings(job)
        self._layers = LAYERS_OF[task.architecture](EMBEDDING_DIM * (len(job.sizes) + 1))
        parameters = [*self._embeddings.parameters(), *self._layers.parameters()]
        self._optimizer = torch.optim.Adam(parameters, lr=1e-3)

    def train(self, rows: slice) -> None:
        """Take a pass."""
        order = torch.randperm(rows.stop - rows.start) + rows.start
        for batch in order.split(self._batch_size):
            logits = self._layers(self._embeddings(self._ids[batch], self._genres[batch]))
            loss = functional.binary_cross_entropy_with_logits(logits, self._labels[batch], reduction="none")
            self._optimizer.zero_grad()
            loss.mean(0).sum().backward()
            self._optimizer.step()

    def predict(self, rows: slice) -> NDArray[np.float64]:
        """Answer."""
        with torch.no_grad():
            pairs = zip(self._ids[rows].split(EVALUATED_ROWS), self._genres[rows].split(EVALUATED_ROWS), strict=True)
            parts = [torch.sigmoid(self._layers(self._embeddings(ids, genres))) for ids, genres in pairs]
        return torch.cat(parts).double().numpy()


class Embeddings(nn.Module):
    """A table for each feature, and the mean of the genres."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        sizes = [*map(int, job.sizes), job.num_genres]
        self.tables = nn.ModuleList(nn.Embedding(size, EMBEDDING_DIM) for size in sizes)
        for table in self.tables:
            nn.init.normal_(table.weight, std=INITIAL_STD)

    def forward(self, ids: Tensor, genres: Tensor) -> Tensor:
        """Look up: int64 (B, F) and (B, G) to (B, (F + 1) * 16)."""
        vectors = [table(ids[:, place]) for place, table in enumerate(self.tables[:-1])]
        present = (genres > 0).unsqueeze(2).float()
        pooled = (self.tables[-1](genres) * present).sum(1) / present.sum(1).clamp(min=1)
        return torch.cat([*vectors, pooled], dim=1)


def _mlp(width: int, *widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for out in widths:
        layers += [nn.Linear(width, out), nn.ReLU()]
        width = out
    return nn.Sequential(*layers)


def _tower(width: int) -> nn.Sequential:
    return nn.Sequential(_mlp(width, *TOWER), nn.Linear(TOWER[-1], 1))


class SharedBottom(nn.Module):
    """One MLP for all tasks (Caruana, Multitask Learning, 1997)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bottom = _mlp(width, *LAYERS)
        self.towers = nn.ModuleList(_tower(LAYERS[-1]) for _ in TASKS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, I) to logits (B, T)."""
        hidden = self.bottom(inputs)
        return torch.cat([tower(hidden) for tower in self.towers], dim=1)


class Mixture(nn.Module):
    """Experts that each task weighs by a gate of its own.

    With experts for each task it is a layer of PLE (Tang et al., RecSys 2020, section 4.1), without it is MMoE (Ma et
    al., KDD 2018, section 4.2).
    """

    def __init__(self, width: int, *, shared: int, own: int) -> None:
        super().__init__()
        self.shared = nn.ModuleList(_mlp(width, *LAYERS) for _ in range(shared))
        self.own = nn.ModuleList(nn.ModuleList(_mlp(width, *LAYERS) for _ in range(own)) for _ in TASKS)
        self.gates = nn.ModuleList(nn.Linear(width, shared + own) for _ in TASKS)
        self.towers = nn.ModuleList(_tower(LAYERS[-1]) for _ in TASKS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, I) to logits (B, T)."""
        shared = [expert(inputs) for expert in self.shared]
        logits = []
        for experts, gate, tower in zip(self.own, self.gates, self.towers, strict=True):
            outputs = torch.stack([*shared, *(expert(inputs) for expert in experts)], dim=1)  # (B, E, H)
            weights = gate(inputs).softmax(1).unsqueeze(1)  # (B, 1, E)
            logits.append(tower(torch.bmm(weights, outputs).squeeze(1)))
        return torch.cat(logits, dim=1)


class EntireSpace(nn.Module):
    """P(like), and P(love) as its product with P(love | like) (Ma et al., ESMM, SIGIR 2018, section 2.3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.towers = nn.ModuleList(nn.Sequential(_mlp(width, *LAYERS), _tower(LAYERS[-1])) for _ in TASKS)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (B, I) to logits (B, T): of the product `log(p / (1 - p))`."""
        like, love = (functional.logsigmoid(tower(inputs)) for tower in self.towers)
        both = (like + love).clamp(max=-1e-6)
        return torch.cat(
            [like - torch.log(-torch.expm1(like.clamp(max=-1e-6))), both - torch.log(-torch.expm1(both))], 1
        )


LAYERS_OF = {
    "shared_bottom": SharedBottom,
    "mmoe": lambda width: Mixture(width, shared=4, own=0),
    "ple": lambda width: Mixture(width, shared=2, own=2),
    "esmm": EntireSpace,
}

if __name__ == "__main__":
    work(Plain)
