"""Impressions by list become rows again, however long lists and values are."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrank.impressions import lists
from polyrank.impressions.lists import nested, num_rows, unnested, unnested_schema


def batches(counts: Sequence[int], text: str = "u") -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """Lists, each with its number and a history; and the items that they have."""
    total = sum(counts)
    common = pa.RecordBatch.from_pydict(
        {
            "request_id": pa.array([f"r{number}" for number in range(len(counts))], pa.string()),
            "history": pa.array([[number] * number or None for number in range(len(counts))], pa.list_(pa.int64())),
            "user_id": pa.array([text] * len(counts), pa.string()),
        }
    )
    items = pa.RecordBatch.from_pydict(
        {"item": pa.array(range(total), pa.int64()), "rank": pa.array([1] * total, pa.int32())}
    )
    return common, items


def rows_of(counts: Sequence[int]) -> list[dict[str, object]]:
    owners = np.repeat(np.arange(len(counts)), counts).tolist()
    return [
        {"request_id": f"r{list_}", "rank": 1, "history": [list_] * list_ or None, "user_id": "u", "item": number}
        for number, list_ in enumerate(owners)
    ]


@given(st.lists(st.integers(0, 5), max_size=6))
def test_lists_become_their_rows(counts: list[int]) -> None:
    batch = nested(*batches(counts), np.array(counts, np.int64))
    (found,) = unnested(batch)
    assert (batch.num_rows, num_rows(batch)) == (len(counts), sum(counts))
    assert found.to_pylist() == rows_of(counts)
    assert found.schema.names == ["request_id", "rank", "history", "user_id", "item"]
    assert unnested_schema(batch.schema) == found.schema


def test_slice_of_lists_becomes_its_rows() -> None:
    counts = [2, 0, 3, 1]
    batch = nested(*batches(counts), np.array(counts)).slice(1, 2)
    (found,) = unnested(batch)
    assert (found.to_pylist(), num_rows(batch)) == (rows_of(counts)[2:5], 3)


def test_rows_without_lists_stay_as_they_are() -> None:
    _, rows = batches([3])
    assert [*unnested(rows)] == [rows]
    assert num_rows(rows) == 3


def test_long_list_of_a_long_row_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_BYTES_AT_ONCE", 100_000)
    common, items = batches([1000], text="x" * 10_000)
    found = [*unnested(nested(common, items, np.array([1000])))]
    assert max(piece.nbytes for piece in found) < 120_000
    assert pa.Table.from_batches(found).column("item").to_pylist() == [*range(1000)]
