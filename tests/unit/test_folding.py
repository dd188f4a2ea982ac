"""Batch norm folded into layers gives the same answers."""

from typing import Any

import numpy as np
import pytest
import torch
from artefacts.runs import make_model, make_rows, make_schema
from numpy.testing import assert_allclose
from torch import nn

from polyrank.encoder import Encoder
from polyrank.models import ModelConfig
from polyrank.models.folding import folded
from polyrank.models.trained import predict

SCHEMA = make_schema().resolved()
ROWS = Encoder(SCHEMA).encode(make_rows(50))


@pytest.mark.parametrize("architecture", ["shared_bottom", "mmoe", "ple", "single_task", "stem"])
@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
def test_folded_model_answers_alike(architecture: Any, normalization: Any) -> None:
    config = ModelConfig(
        architecture=architecture, normalization=normalization, hidden_dims=(16, 8), tower_dims=(4,), dropout=0.1
    )
    model = make_model(SCHEMA, config=config)
    expected, found = predict(model, ROWS), predict(folded(model), ROWS)
    for name, answers in expected.items():
        assert_allclose(found[name], answers, rtol=1e-4, atol=1e-5)


def test_folded_model_has_no_batch_norm_and_leaves_the_model_as_it_is() -> None:
    model = make_model(SCHEMA)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = folded(model)
    assert not any(isinstance(module, nn.BatchNorm1d) for module in found.modules())
    assert found.inputs is model.inputs
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert np.isfinite(predict(found, ROWS)["click"]).all()
