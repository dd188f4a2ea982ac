"""Which parts of the rows are measured by themselves."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.features import CategoricalFeature

from .collecting import LastRows
from .findings import Slice
from .keys import Keys
from .options import EvaluationOptions
from .parts import Parts, parts_of_column, parts_of_numbers
from .reading import ReadRows
from .slices import Measured, judged, sliced, wholes

KNOWN, NEW = "known", "new"


def slices(read: ReadRows, keys: Keys, options: EvaluationOptions) -> tuple[Slice, ...]:
    """Measure parts: new users and items, those of few rows and of many, and the values of columns."""
    threads = options.bootstrap().threads
    several = (parts for parts in _parts(read, keys) if len(parts.names) > 1)
    whole = wholes(read.answered)
    found: list[Measured] = []
    with ThreadPoolExecutor(threads, "polyrank-slice") as pool:
        while some := list(itertools.islice(several, threads)):  # each is as long as there are rows
            found += pool.map(lambda parts: sliced(read.answered, parts, whole, options.level), some)
    return judged(found, options.level)


def _parts(read: ReadRows, keys: Keys) -> Iterator[Parts]:
    sides = {
        keys.user: (read.users, read.known_users, read.last_users),
        keys.item: (read.items, read.known_items, read.last_items),
    }
    for name, (values, known, last) in sides.items():
        if name is None or values is None or last is None:
            continue
        if known is not None:
            yield _novelty(name, values, known)
        yield _activity(name, values, last)
    features = read.answered.schema.features
    missing = {each.name: each.missing for each in features if isinstance(each, CategoricalFeature)}
    for name, column in read.columns.items():
        yield parts_of_column(name, column, is_categorical=name in missing, missing=missing.get(name, ()))


def _novelty(name: str, values: NDArray[np.int64], known: NDArray[np.int64]) -> Parts:
    """Part rows by whether training knew their value; a missing value is in neither part."""
    codes = np.where(np.isin(values, known), 0, 1)
    codes[values < 0] = -1
    names = tuple(part for place, part in enumerate((KNOWN, NEW)) if (codes == place).any())
    return Parts(f"is {name} new", "novelty", names, codes if len(names) > 1 else np.minimum(codes, 0))


def _activity(name: str, values: NDArray[np.int64], last: LastRows) -> Parts:
    """Part rows by how many rows have the same value."""
    places = last.places(values)
    counts = np.append(last.counts.astype(np.float64), np.nan)[places]
    return parts_of_numbers(f"rows of {name}", "activity", pa.chunked_array([counts]))
