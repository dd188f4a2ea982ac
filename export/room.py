"""Room on the disk, before minutes are spent on an export that would not fit."""

import logging
import shutil
from pathlib import Path

from torch import nn

from polyrank.errors import OutputError

from .graphs import MAX_SIZE_BYTES

GIB = 2**30

_log = logging.getLogger(__name__)


def require_room(model: nn.Module, out: Path, *, graphs: int) -> None:
    """Refuse a bundle that does not fit beside what is on the disk; say when weights will lie beside a graph.

    Raises:
        OutputError: the graphs take more than is free.
    """
    size = sum(value.numel() * value.element_size() for value in model.state_dict().values())
    folder = next(place for place in (out.absolute(), *out.absolute().parents) if place.exists())
    free = shutil.disk_usage(folder).free
    if size * graphs > free:
        raise OutputError(
            f"cannot write {out}: {graphs} graph(s) take {size * graphs / GIB:,.1f} GiB, and {free / GIB:,.1f} GiB are "
            f"free; choose another output directory or free space there"
        )
    if size > MAX_SIZE_BYTES:
        _log.info("weights of %.1f GiB are written beside the graph, to model.onnx.data", size / GIB)
