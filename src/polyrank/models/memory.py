"""Memory of a model: what it takes, what is free, and a refusal before the system ends the process."""

from pathlib import Path

from torch import nn

from polyrank.errors import ConfigError, SchemaError
from polyrank.features import HashedFeature
from polyrank.room import shown_bytes
from polyrank.schema import Schema

FLOAT_BYTES = 4
LARGEST, MANY = 3, 20
"""So many tables are named in a refusal, each of which takes at least one in so many of all bytes."""

_MACHINE = Path("/proc/meminfo")
_CONTAINER = Path("/sys/fs/cgroup")


def require_memory(schema: Schema, what: str, *, copies: int, row_numbers: int = 0, advice: str = "") -> None:
    """Refuse embedding tables that do not fit into the memory that is free; where that is not known, nothing.

    Args:
        schema: resolved.
        what: needs the memory, as the message begins.
        copies: float32 numbers for each weight.
        row_numbers: float32 numbers for each row on top.
        advice: what else to do, at the end of the message.

    Raises:
        SchemaError: they take more; names the largest tables.
    """
    tables = {
        feature: (feature.num_buckets + 1) * (copies * feature.embedding_dim + row_numbers) * FLOAT_BYTES
        for feature in schema.hashed_features
        if feature.table == feature.name and feature.num_buckets is not None and feature.embedding_dim is not None
    }
    total, free = sum(tables.values()), available_bytes()
    if free is None or total <= free:
        return
    large = [feature for feature in tables if tables[feature] >= total / MANY]
    largest = sorted(large, key=lambda feature: -tables[feature])[:LARGEST]
    named = "; ".join(f"{feature.name!r} {shown_bytes(tables[feature])} ({_size(feature)})" for feature in largest)
    raise SchemaError(
        f"{what} needs {shown_bytes(total)} for embedding tables, and {shown_bytes(free)} are free: {named}; "
        f"lower num_buckets or embedding_dim{advice}"
    )


def require_layer_memory(layers: nn.Module, what: str, *, copies: int = 1) -> None:
    """Refuse layers that do not fit into the memory that is free; where that is not known, nothing.

    Args:
        layers: may be on the device `meta`, where they take none.
        what: needs the memory, as the message begins.
        copies: numbers for each weight.

    Raises:
        ConfigError: they take more; names the largest weight.
    """
    weights = dict(layers.named_parameters())
    total, free = copies * sum(weight.nbytes for weight in weights.values()), available_bytes()
    if free is None or total <= free:
        return
    largest = max(weights, key=lambda name: weights[name].nbytes)
    raise ConfigError(
        f"{what} needs {shown_bytes(total)} for layers, and {shown_bytes(free)} are free: the largest is {largest} of "
        f"shape {tuple(weights[largest].shape)}; lower the widths or the counts of $.model"
    )


def available_bytes() -> int | None:
    """Return what this process can still allocate on its machine and in its container; None where neither says."""
    found = [free for free in (_free_of_machine(), _free_of_container()) if free is not None]
    return min(found, default=None)


def _free_of_machine() -> int | None:
    try:
        lines = (line.split() for line in _MACHINE.read_text(encoding="ascii").splitlines())
        kibibytes = {line[0]: int(line[1]) for line in lines if line[0] in ("MemAvailable:", "SwapFree:")}
    except (OSError, ValueError, IndexError):
        return None
    return sum(kibibytes.values()) * 1024 if "MemAvailable:" in kibibytes else None


def _free_of_container() -> int | None:
    """Return what the limit of a control group leaves; files that it could drop from memory count as free."""
    try:
        limit, used = (
            int((_CONTAINER / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current")
        )
        statistics = dict(
            line.split() for line in (_CONTAINER / "memory.stat").read_text(encoding="ascii").splitlines()
        )
        return max(0, limit - used + int(statistics["inactive_file"]))
    except (OSError, ValueError, KeyError):  # no such group, or "max"
        return None


def _size(feature: HashedFeature) -> str:
    return f"num_buckets = {feature.num_buckets:,}, embedding_dim = {feature.embedding_dim}"
