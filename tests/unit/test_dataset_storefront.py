from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn.metrics import roc_auc_score

from polyrank.errors import ConfigError
from polyrank.schema import Schema
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text
from polyrank.train.datasets.storefront.history import HISTORY, ClickHistory
from polyrank.train.validation import describe

ROWS = 60_000


@pytest.fixture(scope="module")
def logs() -> pa.Table:
    return storefront.simulate(ROWS, users=200, items=2_000, seed=7)


def numbers(logs: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values: np.ndarray[tuple[int], np.dtype[np.float64]] = logs[name].to_numpy().astype(np.float64)
    return values


def history_by_hand(rows: list[tuple[int, int, int, bool]]) -> list[list[int]]:
    """Walk the rows (user, time, item, click): what each user clicked at earlier times, newest first."""
    return [
        [item for other, before, item, click in rows if click and other == user and before < time][::-1][:HISTORY]
        for user, time, _, _ in rows
    ]


def test_seed_decides_every_row() -> None:
    one, same, other = (storefront.simulate(500, seed=seed) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)


@pytest.mark.parametrize("rows", [1, 9, 10, 11, 1_234])
@pytest.mark.parametrize(("users", "items"), [(1, 1), (3, 5), (1_000, 10_000)])
def test_any_size_gives_the_rows_asked_for(rows: int, users: int, items: int) -> None:
    table = storefront.simulate(rows, users=users, items=items)
    assert table.num_rows == rows
    assert pc.min(table["user_id"]).as_py() >= 1
    assert pc.max(table["user_id"]).as_py() <= users
    assert pc.max(table["item_id"]).as_py() <= items


def test_batches_are_the_table_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storefront, "PAGES_PER_BATCH", 7)
    pieces = list(storefront.batches(205, users=5))
    assert [piece.num_rows for piece in pieces] == [70, 70, 65]
    assert len({str(piece.schema) for piece in pieces}) == 1


def test_history_is_what_was_clicked_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storefront, "PAGES_PER_BATCH", 20)  # histories go on from batch to batch
    table = storefront.simulate(1_500, users=4)
    names = ("user_id", "time_s", "item_id", "click")
    rows = list(zip(*(table[name].to_pylist() for name in names), strict=True))
    assert table["history"].to_pylist() == history_by_hand(rows)
    assert max(len(items) for items in table["history"].to_pylist()) == HISTORY


def test_history_leaves_out_clicks_of_the_same_second() -> None:
    history = ClickHistory()
    first = history.advance(*(np.array(values) for values in ([1, 1, 1], [5, 5, 6], [10, 11, 12], [True] * 3)))
    second = history.advance(*(np.array(values) for values in ([1, 1], [6, 7], [13, 14], [True] * 2)))
    assert first.to_pylist() == [[], [], [11, 10]]
    assert second.to_pylist() == [[11, 10], [13, 12, 11, 10]]


def test_rows_are_in_time_order_within_a_month(logs: pa.Table) -> None:
    time = logs["time_s"].to_numpy()
    assert (np.diff(time) >= 0).all()
    assert 29 * 86_400 < time[-1] - time[0] < 30 * 86_400
    assert (logs["hour"].to_numpy() == time // 3600 % 24).all()
    assert logs["position"].to_pylist()[:11] == [*range(1, 11), 1]


@pytest.mark.parametrize("name", ["click", "purchase"])
def test_probabilities_are_those_of_what_happened(logs: pa.Table, name: str) -> None:
    true, happened = numbers(logs, f"true_{name}"), numbers(logs, name)
    edges = np.quantile(true, np.linspace(0, 1, 11))
    for low, high in pairwise(edges):
        inside = (true >= low) & (true < high)
        error = happened[inside].mean() - true[inside].mean()
        assert abs(error) < 4 * np.sqrt(true[inside].mean() / inside.sum())


def test_expected_rating_is_that_of_the_clicked(logs: pa.Table) -> None:
    clicked = logs.filter(pc.equal(logs["click"], 1))
    stars, true = numbers(clicked, "rating"), numbers(clicked, "true_rating")
    assert abs(stars.mean() - true.mean()) < 4 * stars.std() / np.sqrt(len(stars))
    assert set(stars) == {1.0, 2.0, 3.0, 4.0, 5.0}
    assert np.corrcoef(stars, true)[0, 1] > 0.4


def test_funnel_only_narrows(logs: pa.Table) -> None:
    click, purchase = numbers(logs, "click"), numbers(logs, "purchase")
    assert (purchase <= click).all()
    assert (logs["rating"].is_valid().to_numpy() == (click == 1)).all()
    assert 0.05 < click.mean() < 0.3
    assert 0.0 < purchase.mean() < click.mean() / 2


def test_best_possible_is_the_score_of_the_truth(logs: pa.Table) -> None:
    best = storefront.best_possible(logs)
    for name in ("click", "purchase"):
        assert best[name]["auc"] == pytest.approx(
            roc_auc_score(numbers(logs, name), numbers(logs, f"true_{name}")), abs=1e-12
        )
    clicked = logs.filter(pc.equal(logs["click"], 1))
    error = numbers(clicked, "rating") - numbers(clicked, "true_rating")
    assert best["rating"]["rmse"] == pytest.approx(np.sqrt((error**2).mean()), abs=1e-12)
    assert 0.7 < best["click"]["auc"] < 0.95


def test_few_items_are_shown_often(logs: pa.Table) -> None:
    shown = np.sort(np.bincount(logs["item_id"].to_numpy()))[::-1]
    assert shown[:200].sum() > 0.4 * ROWS


def test_minding_the_price_lowers_clicks(logs: pa.Table) -> None:
    dear = numbers(logs, "price") > np.quantile(numbers(logs, "price"), 0.8)
    rates = {}
    for segment in ("budget", "premium"):
        is_segment = pc.fill_null(pc.equal(logs["segment"], segment), fill_value=False).to_numpy()
        true = numbers(logs, "true_click")
        rates[segment] = true[is_segment & dear].mean() / true[is_segment & ~dear].mean()
    assert rates["budget"] < rates["premium"]


def test_tags_have_a_weight_each(logs: pa.Table) -> None:
    assert pc.list_value_length(logs["tags"]).equals(pc.list_value_length(logs["tag_weights"]))
    weights = pc.list_flatten(logs["tag_weights"])
    assert 0 < pc.min(weights).as_py() <= pc.max(weights).as_py() <= 1
    lists = logs["tags"].slice(0, 2_000).to_pylist()
    assert all(len(set(tags)) == len(tags) for tags in lists)
    assert {len(tags) for tags in lists} == {0, 1, 2, 3, 4}


def test_title_is_made_of_its_words(logs: pa.Table) -> None:
    head = logs.slice(0, 100)
    assert [title.lower().split() for title in head["title"].to_pylist()] == head["title_words"].to_pylist()


def test_item_looks_the_same_in_every_row(logs: pa.Table) -> None:
    columns = ["item_id", "title", "category", "price"]
    seen = logs.select(columns).group_by(columns).aggregate([])
    assert len(seen) == len(pc.unique(logs["item_id"]))


def test_segment_of_some_users_is_unknown(logs: pa.Table) -> None:
    assert 0.0 < logs["segment"].null_count / ROWS < 0.2


def test_set_fits_its_shipped_schema(logs: pa.Table) -> None:
    schema = Schema.from_toml(schema_text("storefront"))
    assert set(schema.training_columns) <= set(logs.column_names)
    assert not set(schema.feature_columns) & set(storefront.OUTCOMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 0}, r"^rows must be an integer in \[1, 2\*\*31\), got 0$"),
        ({"rows": 2**31}, r"^rows must be an integer in \[1, 2\*\*31\), got 2147483648$"),
        ({"rows": 1e6}, r"^rows must be an integer in \[1, 2\*\*31\), got 1000000\.0$"),
        ({"rows": 1, "users": 0}, r"^users must be an integer in \[1, 1000000\], got 0$"),
        ({"rows": 1, "items": 1_000_001}, r"^items must be an integer in \[1, 1000000\], got 1000001$"),
        ({"rows": 1, "seed": -1}, r"^seed must be an integer in \[0, 2\*\*63\), got -1$"),
        ({"rows": 1, "seed": "1"}, r"^seed must be an integer in \[0, 2\*\*63\), got '1'$"),
    ],
)
def test_argument_out_of_range_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        storefront.batches(**arguments)


def test_documented_best_scores_are_those_of_the_command() -> None:
    best = describe(storefront.best_possible(storefront.simulate(100_000)))
    assert f"\nbest possible: {best}\n" in (Path(__file__).parents[2] / "docs" / "data.md").read_text()


def test_every_column_is_documented(logs: pa.Table) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "data.md").read_text().partition("## storefront")[2]
    assert [name for name in logs.column_names if f"`{name}`" not in documented] == []
