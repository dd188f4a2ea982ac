"""A checkpoint on disk: one file in the format of safetensors, with JSON beside the tensors, that appears whole or not.

A file is written tensor by tensor, so that it takes no memory. Its first tensor is a checksum of all the others and of
the JSON, since safetensors has none.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from polyrank.errors import DataError
from polyrank.staging import staged_file

_CHECKSUM = "checksum"
_DTYPES = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_ALIGNMENT = 8


class Checkpoint(NamedTuple):
    """What a training goes on from: tensors by name, and values of JSON."""

    tensors: dict[str, Tensor]
    values: dict[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a file in the place of the last one, which stays whole until then, and flush it to disk.

    Raises:
        OutputError: it cannot be written.
    """
    text = json.dumps(checkpoint.values)
    # The largest numbers first, so that each tensor lies at a multiple of its size.
    ordered = sorted(checkpoint.tensors.items(), key=lambda item: -item[1].element_size())
    tensors = {name: tensor.detach().contiguous() for name, tensor in ordered}
    with staged_file(path) as file, file.open("wb") as sink:
        sink.write(_header(tensors, text))
        sink.write(_checksum(tensors, text).to_bytes(_ALIGNMENT, "little"))
        for tensor in tensors.values():
            sink.write(_bytes(tensor))


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a file; its tensors are mapped, and come into memory as they are looked at.

    Raises:
        DataError: it cannot be read, or is not what was written.
    """
    try:
        with safe_open(path, "pt") as file:
            text = file.metadata()["polyrank"]
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
        written = int(tensors.pop(_CHECKSUM))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as err:
        raise _damaged(path, str(err)) from err
    if _checksum(tensors, text) != written:
        raise _damaged(path, "its checksum does not match")
    return Checkpoint(tensors, json.loads(text))


def read_values(path: Path) -> dict[str, Any]:
    """Read the values of a file alone, quickly, and without a look at its checksum.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            values: dict[str, Any] = json.loads(file.metadata()["polyrank"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RecursionError) as err:
        raise _damaged(path, str(err)) from err
    return values


def _header(tensors: Mapping[str, Tensor], text: str) -> bytes:
    described: dict[str, Any] = {"__metadata__": {"polyrank": text}}
    described[_CHECKSUM] = {"dtype": "I64", "shape": [], "data_offsets": [0, _ALIGNMENT]}
    start = _ALIGNMENT
    for name, tensor in tensors.items():
        offsets = [start, start + tensor.nbytes]
        described[name] = {"dtype": _DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": offsets}
        start = offsets[1]
    header = json.dumps(described).encode()
    header += b" " * (-len(header) % _ALIGNMENT)
    return struct.pack("<Q", len(header)) + header


def _checksum(tensors: Mapping[str, Tensor], text: str) -> int:
    total = zlib.crc32(text.encode())
    for name in sorted(tensors):
        total = zlib.crc32(_bytes(tensors[name]), zlib.crc32(name.encode(), total))
    return total


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.reshape(-1).view(torch.uint8).numpy().data


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(
        f"checkpoint {path} is damaged: {' '.join(reason.split())}; remove it, and train from the first step"
    )
