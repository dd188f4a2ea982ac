"""Tables that contradict themselves where a reader can see it: structs of hostile columns and lists, and streams."""

import struct
from collections.abc import Sequence
from random import Random
from typing import Any

from fuzz.hostile_arrays import ODD, ROWS, hostile_array
from reference.arrow_c_streams import HandMadeStream
from reference.arrow_c_structs import HandMadeArray

Kind = tuple[bytes, bytes]
"""Of a column: a list's format, or b"", then the format of its values."""

VALUES = (b"u", b"z", b"U", b"vu", b"l")
LISTS = (b"+l", b"+L", b"+vl", b"+vL", b"+w:2", b"")


def hostile_table(source: Random, names: Sequence[bytes]) -> HandMadeArray | HandMadeStream:
    """Return a table of at most `ROWS` rows with columns of `names`, as one array or as a stream of several."""
    kinds = [(source.choice(LISTS), source.choice(VALUES)) for _ in names]
    if source.random() < 0.7:
        return _table(source, names, kinds)
    errors = {source.randrange(4): 5} if source.random() < 0.1 else {}
    return HandMadeStream([_table(source, names, kinds) for _ in range(source.randrange(1, 4))], errors)


def _table(source: Random, names: Sequence[bytes], kinds: Sequence[Kind]) -> HandMadeArray:
    columns: list[HandMadeArray | None] = [_column(source, *kind) for kind in kinds]
    titles: list[bytes | None] = list(names)
    fields: dict[str, Any] = {}
    counts: dict[str, int] = {}
    buffers: list[bytes | None] = [None]
    length, kind = source.randrange(ROWS + 1), b"+s"
    for _ in range(source.choice([0, 0, 0, 1, 2])):
        match source.randrange(8):
            case 0:
                length = source.choice([value for value in ODD if value <= ROWS or value == 2**63 - 1])
            case 1:
                fields["offset"] = source.choice(ODD)
            case 2:
                fields["n_buffers"] = source.choice([value for value in ODD if value <= 1])
            case 3:
                buffers = [source.randbytes(1)]
            case 4:
                titles[source.randrange(len(titles))] = source.choice([None, b"", b"\xff", *names])
            case 5:
                columns[source.randrange(len(columns))] = None
            case 6:
                counts[source.choice(["schema", "array"])] = source.choice([-(2**63), -1, 0, 1, len(columns)])
            case _:
                kind = source.choice([b"+s", b"+l", b"", b"n", b"+us:0,1"])
    table = HandMadeArray(kind, length, buffers, **fields)
    table.set_children(columns, titles, **counts)
    if source.random() < 0.03:
        source.choice([table.schema, table.array]).children = None
    return table


def _column(source: Random, kind: bytes, values: bytes) -> HandMadeArray:
    child = hostile_array(source, values)
    if not kind:
        return child
    fields: dict[str, Any] = {"null_count": source.choice([-1, -1, 0, 1, 2**40])}
    buffers = _list_buffers(source, kind)
    if source.random() < 0.05:
        buffers[source.randrange(len(buffers))] = None
    if source.random() < 0.05:
        fields["n_buffers"] = source.choice([value for value in ODD if value <= len(buffers)])
    shift = source.choice([0] * 20 + [1, 4])
    lists = HandMadeArray(kind, source.choice([ROWS, ROWS, 3, 0]), buffers, shift=shift, **fields)
    counts = {"array": source.choice([0, 1, -1])} if source.random() < 0.05 else {}
    lists.set_children([None if source.random() < 0.02 else child], [b"item"], **counts)
    return lists


def _list_buffers(source: Random, kind: bytes) -> list[bytes | None]:
    is_large = kind.endswith(b"L")
    width = "q" if is_large else "i"
    buffers: list[bytes | None] = [source.choice([None, source.randbytes(1)])]
    ends = sorted(source.randrange(ROWS + 1) for _ in range(ROWS + 1))
    if source.random() < 0.2:
        ends[source.randrange(ROWS + 1)] = source.choice([value for value in ODD if is_large or abs(value) < 2**31])
    if b"w" not in kind:
        buffers.append(struct.pack(f"<{ROWS + 1}{width}", *ends))
    if b"v" in kind:
        sizes = [source.choice([0, 1, 2, ROWS, -1]) if source.random() < 0.3 else 1 for _ in range(ROWS)]
        buffers.append(struct.pack(f"<{ROWS}{width}", *sizes))
    return buffers
