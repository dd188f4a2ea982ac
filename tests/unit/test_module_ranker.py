"""What a module of somebody else's must answer to be served."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from polyrank.encoder import Batch
from polyrank.errors import ConfigError
from polyrank.features import NumericFeature
from polyrank.models.module_ranker import ModuleRanker
from polyrank.schema import Schema
from polyrank.tasks import MulticlassTask


class Counting(nn.Module):
    """Answers the last class by the number of rows."""

    def forward(self, _ids: Tensor | None, dense: Tensor, _weights: Tensor | None) -> Mapping[str, Tensor]:
        """Answer (B, 3)."""
        return {"topic": torch.tensor([0.5, 0.25, 0.25 / len(dense)]).expand(len(dense), 3)}


def test_answer_that_depends_on_other_rows_is_told_by_its_own_class() -> None:
    task = MulticlassTask(name="topic", label="topic", num_classes=3)
    schema = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=(task,)).resolved()
    rows = Batch(np.empty((2, 0), np.int64), np.zeros((2, 1), np.float32))
    message = r"^module answers a row of 'topic' with 0\.25 alone and 0\.125 among other rows; a server mixes"
    with pytest.raises(ConfigError, match=message):
        ModuleRanker(Counting(), schema).check(rows)
