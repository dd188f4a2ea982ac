"""A module of PyTorch that was trained elsewhere, asked like a ranker that was trained here."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from polyrank.encoder import Batch
from polyrank.errors import ConfigError
from polyrank.reasons import first_line
from polyrank.schema import Schema

from .answering_module import AnsweringModule
from .trained import tensors

_ALONE = 1e-4
"""How far sums of another order may go apart; far less than a mean over a batch moves."""


class RankerModule(Protocol):
    """What a module must be so that `polyrank.export.export_module` takes it: an `nn.Module` that is called like this.

    Its `forward` must be one that `torch.export` can trace, with a batch of any size.
    """

    def __call__(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None, /) -> Mapping[str, Tensor]:
        """Answer encoded rows.

        Args:
            ids: int64 (B, S) of the slots of hashed features, in the order of the schema: fingerprints, or the id
                itself of a feature with `identity`; -1 where a value is missing, and in the rest of a list. None when
                the schema has no such feature; so are the others.
            dense: float32 (B, D) of numbers as the logs have them; NaN where one is missing.
            weights: float32 (B, W) of the values of weighted bags.

        Returns:
            float32 (B,) or (B, 1) by task, in label units: a probability for a binary task; (B, C) of a multiclass
            one. Of an ordinal task the expected level, and (B, K) of `<task>_probabilities`.
        """


class ModuleRanker(AnsweringModule):
    """A module behind the methods by which rankers are asked.

    Args:
        module: as `RankerModule` says.
        schema: whose tasks it answers.
    """

    def __init__(self, module: nn.Module, schema: Schema) -> None:
        super().__init__()
        self.network = module
        self.tasks = schema.tasks
        self.widths = {name: width for task in schema.tasks for name, width in task.outputs.items()}

    def answers(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return each task's answer, float32 (B, num_answers)."""
        found = self.outputs(ids, dense, weights)
        return {task.name: found[task.name] for task in self.tasks}

    def outputs(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return what is served, float32 (B, columns) by output, in the order of `Task.outputs`, task by task."""
        found = self.network(_given(ids), _given(dense), _given(weights))
        return {name: found[name].float().reshape(-1, width) for name, width in self.widths.items()}

    def check(self, rows: Batch) -> None:
        """Ask the module, and refuse what are no answers to these rows.

        Raises:
            ConfigError: it fails, or answers something else.
        """
        try:
            with torch.inference_mode():
                found = self.network(*map(_given, tensors(rows)))
        except Exception as err:  # whatever a stranger's code raises
            reason = first_line(err)
            raise ConfigError(
                f"module fails on {len(rows)} encoded rows: {reason}; it is called as module(ids, dense, weights), "
                "with ids -1 and numbers NaN where a value is missing"
            ) from err
        if not isinstance(found, Mapping) or set(found) != set(self.widths):
            raise ConfigError(f"module must return a dict of {', '.join(self.widths)}, got {_shown(found)}")
        for name, width in self.widths.items():
            _check_answer(name, found[name], len(rows), width)
        self._check_alone(tensors(rows), found)

    def _check_alone(self, given: Sequence[Tensor | None], found: Mapping[str, Tensor]) -> None:
        """Refuse answers that depend on the other rows of a batch, which a server makes of many requests."""
        with torch.inference_mode():
            alone = self.network(*(None if each is None else _given(each[:1]) for each in given))
        for name in self.widths:
            in_batch, own = found[name][:1].double().reshape(-1), alone[name].double().reshape(-1)
            if not torch.allclose(in_batch, own, rtol=_ALONE, atol=_ALONE):
                at = ((in_batch - own).abs() - _ALONE * own.abs()).argmax()
                raise ConfigError(
                    f"module answers a row of {name!r} with {own[at]:g} alone and {in_batch[at]:g} among other rows; a "
                    "server mixes requests, so that no answer may depend on other rows, nor on chance"
                )


def _given(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None or tensor.shape[1] == 0 else tensor


def _check_answer(name: str, answer: Any, rows: int, width: int) -> None:
    shapes = [(rows, width)] + [(rows,)] * (width == 1)
    if not isinstance(answer, Tensor) or not answer.is_floating_point() or tuple(answer.shape) not in shapes:
        expected = " or ".join(map(str, shapes))
        raise ConfigError(f"module must answer {rows} rows of {name!r} with float {expected}, got {_shown(answer)}")
    if not bool(answer.isfinite().all()):
        raise ConfigError(
            f"module answers a row of {name!r} with a number that is not finite; rows with missing values, ids -1 and "
            "numbers NaN, need an answer too"
        )


def _shown(found: Any) -> str:
    if isinstance(found, Mapping):
        return f"a dict of {', '.join(map(str, found)) or 'nothing'}"
    if isinstance(found, Tensor):
        return f"{str(found.dtype).removeprefix('torch.')} {tuple(found.shape)}"
    return type(found).__name__


def refuse_unserved(schema: Schema) -> None:
    """Refuse features whose work a graph of a ranker of ours does, and a module of somebody else's does not.

    Raises:
        ConfigError: names the feature and what to leave out.
    """
    for feature in schema.features:
        for key in ("transform", "clip", "quantiles", "l2_norm", "projection"):
            if getattr(feature, key, None):
                raise ConfigError(
                    f"feature {feature.name!r} has {key}, but a module of yours gets numbers as they are; "
                    f"leave {key} out of the schema, and do that in the module"
                )
    for neighbors in schema.neighbors_features:
        raise ConfigError(
            f"feature {neighbors.name!r} is of neighbours, which only training here makes; leave it out of the schema"
        )
