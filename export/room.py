"""Room on the disk, before minutes are spent on an export that would not fit."""

import logging
from pathlib import Path

from torch import nn

from polyrank.room import require_disk, shown_bytes

from .graphs import MAX_SIZE_BYTES

_log = logging.getLogger(__name__)


def require_room(model: nn.Module, out: Path, *, graphs: int) -> None:
    """Refuse a bundle that does not fit beside what is on the disk; say when weights will lie beside a graph.

    Raises:
        OutputError: the graphs take more than is free.
    """
    size = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    require_disk(out, size * graphs, f"{graphs} graph(s)")
    if size > MAX_SIZE_BYTES:
        _log.info("weights of %s are written beside the graph, to model.onnx.data", shown_bytes(size))
