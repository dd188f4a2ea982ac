"""A ranker over one user and many items answers like the ranker over rows that repeat the user."""

from typing import Any

import numpy as np
import pytest
import torch
from artefacts.runs import FEATURES, SMALL, make_model, make_rows, make_schema_of, make_sided_schema
from numpy.testing import assert_allclose

from polyrank.encoder import Batch, Encoder
from polyrank.features import NeighborsFeature
from polyrank.halves import Half, halves_of
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.half_inputs import Rows
from polyrank.models.request import RequestRanker, combined
from polyrank.schema import Schema

ITEMS = 7
ARCHITECTURES = ("single_task", "shared_bottom", "mmoe", "ple", "esmm", "aitm", "stem")


def encoded(schema: Schema) -> Batch:
    return Encoder(schema).encode(make_rows(40))


def rows_of(half: Half, batch: Batch) -> Rows:
    weights = None if batch.weights is None else torch.from_numpy(batch.weights[:, list(half.weight_columns)])
    return Rows(
        torch.from_numpy(batch.ids[:, list(half.id_columns)]),
        torch.from_numpy(batch.dense[:, list(half.dense_columns)]),
        weights,
    )


def both_answers(schema: Schema, model: MultiTaskRanker, user: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the answers to one user's request, and those to rows that repeat the user."""
    batch = encoded(schema)
    of_user, of_item = halves_of(schema)
    one, items = batch[user : user + 1], batch[5 : 5 + ITEMS]
    tiled = Batch(items.ids.copy(), items.dense.copy(), None if items.weights is None else items.weights.copy())
    tiled.ids[:, list(of_user.id_columns)] = one.ids[:, list(of_user.id_columns)]
    tiled.dense[:, list(of_user.dense_columns)] = one.dense[:, list(of_user.dense_columns)]
    if tiled.weights is not None and one.weights is not None:
        tiled.weights[:, list(of_user.weight_columns)] = one.weights[:, list(of_user.weight_columns)]
    weights = None if tiled.weights is None else torch.from_numpy(tiled.weights)
    request = RequestRanker(model, schema)
    with torch.no_grad():
        found, _ = request(rows_of(of_user, one), rows_of(of_item, items), torch.ones(len(request.scored)))
        expected = model.answers(torch.from_numpy(tiled.ids), torch.from_numpy(tiled.dense), weights)
    return found, expected


def assert_same(schema: Schema, config: ModelConfig) -> None:
    model = make_model(schema, config=config)
    for user in (0, 1, 3):
        found, expected = both_answers(schema, model, user)
        for name, answers in expected.items():
            assert_allclose(found[name], answers, rtol=2e-5, atol=1e-5)


def names_of(features: tuple[str, ...]) -> list[str]:
    """Name the features that have a side of their own."""
    found = make_schema_of(*features).features
    return [feature.name for feature in found if not isinstance(feature, NeighborsFeature)]


@pytest.mark.parametrize("kind", [kind for kind in FEATURES if len(FEATURES[kind]) > 1])
@pytest.mark.parametrize("place", [0, 1, -1])
def test_every_kind_of_feature_is_answered_alike_on_either_side(kind: str, place: int) -> None:
    items = (names_of(FEATURES[kind])[place],)
    assert_same(make_sided_schema(*FEATURES[kind], items=items), SMALL)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("interaction", ["none", "dcn_v2", "deepfm"])
def test_every_architecture_answers_alike(architecture: Any, interaction: Any) -> None:
    features = FEATURES["all kinds and widths"]
    chain = ("click", "like") if architecture in ("esmm", "aitm") else ()
    config = ModelConfig(
        architecture=architecture, interaction=interaction, hidden_dims=(16, 8), tower_dims=(4,), chain=chain
    )
    assert_same(make_sided_schema(*features, items=("item", "price", "tags")), config)


def test_factorization_machine_alone_answers_alike() -> None:
    schema = make_sided_schema(*FEATURES["all kinds and widths"], items=("item", "price", "tags"))
    assert_same(schema, ModelConfig(interaction="fm"))


def test_machine_meets_vectors_that_one_side_alone_has() -> None:
    features = FEATURES["all kinds and widths"]
    for items in (("item", "history"), ("price", "age")):
        assert_same(make_sided_schema(*features, items=items), ModelConfig(interaction="fm"))


@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
def test_normalisation_and_extractions_answer_alike(normalization: Any) -> None:
    config = ModelConfig(
        architecture="ple",
        num_extraction_layers=2,
        hidden_dims=(16, 8),
        tower_dims=(4,),
        normalization=normalization,
        calibration="platt",
    )
    assert_same(make_sided_schema(*FEATURES["vectors"], items=("item", "unit", "depth")), config)


def test_sum_and_product_combine_answers_by_weights() -> None:
    answers = {"click": torch.tensor([[0.5], [0.25]]), "watch": torch.tensor([[2.0], [0.0]])}
    weights = torch.tensor([1.0, 0.5])
    assert_allclose(combined(answers, ["click", "watch"], weights, "sum"), [[1.5], [0.25]])
    product = combined(answers, ["click", "watch"], weights, "product")
    assert_allclose(product, [[0.5 * np.sqrt(2.0)], [0.25 * 1e-6]], rtol=1e-5)


def test_cross_with_a_part_of_an_item_is_of_the_item() -> None:
    user, item = halves_of(make_sided_schema(*FEATURES["crosses"], items=("item",)))
    assert [slots.feature.name for slots in item.slots] == ["word by item", "item"]
    assert [slots.feature.name for slots in user.slots] == ["word"]
    assert (user.id_columns, item.id_columns) == ((2,), (0, 1))
