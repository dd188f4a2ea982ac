"""torch-rechub's models, trained by its own `MTLTrainer` from its own data loader."""

import tempfile

import numpy as np
import torch
from numpy.typing import NDArray
from torch_rechub.basic.features import SequenceFeature, SparseFeature
from torch_rechub.models.multi_task import ESMM, MMOE, PLE, SharedBottom
from torch_rechub.trainers import MTLTrainer
from torch_rechub.utils.data import DataGenerator
from worker import Job, Task, work

LAYERS, TOWER, EMBEDDING_DIM = [128, 64], [32], 16
EVALUATED_ROWS = 4096


class Rechub:
    """A model of torch-rechub."""

    def __init__(self, job: Job, task: Task) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(task.seed)
        self._task = task
        self._columns = {f"feature_{place}": job.ids[:, place] for place in range(job.ids.shape[1])}
        self._columns["genres"] = job.genres
        self._labels = job.labels
        if task.architecture == "esmm":  # which answers P(love | like), P(like) and P(love), and learns the last two
            self._labels = np.stack([job.labels[:, 1], job.labels[:, 0], job.labels[:, 1]], axis=1)
        self._model = _model(job, task.architecture)
        self._trainer = MTLTrainer(
            self._model, ["classification"] * self._labels.shape[1], model_path=tempfile.gettempdir()
        )

    def train(self, rows: slice) -> None:
        """Take a pass."""
        columns = {name: column[rows] for name, column in self._columns.items()}
        few = {name: column[:1] for name, column in columns.items()}
        data = DataGenerator(columns, self._labels[rows])
        loader, *_ = data.generate_dataloader(few, self._labels[:1], few, self._labels[:1], batch_size=self._batch_size)
        self._trainer.train_one_epoch(loader)

    @property
    def _batch_size(self) -> int:
        return self._task.batch_size

    def predict(self, rows: slice) -> NDArray[np.float64]:
        """Answer."""
        columns = {name: torch.from_numpy(column[rows]) for name, column in self._columns.items()}
        count = len(columns["genres"])
        self._model.eval()
        with torch.no_grad():
            parts = [
                self._model({name: column[start : start + EVALUATED_ROWS] for name, column in columns.items()})
                for start in range(0, count, EVALUATED_ROWS)
            ]
        return torch.cat(parts)[:, -2:].double().numpy()


def _model(job: Job, architecture: str) -> torch.nn.Module:
    features = [
        SparseFeature(f"feature_{place}", vocab_size=int(size), embed_dim=EMBEDDING_DIM)
        for place, size in enumerate(job.sizes)
    ]
    features.append(
        SequenceFeature("genres", vocab_size=job.num_genres, embed_dim=EMBEDDING_DIM, pooling="mean", padding_idx=0)
    )
    tasks, layers, towers = ["classification"] * 2, {"dims": LAYERS}, [{"dims": TOWER}] * 2
    match architecture:
        case "shared_bottom":
            return SharedBottom(features, tasks, layers, towers)
        case "mmoe":
            return MMOE(features, tasks, 4, layers, towers)
        case "ple":
            return PLE(features, tasks, 1, 2, 2, layers, towers)
    tower = {"dims": LAYERS + TOWER}
    return ESMM(features[:1], features[1:], tower, tower)


if __name__ == "__main__":
    work(Rechub)
