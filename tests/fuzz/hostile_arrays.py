"""Arrow structs that contradict themselves in ways that a reader can see.

The C data interface tells no buffer's size, so no reader can know that a length or a last offset goes too far. All else
may be wrong here: signs, orders, counts, alignments, null pointers, formats, indices.
"""

import struct
from collections.abc import Sequence
from random import Random
from typing import Any

from reference.arrow_c_structs import HandMadeArray

ROWS = 6
ODD = (-(2**63), -(2**31), -2, -1, 0, 1, 2, 3, 5, 2**31, 2**63 - 1)


def hostile_array(source: Random, kind: bytes | None = None) -> HandMadeArray:
    """Return an array of `ROWS` rows at most, of format `kind` if given, with up to three things wrong, or none."""
    kind = kind or source.choice([b"u", b"z", b"U", b"Z", b"vu", b"vz", b"l"])
    buffers = _buffers(kind, source)
    fields: dict[str, Any] = {"null_count": source.choice([-1, 0])}
    shift = 0
    for _ in range(source.randrange(4)):
        match source.randrange(7):
            case 0:
                fields["length"] = source.choice([value for value in ODD if value <= ROWS])
            case 1:
                fields["offset"] = source.choice([value for value in ODD if value <= 0 or value == 2**63 - 1])
            case 2:
                fields["null_count"] = source.choice(ODD)
            case 3:
                fields["n_buffers"] = source.choice([value for value in ODD if value <= len(buffers)])
            case 4:
                buffers[source.randrange(len(buffers))] = None
            case 5:
                shift = source.randrange(8)
            case _:
                kind = source.choice([b"", b"n", b"vx", b"w:-1", b"w:0", b"tdD", b"+s", b"\xff\xff", b"u" * 50])
    return HandMadeArray(kind, fields.pop("length", ROWS), buffers, shift=shift, **fields)


def _buffers(kind: bytes, source: Random) -> list[bytes | None]:
    bitmap = source.choice([None, source.randbytes(1)])
    data = source.randbytes(40)
    if kind == b"l":
        return [bitmap, source.randbytes(8 * ROWS)]
    if kind.startswith(b"v"):
        views = b"".join(_view(source) for _ in range(ROWS))
        return [bitmap, views, data, struct.pack("<q", source.choice([40, 40, 0, -1]))]
    offsets = _offsets(source)
    return [bitmap, struct.pack(f"<{ROWS + 1}{'i' if kind in b'uz' else 'q'}", *offsets), data]


def _offsets(source: Random) -> Sequence[int]:
    offsets = [source.randrange(41) for _ in range(ROWS + 1)]
    if source.random() < 0.7:
        offsets.sort()
    if source.random() < 0.1:
        offsets[source.randrange(ROWS)] = source.choice([-1, -(2**31)])
    return offsets


def _view(source: Random) -> bytes:
    if source.random() < 0.6:
        return struct.pack("<i12s", source.randrange(13), source.randbytes(12))
    length, at = source.choice([13, 20, 40, -1, 2**31 - 1]), source.choice([0, 0, 5, 30, -1, 2**31 - 1])
    return struct.pack("<i4sii", length, b"", source.choice([0, 0, 0, 1, -1, 2**31 - 1]), at)
