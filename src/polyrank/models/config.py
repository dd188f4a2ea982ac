"""The shape of a model, as written in TOML."""

import math
from typing import Literal, get_args

import msgspec

from polyrank.errors import ConfigError
from polyrank.schema import Schema
from polyrank.spelling import suggestion
from polyrank.tasks import BinaryTask

from .calibration import Method
from .layers import LayerOptions, Normalization

Architecture = Literal["single_task", "shared_bottom", "mmoe", "ple", "esmm", "aitm", "stem"]
ARCHITECTURES: tuple[Architecture, ...] = get_args(Architecture)
CHAINED = ("esmm", "aitm")
"""Architectures of tasks that follow one another, such as click and purchase."""

_LAYERED = ("none", "dcn_v2", "deepfm")
READERS: dict[str, tuple[str, ...]] = {
    "hidden_dims": _LAYERED,
    "tower_dims": _LAYERED,
    "normalization": _LAYERED,
    "dropout": _LAYERED,
    "num_experts": ("mmoe", "ple", "stem"),
    "num_task_experts": ("ple",),
    "num_extraction_layers": ("ple",),
    "cross_layers": ("dcn_v2",),
    "cross_rank": ("dcn_v2",),
    "calibrator": ("aitm",),
}
"""Fields that some architectures or interactions alone read."""

MAX_WIDTH = 65_536
MAX_COUNT = 1_024


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Architecture and sizes of a multi-task ranker.

    Attributes:
        architecture: what tasks share; docs/training.md describes each, `polyrank.models.architectures` cites them.
        interaction: what is made of the features besides the layers: `none`; `dcn_v2`: cross layers before them;
            `deepfm`: a factorization machine beside them; `fm`: that alone.
        hidden_dims: widths of the layers that tasks share, or of each expert.
        tower_dims: widths of each task tower's hidden layers; the output layer is added.
        normalization: of every hidden layer: over the `batch`, over the `layer`, or `none`.
        dropout: share of hidden units dropped in training, in [0, 1).
        num_experts: of `mmoe`; shared ones of `ple`; of each group of `stem`.
        num_task_experts: experts of each task's own, of `ple`.
        num_extraction_layers: layers of experts, of `ple`.
        cross_layers: of `dcn_v2`.
        cross_rank: of the weight of a cross layer, of `dcn_v2`.
        chain: tasks that follow one another, of `esmm` and `aitm`; empty takes all binary ones, in schema order.
        calibrator: weight of the penalty where a task is more probable than the one before it, of `aitm`.
        calibration: map of the logits of each binary task, fitted to validation rows after training: `temperature`
            divides them, `platt` adds a shift, `isotonic` is any rising line; a multiclass task has a temperature under
            each. `none` leaves answers as they are.
    """

    architecture: Architecture = "shared_bottom"
    interaction: Literal["none", "dcn_v2", "deepfm", "fm"] = "none"
    hidden_dims: tuple[int, ...] = (128, 64)
    tower_dims: tuple[int, ...] = (32,)
    normalization: Normalization = "batch"
    dropout: float = 0.0
    num_experts: int = 4
    num_task_experts: int = 2
    num_extraction_layers: int = 1
    cross_layers: int = 2
    cross_rank: int = 32
    chain: tuple[str, ...] = ()
    calibrator: float = 0.6
    calibration: Method = "none"

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        if not self.hidden_dims:
            raise ConfigError("$.model.hidden_dims must hold at least one width, got none")
        for field in ("hidden_dims", "tower_dims"):
            for index, width in enumerate(getattr(self, field)):
                if not 1 <= width <= MAX_WIDTH:
                    raise ConfigError(f"$.model.{field}[{index}] must be in [1, {MAX_WIDTH}], got {width}")
        for field in ("num_experts", "num_task_experts", "num_extraction_layers", "cross_layers", "cross_rank"):
            if not 1 <= getattr(self, field) <= MAX_COUNT:
                raise ConfigError(f"$.model.{field} must be in [1, {MAX_COUNT}], got {getattr(self, field)}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"$.model.dropout must be in [0, 1), got {self.dropout}")
        if not 0.0 <= self.calibrator < math.inf:
            raise ConfigError(f"$.model.calibrator must be 0 or above and finite, got {self.calibrator}")
        self._check_combination()

    def _check_combination(self) -> None:
        if self.interaction == "fm" and self.architecture != "shared_bottom":
            raise ConfigError(
                f"$.model.interaction = 'fm' has no layers; it goes with architecture = 'shared_bottom', got "
                f"{self.architecture!r}"
            )
        if self.chain and self.architecture not in CHAINED:
            raise ConfigError(f"$.model.chain goes with architecture = 'esmm' or 'aitm', got {self.architecture!r}")

    def unread(self) -> dict[str, tuple[str, ...]]:
        """Return the fields that were set, though neither architecture nor interaction reads them, with what does."""
        own, default = {self.architecture, self.interaction}, type(self)()
        unread = {field: readers for field, readers in READERS.items() if own.isdisjoint(readers)}
        return {field: unread[field] for field in unread if getattr(self, field) != getattr(default, field)}

    @property
    def layer_options(self) -> LayerOptions:
        """What follows each linear layer."""
        return LayerOptions(self.normalization, self.dropout)

    def chained_tasks(self, schema: Schema) -> tuple[int, ...]:
        """Return the positions of the tasks that follow one another; none where the architecture has no chain.

        Raises:
            ConfigError: the chain names fewer than two tasks, one that the schema lacks or that is not binary, one
                twice, or one whose `when` is not the label of the task before it.
        """
        if self.architecture not in CHAINED:
            return ()
        binary = [task.name for task in schema.tasks if isinstance(task, BinaryTask)]
        names = self.chain or tuple(binary)
        for index, name in enumerate(names):
            if name not in binary or name in names[:index]:
                hint = "" if name in binary else suggestion(name, binary)
                raise ConfigError(f"$.model.chain[{index}] must name a binary task, each once, got {name!r}{hint}")
        if len(names) < 2:  # noqa: PLR2004
            raise ConfigError(
                f"architecture = {self.architecture!r} needs at least 2 binary tasks that follow one another, "
                f"got {len(names)}; name them in $.model.chain"
            )
        places = {task.name: index for index, task in enumerate(schema.tasks)}
        chain = tuple(places[name] for name in names)
        for index, place in enumerate(chain):
            before = None if index == 0 else schema.tasks[chain[index - 1]].label
            if schema.tasks[place].when not in (None, before):
                allowed = "" if before is None else f" or be the label of the task before it, {before!r}"
                raise ConfigError(
                    f"$.model.chain[{index}]: task {names[index]!r} has when = {schema.tasks[place].when!r}; under "
                    f"architecture = {self.architecture!r} it must be left out{allowed}"
                )
        return chain
