"""What the two sets of census questionnaires share: spaces after commas, `?` for missing, two files."""

from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import DataError
from polyrank.reasons import first_line

from .delimited import AGAIN, Format, read_delimited

if TYPE_CHECKING:
    import pyarrow as pa

ABOVE = ("50000+", ">50K")
BELOW = ("- 50000", "<=50K")


def read_people(folder: Path, stem: str, types: "dict[str, pa.DataType]", *, home: str) -> "pa.Table":
    """Read `stem.data` and `stem.test`, or the one that is there, plain or `.gz`.

    Args:
        folder: where they are.
        stem: of the files' names.
        types: Arrow type by column, in the order of the files; the last one is the income class, `income`.
        home: where people get the files.

    Returns:
        The rows of both files, text without spaces around it, null where a field is `?`; `income_above_50k` in place
        of `income`; and `part`, the file's ending: `data` or `test`.

    Raises:
        DataError: neither file is there, or one is damaged; the message names file and row.
    """
    import pyarrow as pa

    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"{folder} {state}; give the folder of the files of {home}")
    found = [(part, file) for part in ("data", "test") if (file := _present(folder, f"{stem}.{part}")) is not None]
    if not found:
        raise DataError(f"{folder} holds neither {stem}.data nor {stem}.test, plain or .gz; download them from {home}")
    return pa.concat_tables([_read_part(file, types, part) for part, file in found])


def equals(column: "pa.ChunkedArray", value: str) -> "pa.ChunkedArray":
    """Return int8 labels: 1 where `column` is `value`, 0 elsewhere, null where it is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.equal(column, value).cast(pa.int8())


def _present(folder: Path, name: str) -> Path | None:
    files = (folder / name, folder / f"{name}.gz")
    return next((file for file in files if file.is_file()), None)


def _read_part(file: Path, types: "dict[str, pa.DataType]", part: str) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    comments = _comments(file)
    table = read_delimited(file, types, Format(delimiter=",", missing=(" ?", "?"), skip_rows=comments))
    for index, name in enumerate(table.column_names):
        if pa.types.is_string(table.schema.types[index]):
            table = table.set_column(index, name, pc.utf8_trim_whitespace(table[name]))
    income = _income_above_50k(table["income"], file, comments)
    table = table.drop_columns(["income"]).append_column("income_above_50k", income)
    return table.append_column("part", pa.repeat(pa.scalar(part), len(table)))


def _comments(file: Path) -> int:
    """Return how many rows at the start are comments: `adult.test` has one, `|1x3 Cross validator`."""
    import pyarrow as pa

    try:
        with pa.input_stream(str(file)) as stream:
            return int(stream.read(1) == b"|")
    except OSError as err:
        raise DataError(f"{file} cannot be read: {first_line(err).lower()}; {AGAIN}") from err


def _income_above_50k(income: "pa.ChunkedArray", file: Path, comments: int) -> "pa.ChunkedArray":
    """Read `50000+.`, `- 50000.`, `>50K` and `<=50K.`, with or without the dot."""
    import pyarrow as pa
    import pyarrow.compute as pc

    income = pc.utf8_rtrim(income, ".")
    above, below = (pc.is_in(income, value_set=pa.array(values)) for values in (ABOVE, BELOW))
    row = pc.index(pc.or_(above, below), pa.scalar(value=False)).as_py()
    if row >= 0:
        shown = income[row].as_py() or "?"
        raise DataError(
            f"{file}: row {row + 1 + comments}: income {shown!r} is none of {', '.join(ABOVE + BELOW)}; {AGAIN}"
        )
    return above.cast(pa.int8())
