"""Files of rows as one table, whatever their formats."""

from typing import Any

from polyrank.errors import DataError
from polyrank.reasons import first_line

from .forms import Wanted
from .remote import Location
from .scan import check_present, scan_parts


def read_table(path: Location, wanted: Wanted) -> Any:
    """Read the files that `path` stands for, in the order of their names; folders such as `day=1` add columns.

    Raises:
        DataError: nothing to read, a file is damaged or lacks a column, or the files' columns do not fit together.
    """
    import pyarrow as pa

    tables = [piece.table for piece in scan_parts(path, wanted, whole=True)]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as err:
        raise DataError(f"the files of {path} do not fit together: {first_line(err)}") from err
    if wanted.columns is None:
        return table
    check_present(path, table.column_names, wanted.columns)
    return table.select(wanted.columns)
