"""DeepCTR-Torch's models, trained by their own `fit`."""

import numpy as np
import torch
from deepctr_torch.inputs import SparseFeat, VarLenSparseFeat
from deepctr_torch.models import ESMM, MMOE, PLE, SharedBottom
from deepctr_torch.models.basemodel import BaseModel
from numpy.typing import NDArray
from worker import TASKS, Job, Task, work

LAYERS, TOWER, EMBEDDING_DIM = (128, 64), (32,), 16
EVALUATED_ROWS = 4096


class DeepCtr:
    """A model of DeepCTR-Torch."""

    def __init__(self, job: Job, task: Task) -> None:
        torch.set_num_threads(1)
        self._job, self._task = job, task
        self._model = _model(job, task)
        self._model.compile("adam", loss=["binary_crossentropy"] * len(TASKS))

    def train(self, rows: slice) -> None:
        """Take a pass, without metrics, which cost more than the step."""
        self._model.fit(self._columns(rows), self._job.labels[rows], batch_size=self._task.batch_size, verbose=0)

    def predict(self, rows: slice) -> NDArray[np.float64]:
        """Answer."""
        return self._model.predict(self._columns(rows), EVALUATED_ROWS)

    def _columns(self, rows: slice) -> dict[str, NDArray[np.int64]]:
        columns = {f"feature_{place}": self._job.ids[rows, place] for place in range(self._job.ids.shape[1])}
        return columns | {"genres": self._job.genres[rows]}


def _model(job: Job, task: Task) -> BaseModel:
    features = [
        SparseFeat(f"feature_{place}", vocabulary_size=int(size), embedding_dim=EMBEDDING_DIM)
        for place, size in enumerate(job.sizes)
    ]
    genres = SparseFeat("genres", vocabulary_size=job.num_genres, embedding_dim=EMBEDDING_DIM)
    features.append(VarLenSparseFeat(genres, maxlen=job.genres.shape[1], combiner="mean"))
    named = {"task_names": TASKS, "seed": task.seed}
    experts = {"expert_dnn_hidden_units": LAYERS, "gate_dnn_hidden_units": (), "tower_dnn_hidden_units": TOWER}
    match task.architecture:
        case "shared_bottom":
            return SharedBottom(features, bottom_dnn_hidden_units=LAYERS, tower_dnn_hidden_units=TOWER, **named)
        case "mmoe":
            return MMOE(features, num_experts=4, **experts, **named)
        case "ple":
            return PLE(features, shared_expert_num=2, specific_expert_num=2, num_levels=1, **experts, **named)
    return ESMM(features, tower_dnn_hidden_units=LAYERS + TOWER, **named)


if __name__ == "__main__":
    work(DeepCtr)
