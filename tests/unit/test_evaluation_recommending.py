"""Who is recommended what: users of the evaluated rows, items of all rows, some of many."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from artefacts.evaluated import CLICK, WATCH, Formula, answers_of, few, schema_of, table_of, written
from numpy.typing import NDArray

from polyrank.evaluation import recommending
from polyrank.evaluation.evaluating import evaluate_files
from polyrank.evaluation.findings import Catalogue
from polyrank.metrics.comparison import Answers
from polyrank.schema import Schema

SCHEMA = schema_of(CLICK, WATCH)
TABLE = table_of(300)
USERS = set(TABLE["user"].to_pylist()) - {None}


def recommended(
    folder: Path, table: pa.Table = TABLE, *, marks: NDArray[np.bool_] | None = None, **options: Any
) -> tuple[Catalogue | None, pa.Table]:
    """Return what is found, and the rows that the model was asked in order to find it."""
    asked: list[pa.Table] = []

    def answer(schema: Schema, rows: pa.Table) -> Answers:
        if "c" not in rows.column_names:  # pairs have no label
            asked.append(rows)
        return answers_of(schema, rows)

    given = few(**({"importance_rows": 0, "catalogue_users": 100, "k": 3} | options))
    found = evaluate_files(Formula(SCHEMA, answer), written(folder, table), given, evaluated=marks).catalogue
    return found, pa.concat_tables(asked) if asked else pa.table({})


def test_every_user_meets_every_item(tmp_path: Path) -> None:
    found, pairs = recommended(tmp_path)
    assert found is not None
    assert (found.user, found.item, found.users, found.items) == ("user", "item", len(USERS), 20)
    seen = set(zip(pairs["user"].to_pylist(), pairs["item"].to_pylist(), strict=True))
    assert seen == {(user, f"i{item}") for user in USERS for item in range(20)}


def test_pairs_have_the_last_features_of_both(tmp_path: Path) -> None:
    _, pairs = recommended(tmp_path)
    rows = TABLE.to_pylist()
    prices = {row["item"]: row["price"] for row in rows}
    hours = {row["user"]: row["hour"] for row in rows}
    assert pairs["price"].to_pylist() == [prices[item] for item in pairs["item"].to_pylist()]
    assert pairs["hour"].to_pylist() == [hours[user] for user in pairs["user"].to_pylist()]


def test_users_are_those_of_the_evaluated_rows(tmp_path: Path) -> None:
    marks = np.arange(300) < 30
    found, pairs = recommended(tmp_path, marks=marks)
    assert found is not None
    assert set(pairs["user"].to_pylist()) == set(TABLE["user"].slice(0, 30).to_pylist()) - {None}
    assert found.items == 20


def test_popularity_of_logs_is_that_of_the_evaluated_rows(tmp_path: Path) -> None:
    items = TABLE["item"].to_pylist()
    counts = {item: items.count(item) for item in items}
    lower = {
        item: np.mean([(other < count) + (other == count) / 2 for other in counts.values()])
        for item, count in counts.items()
    }
    found, _ = recommended(tmp_path, marks=np.arange(300) < 30)
    assert found is not None
    assert found.logged_popularity == pytest.approx(np.mean([lower[item] for item in items[:30]]))


def test_some_of_many_items_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommending, "MAX_ITEMS", 7)
    found, pairs = recommended(tmp_path)
    assert found is not None
    assert (found.items, found.of_items, len(set(pairs["item"].to_pylist()))) == (7, 20, 7)


def test_many_items_leave_fewer_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommending, "MAX_PAIRS", 300)
    found, _ = recommended(tmp_path)
    assert found is not None
    assert found.users == 15


def test_a_few_users_are_always_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recommending, "MAX_PAIRS", 1)
    found, _ = recommended(tmp_path)
    assert found is not None
    assert found.users == recommending.MIN_USERS


def test_seed_draws_users_and_items(tmp_path: Path) -> None:
    drawn = []
    for number, seed in enumerate((0, 0, 1)):
        folder = tmp_path / str(number)
        folder.mkdir()
        drawn.append(recommended(folder, catalogue_users=5, seed=seed)[1]["user"].to_pylist())
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_weights_decide_what_is_recommended(tmp_path: Path) -> None:
    found, _ = recommended(tmp_path, weights={"watch": -1.0})
    assert found is not None
    assert found.weights == {"click": 0.0, "watch": -1.0}


def test_no_more_items_than_are_recommended_give_nothing(tmp_path: Path) -> None:
    found, pairs = recommended(tmp_path, k=20)
    assert (found, len(pairs)) == (None, 0)


def test_evaluated_rows_without_an_item_give_nothing(tmp_path: Path) -> None:
    items = pa.array([None] * 30 + TABLE["item"].to_pylist()[30:])
    table = TABLE.set_column(TABLE.column_names.index("item"), "item", items)
    found, _ = recommended(tmp_path, table, marks=np.arange(300) < 30)
    assert found is None


def test_evaluated_rows_without_a_user_give_nothing(tmp_path: Path) -> None:
    users = pa.array([None] * 30 + TABLE["user"].to_pylist()[30:])
    table = TABLE.set_column(TABLE.column_names.index("user"), "user", users)
    found, _ = recommended(tmp_path, table, marks=np.arange(300) < 30)
    assert found is None
