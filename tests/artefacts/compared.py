"""Two small data sets, compared: features to choose from, and what was found."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.drift import Drift, DriftOptions, Result, compare

from .runs import make_schema_of

CLICK = '{ name = "click", kind = "binary", label = "is_click" }'
GENRE = '{ name = "genre", kind = "multiclass", label = "genre", num_classes = 3 }'
WORD = '{ name = "word", kind = "categorical", dtype = "text", num_buckets = 7 }'
ITEM = '{ name = "item", kind = "categorical", dtype = "int64", num_buckets = 50 }'
IDENTITY = '{ name = "item", kind = "categorical", identity = true, num_buckets = 10 }'
TAGS = '{ name = "tags", kind = "bag", dtype = "text", max_length = 3, num_buckets = 11 }'
SPLIT = '{ name = "tags", kind = "bag", dtype = "text", max_length = 3, num_buckets = 11, separator = "," }'
WEIGHTED = '{ name = "tags", kind = "bag", dtype = "text", max_length = 3, num_buckets = 11, weights = "shares" }'
SEEN = '{ name = "seen", kind = "sequence", max_length = 2, dtype = "int64", num_buckets = 9 }'
TITLE = '{ name = "title", kind = "text", sizes = [1], max_length = 4, num_buckets = 40 }'
CROSS = '{ name = "both", kind = "cross", features = ["word", "item"], num_buckets = 90 }'
AGE = '{ name = "age", kind = "numeric" }'
BUCKET = '{ name = "age", kind = "bucketized", boundaries = [3.0, 5.0] }'
PLACE = '{ name = "place", kind = "vector", dim = 2 }'

Columns = Mapping[str, Any]


class Compared:
    """Writes two tables into a folder, and compares them."""

    def __init__(self, folder: Path) -> None:
        self.reference, self.current = folder / "reference.parquet", folder / "current.parquet"

    def __call__(
        self, features: Sequence[str], reference: Any, current: Any, tasks: Sequence[str] = (CLICK,), **options: Any
    ) -> Result:
        pq.write_table(pa.table(reference), self.reference)
        pq.write_table(pa.table(current), self.current)
        return compare(make_schema_of(*features, tasks=tasks), self.reference, self.current, DriftOptions(**options))


def only(result: Result) -> Drift:
    (drift,) = result.drifts
    return drift


def values(drift: Drift) -> dict[str, float]:
    return {measure.name: measure.value for measure in drift.measures}


def cycle(items: Sequence[Any], count: int = 600) -> list[Any]:
    return [items[index % len(items)] for index in range(count)]
