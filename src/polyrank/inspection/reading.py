"""All columns of the data at once, in one pass."""

import dataclasses
from typing import Any

from polyrank.files import Location, Wanted, scan

from .columns import columns_in
from .profiles import Profile
from .sampling import Sample


def read_profiles(path: Location, wanted: Wanted, sample: Sample, progress: Any) -> tuple[dict[str, Profile], int]:
    """Return a profile for each column of the data, and how many rows there are; draw `sample` from them.

    Raises:
        DataError: the data cannot be read, hold a column twice, or hold no row.
    """
    import pyarrow as pa

    columns = columns_in(path, wanted)
    joined, lacking, rows = columns.joined(), columns.lacking, 0
    profiles = {field.name: Profile(field.name, field.type) for field in joined}
    for name, file in lacking.items():
        profiles[name].refused = f"{file} lacks it"
    kept = [name for name in joined.names if name not in lacking]
    schema = pa.schema([joined.field(name) for name in kept])
    for piece in scan(path, dataclasses.replace(wanted, columns=kept)):
        table = piece.table.cast(schema, safe=False)
        for name in kept:
            profiles[name].add(table.column(name))
        sample.add(table)
        rows += table.num_rows
        progress(rows, None)
    return profiles, rows
