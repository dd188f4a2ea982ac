"""What the fuzzers check: an answer that lacks rows is wrong, whatever the rest of it holds."""

from random import Random
from typing import Any

import pytest
from fuzz.table_checks import check_table

from polyrank.table import TableEncoder


def test_lost_rows_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = TableEncoder.encode

    def lose_one(self: TableEncoder, rows: Any) -> Any:
        return tuple(None if array is None else array[:-1] for array in encode(self, rows))

    monkeypatch.setattr(TableEncoder, "encode", lose_one)
    with pytest.raises(AssertionError, match=r" rows for \d+: "):
        list(map(check_table, map(Random, range(100))))
