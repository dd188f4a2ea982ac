"""Arrow IPC files, as Feather 2 is too: memory-mapped, so that what is not compressed is not copied."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

_FILE_MAGIC = b"ARROW1"


def read_arrow_file(file: Path, columns: Sequence[str] | None) -> Any:
    """Read a file or a stream of record batches, and check that the columns are what they claim to be.

    Columns that are not in `columns` are left alone.
    """
    import pyarrow as pa

    with pa.memory_map(str(file)) as source:
        is_file = source.read(len(_FILE_MAGIC)) == _FILE_MAGIC
        source.seek(0)
        with pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source) as reader:
            table = reader.read_all()
    if columns is not None:
        table = table.select([index for index, name in enumerate(table.column_names) if name in columns])
    table.validate(full=True)
    return table
