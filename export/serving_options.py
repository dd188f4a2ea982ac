"""How Triton runs a model, as written in TOML."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import msgspec

from polyrank.arguments import inner_share, shown
from polyrank.errors import ConfigError
from polyrank.located import load_toml

from .parity import TOLERANCE

MAX_INSTANCES = 1024
_LADDER = (1, 8, 64, 512, 4096)
_ARENAS = re.compile(r"(cpu|gpu):[0-9]+(;(cpu|gpu):[0-9]+)*")


def _require_range(name: str, value: int, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value < high:
        limit = "2**31" if high == 2**31 else high  # as it is known, not in ten digits
        raise ConfigError(f"{name} must be in [{low}, {limit}), got {shown(value)}")


def _require_numbers(name: str, values: object) -> None:
    if not isinstance(values, list | tuple) or not all(type(value) is int for value in values):
        raise ConfigError(f"{name} must be a list of integers, got {shown(values)}")


class InstanceGroup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Copies of the model that answer side by side.

    Attributes:
        kind: `auto` is a GPU where there is one, else a CPU.
        count: copies on each of the group's devices.
        gpus: numbers of the GPUs; empty takes all.
    """

    kind: Literal["auto", "cpu", "gpu"] = "auto"
    count: int = 1
    gpus: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Check ranges."""
        _require_range("instances.count", self.count, 1, MAX_INSTANCES + 1)
        if self.gpus and self.kind != "gpu":
            raise ConfigError(f"instances.gpus go with kind 'gpu', got kind {self.kind!r}; leave them out")
        _require_numbers("instances.gpus", self.gpus)
        if min(self.gpus, default=0) < 0 or len(set(self.gpus)) < len(self.gpus):
            raise ConfigError(f"instances.gpus must be different numbers from 0, got {list(self.gpus)}")


class TensorRt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """TensorRT under ONNX Runtime, on GPUs. Answers differ from those that parity was proven for.

    Attributes:
        precision: in which TensorRT computes.
        workspace_mb: MiB of GPU memory that it may use while it computes.
        engine_cache: folder on the server for engines, which take minutes to build; None builds them at each load.
        cuda_graphs: whether kernels are launched as recorded graphs.
    """

    precision: Literal["FP32", "FP16", "BF16"] = "FP32"
    workspace_mb: int = 1024
    engine_cache: str | None = None
    cuda_graphs: bool = False

    def __post_init__(self) -> None:
        """Check ranges."""
        _require_range("tensorrt.workspace_mb", self.workspace_mb, 1, 2**20)


class MemoryOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What ONNX Runtime does with memory that a request has used.

    Attributes:
        arena: whether it is kept for the next request.
        pattern: whether the memory of a request's shape is planned as one block.
        shrink: devices whose arena is given back after each request, such as `cpu:0` or `cpu:0;gpu:0`; None keeps it.
    """

    arena: bool = True
    pattern: bool = True
    shrink: str | None = None

    def __post_init__(self) -> None:
        """Check the devices."""
        if self.shrink is None:
            return
        if not _ARENAS.fullmatch(self.shrink):
            raise ConfigError(f"memory.shrink must name devices as in 'cpu:0;gpu:0', got {self.shrink!r}")
        if not self.arena:
            raise ConfigError("memory.shrink needs memory.arena: without an arena there is none to shrink")


class ServingOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Triton runs a model.

    Attributes:
        max_batch_size: rows in a request at most; the client splits above it.
        preferred_batch_sizes: the batcher sends a batch of such a size at once; others wait out the delay.
        queue_delay_us: how long Triton may hold a request back to batch it with others, in microseconds. Every
            request of a lone client pays it in full, so the default is 0.
        queue_timeout_us: a request that has waited so long for its turn is rejected, in microseconds; 0 never.
        queue_size: requests that may wait; more are rejected at once. 0 is no limit.
        threads: ONNX Runtime threads of an instance; always written, since its own default takes every core.
        warm_up: batch sizes that a version answers before it goes live; `ladder` is 1, 8, 64, 512, 4096 and
            `max_batch_size`, as far as they fit.
        response_cache: answer repeated requests from the server's cache, if it has one.
        latest_versions: how many of the newest versions are live.
        specific_versions: these versions are live instead.
        instances: copies of the model.
        memory: of ONNX Runtime.
        tensorrt: on GPUs; None leaves it off.
        raw: publish `<name>_raw` too, which takes a tensor for each feature.
        tolerance: how far a server's answers to golden rows may be from the trained model's, absolute up to 1 and
            relative above; in (0, 1).
    """

    max_batch_size: int = 4096
    preferred_batch_sizes: tuple[int, ...] = ()
    queue_delay_us: int = 0
    queue_timeout_us: int = 0
    queue_size: int = 0
    threads: int = 2
    warm_up: Literal["ladder"] | tuple[int, ...] = "ladder"
    response_cache: bool = False
    latest_versions: int = 1
    specific_versions: tuple[int, ...] = ()
    instances: tuple[InstanceGroup, ...] = (InstanceGroup(),)
    memory: MemoryOptions = MemoryOptions()
    tensorrt: TensorRt | None = None
    raw: bool = False
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("max_batch_size", "latest_versions"):
            _require_range(name, getattr(self, name), 1, 2**31)
        _require_range("threads", self.threads, 1, 1025)
        for name in ("queue_delay_us", "queue_timeout_us", "queue_size"):
            _require_range(name, getattr(self, name), 0, 2**31)
        self._require_sizes("preferred_batch_sizes", self.preferred_batch_sizes)
        if self.warm_up != "ladder":
            self._require_sizes("warm_up", self.warm_up)
        _require_numbers("specific_versions", self.specific_versions)
        if min(self.specific_versions, default=1) < 1:
            raise ConfigError(f"specific_versions must be 1 or above, got {list(self.specific_versions)}")
        if self.specific_versions and self.latest_versions != 1:
            raise ConfigError("specific_versions and latest_versions both say what is live; leave one of them out")
        inner_share("tolerance", self.tolerance)
        if not self.instances:
            raise ConfigError("instances must hold one group at least; leave them out for one on any device")
        if self.tensorrt is not None and all(group.kind == "cpu" for group in self.instances):
            raise ConfigError("tensorrt needs instances of kind 'auto' or 'gpu', got 'cpu' alone")

    @property
    def warm_up_sizes(self) -> tuple[int, ...]:
        """Batch sizes to warm up with, ascending."""
        if self.warm_up == "ladder":
            return tuple(sorted({min(size, self.max_batch_size) for size in (*_LADDER, self.max_batch_size)}))
        return tuple(sorted(set(self.warm_up)))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file.

        Raises:
            ConfigError: the file cannot be read, is not TOML, or holds a wrong key or value.
        """
        return load_toml(path, cls, "serving options")

    def _require_sizes(self, name: str, sizes: Sequence[int]) -> None:
        _require_numbers(name, sizes)
        for size in sizes:
            if not 1 <= size <= self.max_batch_size:
                raise ConfigError(f"{name} must be in [1, {self.max_batch_size}] (max_batch_size), got {shown(size)}")
