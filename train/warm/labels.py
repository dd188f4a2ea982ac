"""What each weight of a model belongs to, so that two models of other features, tasks or sizes can be compared."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

from torch import Tensor, nn

from polyrank.features import BucketizedFeature, VectorFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.buckets import BucketTable
from polyrank.models.dense import DenseBlock
from polyrank.models.embedding import FusedTable
from polyrank.models.layers import GroupedLinear, GroupedNorm
from polyrank.models.ranker import Inputs
from polyrank.models.towers import Baseline
from polyrank.models.vectors import VectorBlock
from polyrank.schema import Schema
from polyrank.tasks import Task

Labels = list[Any] | None
"""Of the places along an axis; None where they have no meaning of their own, and all of them are one layer's."""

SHARED = "shared"


class Part(NamedTuple):
    """A tensor of a model, and labels of each of its axes."""

    tensor: Tensor
    axes: tuple[Labels, ...]


def input_names(schema: Schema, config: ModelConfig) -> list[str]:
    """Name the inputs of a network: the task whose own they are, or `shared`."""
    tasks = [f"task {task.name!r}" for task in schema.tasks]
    return {"single_task": tasks, "stem": [*tasks, SHARED]}.get(config.architecture, [SHARED])


def labelled_parts(model: MultiTaskRanker, schema: Schema, config: ModelConfig) -> dict[str, Part]:
    """Return every tensor that trains but the embedding tables of ids, by a name that depends on nothing else there is.

    A calibration is of the older model's answers, and fitted anew.
    """
    names = input_names(schema, config)
    described = _Described(model, schema, config)
    found = {}
    for name, module in model.named_modules():
        if name.startswith("calibration."):
            continue
        known = dict(described.axes(name, module))
        for own, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            if own in module._non_persistent_buffers_set or _is_table(name, module):  # noqa: SLF001 (no other way to ask)
                continue
            path = _renamed(f"{name}.{own}", model, schema, names)
            found[path] = Part(tensor, known.get(own, (None,) * tensor.dim()))
    return found


def input_labels(inputs: Inputs, schema: Schema) -> list[Any]:
    """Return the feature that each input of the layers comes from, and which of its numbers it is."""
    labels: list[Any] = []
    if inputs.embeddings is not None:
        for table in inputs.embeddings.tables.values():
            assert isinstance(table, FusedTable)  # noqa: S101 (tells the type checker)
            near = [each.feature.name for each in table.neighbors]  # type: ignore[union-attr]
            width = table.weight.shape[1]
            for name in [*(slots.feature.name for slots in table.layout), *near]:
                labels += [(name, at, width) for at in range(width)]
    if inputs.dense is not None:
        labels += _dense_labels(inputs.dense, schema)
    return labels


def _dense_labels(dense: DenseBlock, schema: Schema) -> list[Any]:
    numeric = schema.numeric_features
    labels: list[Any] = [(each.name, each.transform, each.clip, each.quantiles) for each in numeric]
    labels += [(each.name, "missing") for each in numeric]
    widths = [table.weight.shape[1] for table in dense.buckets if isinstance(table, BucketTable)]
    widths += [block.output_dim for block in dense.vectors if isinstance(block, VectorBlock)]
    for name, width in zip([*_bucketized(schema), *_vectors(schema)], widths, strict=True):
        labels += [(name, at, width) for at in range(width)]
    return labels


class _Described:
    """Labels the axes of the layers of one model."""

    def __init__(self, model: MultiTaskRanker, schema: Schema, config: ModelConfig) -> None:
        self.tasks: list[Any] = [task.name for task in schema.tasks]
        self.inputs, self.config = input_labels(model.inputs[0], schema), config  # type: ignore[arg-type]
        self.outputs = _repeated([_meaning(task) for task in schema.tasks], model.network.baseline.widths)

    def axes(self, path: str, module: nn.Module) -> Iterator[tuple[str, tuple[Labels, ...]]]:
        """Yield the tensors of a module whose axes have labels."""
        groups = self._groups(path)
        if isinstance(module, BucketTable):
            edges = [float("-inf"), *module.boundaries.tolist(), float("inf")]
            yield "weight", (["missing", *itertools.pairwise(edges)], None)
        elif isinstance(module, GroupedLinear):
            outputs = self._experts() if path.endswith("layers.gates") else None
            yield "weight", (groups, self._read(path), outputs)
            yield "bias", (groups, None, None)
        elif isinstance(module, GroupedNorm):
            yield "scale", (groups, None)
            yield "shift", (groups, None)
        elif isinstance(module, nn.BatchNorm1d | nn.Linear) and module.weight is not None:
            rows = self._units(path, groups, module.weight.shape[0])
            columns = self._read(path)
            yield "weight", (rows, columns)[: module.weight.dim()]
            for name in ("bias", "running_mean", "running_var"):
                yield name, (rows,)
        elif isinstance(module, Baseline):
            yield "bias", (self.outputs,)
        elif isinstance(module, nn.ParameterList):
            for name, _ in module.named_parameters():
                yield name, (self._of_machine(path), None)

    def _groups(self, path: str) -> Labels:
        """Return the networks that lie side by side: those of tasks by task."""
        own = path.partition("network.")[2].split(".")
        if own[0] == "towers" or "networks" in own or "gates" in own or "task_gates" in own:
            return self.tasks
        if "task_experts" in own:
            return _repeated(self.tasks, [self._own_experts()] * len(self.tasks))
        return None

    def _of_machine(self, path: str) -> Labels:
        """Return the outputs of a factorization machine: all, or those of the task that it is of."""
        if self.config.architecture != "single_task":
            return self.outputs
        task = self.tasks[int(path.partition("machines.")[2].partition(".")[0])]
        return [label for label in self.outputs if label[0][0] == task]

    def _own_experts(self) -> int:
        return self.config.num_experts if self.config.architecture == "stem" else self.config.num_task_experts

    def _experts(self) -> Labels:
        """Return the experts that a gate of several tasks weighs: those of each task, then the shared ones."""
        count = len(self.tasks)
        return _repeated([*self.tasks, ""], [self._own_experts()] * count + [self.config.num_experts])

    def _units(self, path: str, groups: Labels, count: int) -> Labels:
        """Return the owner of each of the units of a layer of several networks."""
        if "machines." in path:
            return self._of_machine(path)
        if path.endswith("towers.output"):
            return self.outputs
        if path.endswith("shared_gate"):
            return self._experts()
        if ".widen." in path:
            return self.inputs
        if groups is None:
            return None
        return _repeated(groups, [count // len(groups)] * len(groups))

    def _read(self, path: str) -> Labels:
        """Return what a layer reads: the features' inputs, where it is a first one."""
        if "extractions." in path and "extractions.0." not in path:
            return None
        first = ".layers.0" in path.partition("network.layers.")[2]
        ends = ("bottom.0", "gates", "gates.linear", "shared_gate")
        reads = first or ".narrow." in path or "machines." in path or path.endswith(ends)
        return self.inputs if reads else None


def _meaning(task: Task) -> tuple[Any, ...]:
    """Return what the outputs of a task stand for: those of another kind, or of other levels, are others."""
    return (task.name, type(task), *(getattr(task, field, None) for field in ("transform", "levels", "num_classes")))


def _repeated(owners: Sequence[Any], counts: Sequence[int]) -> list[Any]:
    """Label as many places for each owner as it has; those of another number of places are others."""
    return [(owner, at, count) for owner, count in zip(owners, counts, strict=True) for at in range(count)]


def _renamed(path: str, model: MultiTaskRanker, schema: Schema, inputs: Sequence[str]) -> str:
    """Put names in the place of positions."""
    steps = path.split(".")
    lists: dict[str, Any] = {
        "inputs": inputs,
        "crosses": inputs,
        "machines": [SHARED] if model.network.shares_input else inputs,
        "buckets": _bucketized(schema),
        "vectors": _vectors(schema),
        "transfers": [schema.tasks[place].name for place in getattr(model.network.layers, "chain", ())[1:]],
    }
    for at, step in enumerate(steps[:-1]):
        if step in lists and steps[at + 1].isdigit():
            steps[at + 1] = lists[step][int(steps[at + 1])]
        elif step == "attention" and steps[at + 1].isdigit():
            owner = cast("FusedTable", model.get_submodule(".".join(path.split(".")[:at])))
            steps[at + 1] = owner.attending[int(steps[at + 1])]
        if (number := steps[at + 1].removeprefix("task_")).isdigit() and number != steps[at + 1]:
            steps[at + 1] = schema.tasks[int(number)].name
    return ".".join(steps)


def _is_table(path: str, module: nn.Module) -> bool:
    return isinstance(module, FusedTable) or ".neighbors." in path


def _bucketized(schema: Schema) -> list[str]:
    return [feature.name for feature in schema.features if isinstance(feature, BucketizedFeature)]


def _vectors(schema: Schema) -> list[str]:
    return [feature.name for feature in schema.features if isinstance(feature, VectorFeature)]
