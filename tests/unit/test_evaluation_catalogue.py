from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.stats import percentileofscore

from polyrank.errors import DataError
from polyrank.evaluation import catalogue as module
from polyrank.evaluation.catalogue import Items, Users, catalogue, gini, popularity
from polyrank.evaluation.findings import Catalogue
from polyrank.halves import columns_of_halves
from polyrank.schema import Schema

RANDOM = np.random.default_rng(8)
TASTES, QUALITIES = RANDOM.normal(size=(13, 2)), RANDOM.normal(size=(25, 2))
COUNTS = RANDOM.integers(1, 9, 25)
USERS = pa.table({"user": np.arange(13), "a": TASTES[:, 0], "b": TASTES[:, 1], "item": np.full(13, -1)})
ITEMS = pa.table({"item": [f"i{number}" for number in range(25)], "c": QUALITIES[:, 0], "d": QUALITIES[:, 1]})


def answer(rows: pa.Table) -> dict[str, NDArray[np.float32]]:
    a, b, c, d = (rows[name].to_numpy() for name in "abcd")
    return {"click": (a * c).astype(np.float32), "like": (b * d).astype(np.float32), "kind": np.zeros((len(a), 3))}


def items(**changes: Any) -> Items:
    given = {"table": ITEMS, "column": "item", "counts": COUNTS, "logged": COUNTS, "of_items": 99} | changes
    return Items(**given)


def found(offered: Items | None = None, *, k: int = 4, weights: dict[str, float] | None = None) -> Catalogue:
    users = Users(table=USERS, column="user")
    return catalogue(answer, users, offered or items(), k=k, weights=weights or {"click": 1.0, "like": 0.5})


def best(k: int = 4) -> list[list[int]]:
    scores = [[taste[0] * own[0] + 0.5 * taste[1] * own[1] for own in QUALITIES] for taste in TASTES]
    return [sorted(range(25), key=lambda item, row=row: -row[item])[:k] for row in scores]  # type: ignore[misc]


def test_coverage_is_the_share_of_items_that_are_recommended() -> None:
    assert found().coverage == len({item for row in best() for item in row}) / 25


def test_coverage_is_possible_up_to_the_number_of_recommendations() -> None:
    assert (found(k=1).possible_coverage, found().possible_coverage) == (13 / 25, 1.0)


def test_top_items_are_those_recommended_to_most_users() -> None:
    shown = [sum(item in row for row in best()) for item in range(25)]
    order = sorted(range(25), key=lambda item: -shown[item])[:10]
    assert found().top_items == tuple((f"i{item}", shown[item] / 13) for item in order)


def test_items_that_nobody_sees_are_no_top_items() -> None:
    shown = {item for row in best(1) for item in row}
    assert len(found(k=1).top_items) == min(len(shown), 10) < 10


def test_popularity_is_the_mean_percentile_of_what_is_recommended() -> None:
    percentiles = [percentileofscore(COUNTS, count, kind="mean") / 100 for count in COUNTS]
    assert found().popularity == pytest.approx(np.mean([percentiles[item] for row in best() for item in row]))


def test_logged_popularity_is_that_of_the_items_of_rows() -> None:
    percentiles = [percentileofscore(COUNTS, count, kind="mean") / 100 for count in COUNTS]
    assert found().logged_popularity == pytest.approx(np.mean(np.repeat(percentiles, COUNTS)))


def test_popularity_by_chance_is_a_half() -> None:
    assert popularity(COUNTS).mean() == pytest.approx(0.5)


def test_gini_is_the_mean_difference_over_twice_the_mean() -> None:
    differences = np.abs(COUNTS[:, None] - COUNTS[None]).mean()
    assert gini(COUNTS) == pytest.approx(differences / (2 * COUNTS.mean()))


def test_gini_of_equal_counts_is_zero() -> None:
    assert gini(np.full(7, 3)) == 0.0


def test_gini_of_recommendations_is_over_all_items() -> None:
    shown = np.bincount([item for row in best() for item in row], minlength=25)
    assert found().gini == pytest.approx(gini(shown))


@pytest.mark.parametrize("k", [1, 3])
def test_possible_gini_is_that_of_an_even_spread(k: int) -> None:
    times, rest = divmod(13 * k, 25)
    assert found(k=k).possible_gini == pytest.approx(gini(np.repeat([times, times + 1], [25 - rest, rest])))


def test_earlier_items_are_recommended_of_equal_ones() -> None:
    assert found(weights={"click": 0.0}, k=3).top_items == (("i0", 1.0), ("i1", 1.0), ("i2", 1.0))


def test_more_items_than_there_are_recommend_all() -> None:
    assert (found(k=99).k, found(k=99).coverage, found(k=99).gini) == (25, 1.0, 0.0)


@pytest.mark.parametrize("limit", [7, 25, 60])
def test_calls_of_few_rows_change_nothing(monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    whole = found()
    monkeypatch.setattr(module, "ROWS_PER_CALL", limit)
    assert found() == whole


def test_calls_have_at_most_so_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def counted(rows: pa.Table) -> dict[str, NDArray[np.float32]]:
        sizes.append(rows.num_rows)
        return answer(rows)

    monkeypatch.setattr(module, "ROWS_PER_CALL", 60)
    catalogue(counted, Users(table=USERS, column="user"), items(), k=2, weights={"click": 1.0})
    assert sizes == [50] * 6 + [25]


def test_progress_ends_with_every_pair() -> None:
    told: list[tuple[int, int | None]] = []
    users = Users(table=USERS, column="user")
    catalogue(answer, users, items(), k=2, weights={"click": 1.0}, progress=lambda *now: told.append(now))
    assert told[-1] == (13 * 25, 13 * 25)


def test_items_without_a_row_are_refused() -> None:
    with pytest.raises(DataError, match=r"^no evaluated row has one of the 25 items; draw items from these rows$"):
        found(items(logged=np.zeros(25, np.int64)))


def test_no_item_is_refused() -> None:
    empty = items(table=ITEMS.slice(0, 0), counts=COUNTS[:0], logged=COUNTS[:0])
    with pytest.raises(DataError, match=r"^the rows name no item; choose another column of items$"):
        found(empty)


def test_no_user_is_refused() -> None:
    users = Users(table=USERS.slice(0, 0), column="user")
    with pytest.raises(DataError, match=r"^the rows name no user; choose another column of users$"):
        catalogue(answer, users, items(), k=2, weights={"click": 1.0})


def test_columns_of_crosses_are_of_the_halves_of_their_parts() -> None:
    schema = Schema.from_toml("""
name = "halves"
features = [
  { name = "both", kind = "cross", features = ["user", "item"], num_buckets = 9 },
  { name = "user", kind = "categorical", dtype = "int64", num_buckets = 9, side = "user" },
  { name = "hour", kind = "categorical", dtype = "int64", num_buckets = 9 },
  { name = "item", kind = "categorical", dtype = "int64", num_buckets = 9, side = "item" },
]
tasks = [{ name = "click", kind = "binary", label = "c" }]
""")
    assert columns_of_halves(schema) == (("user", "hour"), ("item",))
