"""Each architecture against the same written plainly, one expert and one task at a time."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from reference import networks
from reference.networks import Rows, array
from torch import Tensor, nn

from polyrank.errors import ConfigError
from polyrank.features import NumericFeature
from polyrank.models import ModelConfig
from polyrank.models.architectures import Architecture, build_architecture
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask

I, H, T = 7, 4, 3  # noqa: E741 (the letters of the docstrings)
TASKS = (
    BinaryTask(name="click", label="is_click"),
    RegressionTask(name="watch", label="watch_s"),
    BinaryTask(name="buy", label="is_bought"),
)
SCHEMA = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=TASKS)
NORMALIZATIONS = ["batch", "layer", "none"]


def build(architecture: str, **options: Any) -> Architecture:
    """Make an architecture in float64 and evaluation mode, with statistics of batch norm that are not those of none."""
    torch.manual_seed(0)
    config = ModelConfig(architecture=architecture, hidden_dims=(6, H), **options)  # type: ignore[arg-type]
    model = build_architecture(I, SCHEMA, config).double().eval()
    for value in model.state_dict().values():
        if value.ndim == 1 and value.is_floating_point():
            value.uniform_(0.3, 0.9)
    return model


def rows_of(count: int = 1, seed: int = 1) -> tuple[list[Tensor], list[Rows]]:
    generator = torch.Generator().manual_seed(seed)
    tensors = [torch.randn(5, I, dtype=torch.float64, generator=generator) for _ in range(count)]
    return tensors, [tensor.numpy() for tensor in tensors]


def assert_represents(model: Architecture, inputs: list[Tensor], expected: Rows) -> None:
    found = model(inputs)
    assert found.shape[-1] == model.output_dim
    assert np.abs(expected).max() > 0.1
    assert_allclose(array(found), expected, rtol=1e-10, atol=1e-12)


def gradients(module: nn.Module | Tensor) -> float:
    """Return how large the gradients of a module's parameters, or of a tensor, are in all."""
    parts = [module] if isinstance(module, Tensor) else list(module.parameters())
    return sum(0.0 if part.grad is None else float(part.grad.abs().sum()) for part in parts)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_shared_bottom_is_one_network_for_all(normalization: str) -> None:
    model = build("shared_bottom", normalization=normalization)
    tensors, _ = rows_of()
    assert_represents(model, tensors, array(cast("Any", model).bottom(tensors[0])))
    assert model(tensors).shape == (5, H)


@pytest.mark.parametrize("architecture", ["single_task", "esmm"])
@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_networks_of_tasks_are_side_by_side(architecture: str, normalization: str) -> None:
    model = build(architecture, normalization=normalization)
    tensors, rows = rows_of(T if architecture == "single_task" else 1)
    each = [networks.one_network(cast("Any", model).networks, task, rows[task % len(rows)]) for task in range(T)]
    assert_represents(model, tensors, np.stack(each, axis=1))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_mmoe_is_a_gated_sum_of_experts(normalization: str) -> None:
    model = build("mmoe", num_experts=3, normalization=normalization)
    tensors, rows = rows_of()
    assert_represents(model, tensors, networks.mmoe(model, rows[0], T, 3))


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_ple_is_layers_of_own_and_shared_experts(num_layers: int, normalization: str) -> None:
    model = build(
        "ple", num_extraction_layers=num_layers, num_experts=3, num_task_experts=2, normalization=normalization
    )
    tensors, rows = rows_of()
    of_tasks, shared = [rows[0]] * T, rows[0]
    for layer in cast("Any", model).extractions:
        of_tasks, shared = networks.extraction(layer, of_tasks, shared, own=2, common=3)
    assert_represents(model, tensors, np.stack(of_tasks, axis=1))


def test_last_layer_of_ple_has_no_shared_gate() -> None:
    gates = [layer.shared_gate for layer in cast("Any", build("ple", num_extraction_layers=2)).extractions]
    assert [gate is None for gate in gates] == [False, True]


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
def test_stem_mixes_the_experts_of_all_tasks(normalization: str) -> None:
    model = build("stem", num_experts=2, normalization=normalization)
    tensors, rows = rows_of(T + 1)
    assert_represents(model, tensors, networks.stem(model, rows, T, 2))


@pytest.mark.parametrize("task", range(T))
def test_loss_of_a_task_of_stem_trains_its_own_and_the_shared(task: int) -> None:
    model = build("stem", num_experts=2)
    inputs = [rows.requires_grad_() for rows in rows_of(T + 1)[0]]
    model(inputs)[:, task].sum().backward()
    trained = [gradients(rows) > 0.0 for rows in inputs]
    assert trained == [other == task for other in range(T)] + [True]
    experts = cast("Any", model).task_experts.layers[0].weight.grad.abs().sum((1, 2))  # (T * 2,)
    assert (experts > 0.0).tolist() == [expert // 2 == task for expert in range(T * 2)]
    assert gradients(cast("Any", model).shared_experts) > 0.0


def test_aitm_passes_along_the_chain() -> None:
    model = cast("Any", build("aitm", chain=("buy", "click")))
    tensors, rows = rows_of()
    click, watch, buy = (networks.one_network(model.networks, task, rows[0]) for task in range(T))
    after = networks.transfer(model.transfers[0], buy, click)
    assert_represents(model, tensors, np.stack([after, watch, buy], axis=1))


def test_aitm_of_three_tasks_passes_on_what_was_passed_on() -> None:
    tasks = tuple(BinaryTask(name=name, label=name) for name in ("show", "click", "buy"))
    schema = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=tasks)
    model = cast("Any", build_architecture(I, schema, ModelConfig(architecture="aitm", hidden_dims=(6, H))))
    model = model.double().eval()
    tensors, rows = rows_of()
    show, click, buy = (networks.one_network(model.networks, task, rows[0]) for task in range(T))
    click = networks.transfer(model.transfers[0], show, click)
    buy = networks.transfer(model.transfers[1], click, buy)
    assert_allclose(array(model(tensors)), np.stack([show, click, buy], axis=1), rtol=1e-10, atol=1e-12)


def trained_by_several(model: Architecture, inputs: list[Tensor]) -> set[str]:
    """Name the parameters of which some number has a gradient from two tasks or more."""
    counts = {name: torch.zeros_like(parameter) for name, parameter in model.named_parameters()}
    for task in range(T):
        model.zero_grad()
        found = model(inputs)
        (found[:, task] if found.dim() == 3 else found).sum().backward()
        for name, parameter in model.named_parameters():
            counts[name] += 0.0 if parameter.grad is None else parameter.grad != 0.0
    return {name for name, count in counts.items() if (count > 1.0).any()}


@pytest.mark.parametrize(
    ("architecture", "num_layers"),
    [("shared_bottom", 1), ("mmoe", 1), ("ple", 1), ("ple", 2), ("ple", 3), ("stem", 1)],
)
def test_shared_parts_are_what_several_tasks_train(architecture: str, num_layers: int) -> None:
    model = build(architecture, num_extraction_layers=num_layers)
    shared = {id(parameter) for part in model.shared_parts() for parameter in part.parameters()}
    tensors, _ = rows_of(T + 1)
    found = trained_by_several(model, tensors if architecture == "stem" else tensors[:1])
    assert found == {name for name, parameter in model.named_parameters() if id(parameter) in shared}
    assert found


@pytest.mark.parametrize(("architecture", "trained"), [("single_task", set()), ("esmm", set()), ("aitm", {"networks"})])
def test_architecture_without_shared_layers_says_so(architecture: str, trained: set[str]) -> None:
    model = build(architecture)
    assert model.shared_parts() == []
    tensors, _ = rows_of(T if architecture == "single_task" else 1)
    assert {name.partition(".")[0] for name in trained_by_several(model, tensors)} == trained


@pytest.mark.parametrize("architecture", ["esmm", "aitm"])
def test_chain_is_required_where_tasks_follow(architecture: str) -> None:
    schema = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=TASKS[:2])
    with pytest.raises(ConfigError, match=rf"^architecture = '{architecture}' needs at least 2 binary tasks that foll"):
        build_architecture(I, schema, ModelConfig(architecture=architecture))  # type: ignore[arg-type]
