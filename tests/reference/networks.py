"""Layers and architectures written plainly: one network, one expert and one task at a time, in float64 numpy."""

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float64]
"""(B, I)."""


def array(tensor: Any) -> Rows:
    """Return the values of a tensor."""
    return np.asarray(tensor.detach(), np.float64)


def linear(layer: Any, rows: Rows) -> Rows:
    """Apply a `torch.nn.Linear`."""
    products: Rows = rows @ array(layer.weight).T
    return products if layer.bias is None else products + array(layer.bias)


def one_linear(layer: Any, group: int, rows: Rows) -> Rows:
    """Apply the linear layer of one group: of a fanned layer its rows of the weight, of a grouped one its matrix."""
    if hasattr(layer, "linear"):
        mine = slice(group * layer.output_dim, (group + 1) * layer.output_dim)
        weight, bias = array(layer.linear.weight)[mine].T, layer.linear.bias
        products: Rows = rows @ weight
        return products if bias is None else products + array(bias)[mine]
    products = np.matmul(rows, array(layer.weight)[group])
    return products if layer.bias is None else products + array(layer.bias)[group]


def one_norm(layer: Any, group: int, rows: Rows) -> Rows:
    """Normalise the units of one group by the statistics of training, or each row over its own units."""
    if layer.over_batch:
        mine, norm = slice(group * rows.shape[1], (group + 1) * rows.shape[1]), layer.norm
        mean, variance = array(norm.running_mean)[mine], array(norm.running_var)[mine]
        normal: Rows = (rows - mean) / np.sqrt(variance + norm.eps)
        return normal * array(norm.weight)[mine] + array(norm.bias)[mine]
    centred: Rows = rows - rows.mean(axis=1, keepdims=True)
    normal = centred / np.sqrt(rows.var(axis=1, keepdims=True) + layer.norm.eps)
    return normal * array(layer.scale)[[group]] + array(layer.shift)[[group]]


def one_network(grouped: Any, group: int, rows: Rows) -> Rows:
    """Run one network of a `GroupedMLP` in evaluation mode."""
    for layer in grouped.layers:
        kind = type(layer).__name__
        if kind in ("FannedLinear", "GroupedLinear"):
            rows = one_linear(layer, group, rows)
        elif kind == "GroupedNorm":
            rows = one_norm(layer, group, rows)
        elif kind == "ReLU":
            rows = np.maximum(rows, 0.0)
    return rows


def softmax(logits: Rows) -> Rows:
    """Return shares that add up to 1 in each row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Rows = powers / powers.sum(axis=1, keepdims=True)
    return shares


def mixture(shares: Rows, experts: list[Rows]) -> Rows:
    """Add up experts (B, H), each times its column of the shares."""
    return sum((shares[:, [place]] * expert for place, expert in enumerate(experts)), start=np.zeros_like(experts[0]))


def mmoe(model: Any, rows: Rows, num_tasks: int, num_experts: int) -> Rows:
    """Return (B, T, H) of Ma et al., KDD 2018, equations 6 and 7."""
    experts = [one_network(model.experts, expert, rows) for expert in range(num_experts)]
    return np.stack(
        [mixture(softmax(one_linear(model.gates, task, rows)), experts) for task in range(num_tasks)], axis=1
    )


def extraction(layer: Any, of_tasks: list[Rows], shared: Rows, own: int, common: int) -> tuple[list[Rows], Rows]:
    """Run one layer of Tang et al., RecSys 2020, figure 5; the shared part stays where the layer is the last."""
    commons = [one_network(layer.shared_experts, expert, shared) for expert in range(common)]
    owns = [
        [one_network(layer.task_experts, task * own + expert, rows) for expert in range(own)]
        for task, rows in enumerate(of_tasks)
    ]
    outputs = [
        mixture(softmax(one_linear(layer.task_gates, task, rows)), [*owns[task], *commons])
        for task, rows in enumerate(of_tasks)
    ]
    if layer.shared_gate is None:
        return outputs, shared
    return outputs, mixture(softmax(linear(layer.shared_gate, shared)), [*itertools.chain(*owns), *commons])


def stem(model: Any, inputs: list[Rows], num_tasks: int, count: int) -> Rows:
    """Return (B, T, H) of Su et al., AAAI 2024: each task's gate mixes the experts of all tasks and the shared ones."""
    owns = [
        one_network(model.task_experts, task * count + expert, inputs[task])
        for task in range(num_tasks)
        for expert in range(count)
    ]
    commons = [one_network(model.shared_experts, expert, inputs[-1]) for expert in range(count)]
    gates = [softmax(one_linear(model.gates, task, inputs[task])) for task in range(num_tasks)]
    return np.stack([mixture(gate, [*owns, *commons]) for gate in gates], axis=1)


def transfer(layer: Any, before: Rows, own: Rows) -> Rows:
    """Mix what the task before passes on with the task's own: Xi et al., KDD 2021, equations 5 to 7."""
    pair = [np.maximum(linear(layer.passed_on[0], before), 0.0), own]
    scores = [(linear(layer.key, one) * linear(layer.query, one)).sum(axis=1) / np.sqrt(own.shape[1]) for one in pair]
    return mixture(softmax(np.stack(scores, axis=1)), [linear(layer.value, one) for one in pair])
