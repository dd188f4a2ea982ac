"""Examination of ranks: what is found where it is known, how sure it is, and what is refused."""

from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from joins import SHOP
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from simulated_clicks import EXAMINATION, simulated_clicks

from polyrank.errors import ConfigError, DataError
from polyrank.positions import PositionOptions, Positions, estimate
from polyrank.positions.options import Method
from polyrank.positions.pairs import pair_clicks, tells_enough
from polyrank.positions.shown_rows import RankedRows
from polyrank.train.datasets.storefront import simulate

SCHEMA = msgspec.structs.replace(SHOP, tasks=SHOP.tasks[:1])


def shares(found: Positions) -> NDArray[np.float64]:
    return np.array([each.examination for each in found.ranks])


@pytest.mark.parametrize("method", ["pairs", "em"])
def test_examination_is_found_where_it_is_known(method: Method) -> None:
    found = estimate(SCHEMA, simulated_clicks(0, users=2_000), PositionOptions(method=method))
    assert_allclose(shares(found), EXAMINATION, rtol=0.08)
    assert (found.method, found.task) == (method, "click")


@pytest.mark.parametrize("method", ["pairs", "em"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(method: Method) -> None:
    held = []
    for seed in range(60):
        found = estimate(SCHEMA, simulated_clicks(seed), PositionOptions(method=method, confidence=0.9))
        for each, truth in zip(found.ranks[1:], EXAMINATION[1:], strict=True):
            assert each.interval is not None
            held.append(each.interval[0] <= truth <= each.interval[1])
    assert 0.84 <= np.mean(held) <= 0.96  # of 180, of which those of one seed go together


def test_clicks_by_place_alone_mistake_relevance_for_looks() -> None:
    rows = simulated_clicks(0, users=2_000)
    clicks = np.bincount(rows["rank"].to_numpy() - 1, rows["clicked"].to_numpy())
    assert (clicks / clicks[0])[-1] < 0.9 * EXAMINATION[-1]


def test_pairs_are_taken_where_there_are_enough() -> None:
    assert estimate(SCHEMA, simulated_clicks(0)).method == "pairs"


def test_regression_is_taken_where_no_item_was_shown_twice() -> None:
    rows = simulated_clicks(0)
    alone = rows.set_column(1, "item_id", pa.array(np.arange(rows.num_rows)))
    assert estimate(SCHEMA, alone).method == "em"


def test_a_rank_that_always_wins_is_not_told_by_pairs() -> None:
    """Pairs of the first two ranks are mixed; of the last and the second clicks are at the last alone."""
    units = np.repeat(np.arange(60), 2)
    ranks = np.where(units < 40, np.tile([0, 1], 60), np.tile([1, 2], 60))
    clicks = np.where(units < 40, np.isin(np.arange(120) % 4, (0, 3)), ranks == 2).astype(float)
    rows = RankedRows(clicks, ranks, units, units, num_ranks=3)
    assert np.bincount(ranks, clicks).min() >= 20
    assert not tells_enough(rows)


def test_answers_for_the_task_are_its_scores() -> None:
    rows = simulated_clicks(1)
    answers = [[("click", score)] for score in rows["rank_score"].to_pylist()]
    mapped = rows.set_column(4, "scores", pa.array(answers, pa.map_(pa.string(), pa.float32())))
    by_answers, by_score = (estimate(SCHEMA, each, PositionOptions(method="em")) for each in (mapped, rows))
    assert_allclose(shares(by_answers), shares(by_score))


def test_rows_without_a_label_do_not_count() -> None:
    rows = simulated_clicks(1)
    masked = rows.set_column(3, "clicked", pa.array([None] * rows.num_rows, pa.float64()))
    both = pa.concat_tables([rows, masked])
    assert estimate(SCHEMA, both).ranks == estimate(SCHEMA, rows).ranks


def test_clicks_of_pairs_are_those_of_mantel_and_haenszel() -> None:
    ranks, clicks, units = [0, 0, 1, 1, 1, 0], [1, 0, 1, 1, 0, 1], [0, 0, 0, 0, 1, 1]
    rows = RankedRows(np.array(clicks, float), np.array(ranks), np.zeros(6, int), np.array(units), num_ranks=2)
    first = 1 * 2 / 4 + 1 * 1 / 2  # clicks at rank 1, times the others' share of the unit's rows
    second = 2 * 2 / 4 + 0 * 1 / 2
    assert_allclose(pair_clicks(rows), [[0, first], [second, 0]])


def test_two_ranks_have_the_odds_of_their_pair() -> None:
    rows = simulated_clicks(3).filter(pa.compute.less_equal(simulated_clicks(3)["rank"], 2))
    wins = pair_clicks(ranked(rows))
    assert_allclose(shares(estimate(SCHEMA, rows))[1], wins[1, 0] / wins[0, 1])


def ranked(rows: pa.Table) -> RankedRows:
    units = 12 * rows["user_id"].to_numpy() + rows["item_id"].to_numpy()
    ranks, users = rows["rank"].to_numpy() - 1, rows["user_id"].to_numpy()
    return RankedRows(rows["clicked"].to_numpy(), ranks, users, units, num_ranks=2)


def test_the_shop_is_looked_at_as_it_was_made() -> None:
    rows = simulate(60_000, users=40, items=60, seed=1)
    log_odds = np.log(rows["true_click"].to_numpy() / (1 - rows["true_click"].to_numpy()))
    at_first = log_odds + 0.5 * np.log(rows["position"].to_numpy())
    chances = np.array([np.mean(1 / (1 + np.exp(-(at_first - 0.5 * np.log(rank))))) for rank in range(1, 11)])
    shop = msgspec.structs.replace(SCHEMA, tasks=(msgspec.structs.replace(SCHEMA.tasks[0], label="click"),))
    found = estimate(shop, rows, PositionOptions(rank="position"))
    assert found.method == "pairs"
    assert_allclose(shares(found), chances / chances[0], rtol=0.1)


def test_weights_are_inverse_and_limited() -> None:
    found = estimate(SCHEMA, simulated_clicks(0), PositionOptions(limit=2.5))
    weights = found.weights(np.array([1, 2, 4, 99]))
    assert_allclose(weights, [1.0, 1 / found.ranks[1].examination, 2.5, 2.5], rtol=1e-6)


def test_weighing_clicks_orders_items_as_they_are_liked() -> None:
    """An item always at the fourth place has fewer clicks than a worse one at the first, until they are weighed."""
    generator = np.random.default_rng(0)
    liked, places = np.array([0.2, 0.3]), np.array([1, 4])
    clicked = generator.random((20_000, 2)) < liked * EXAMINATION[places - 1]
    plain = clicked.mean(axis=0)
    weights = estimate(SCHEMA, simulated_clicks(0, users=2_000)).weights(places)
    weighed = clicked.sum(axis=0) * weights / (clicked.sum(axis=0) * weights + (~clicked).sum(axis=0))
    assert plain[0] > plain[1]
    assert weighed[0] < weighed[1]


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    found = estimate(SCHEMA, simulated_clicks(0))
    found.save(tmp_path / "positions.json")
    assert Positions.load(tmp_path / "positions.json") == found


def changed(name: str, values: object) -> pa.Table:
    rows = simulated_clicks(0, users=5)
    return rows.set_column(rows.column_names.index(name), name, pa.array(values))


SIZE = simulated_clicks(0, users=5).num_rows


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        (changed("rank", [0] * SIZE), {}, "column 'rank' holds 0 at row 1; places from 1 expected"),
        (changed("rank", [1.5] * SIZE), {}, "column 'rank' holds 1.5 at row 1; places from 1"),
        (changed("rank", [1] * (SIZE - 1) + [None]), {}, f"column 'rank' is missing at row {SIZE}"),
        (changed("clicked", [0.0] * SIZE), {}, "rank 1 has no label of 1 of task 'click'; give more rows"),
        (
            changed("clicked", np.where(np.arange(SIZE) % 4 == 3, 0.0, 1.0)),
            {},
            "rank 4 has no label of 1 of task 'click'; set max_rank to 3, or give more rows",
        ),
        (
            simulated_clicks(0, users=2),
            {"method": "pairs"},
            "fewer than 20 labels of 1 at a rank, or no chain of pairs",
        ),
        (
            simulated_clicks(0, users=2).drop_columns(["rank_score"]),
            {},
            "and rows have no column of scores; name one with score",
        ),
    ],
)
def test_rows_that_tell_too_little_are_refused(rows: pa.Table, options: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        estimate(SCHEMA, rows, PositionOptions(**options))  # type: ignore[arg-type]


def test_rows_without_any_label_are_refused() -> None:
    rows = changed("clicked", pa.array([None] * SIZE, pa.float64()))
    with pytest.raises(DataError, match="no row has an observed label of task 'click' at a rank up to 20"):
        estimate(SCHEMA, rows)


@pytest.mark.parametrize(("scored", "rank"), [((1, 2), 3), ((), 1)])
def test_ranks_without_scores_are_refused(scored: tuple[int, ...], rank: int) -> None:
    rows = simulated_clicks(0, users=50)
    scores = np.where(np.isin(rows["rank"].to_numpy(), scored), 0.5, np.nan)
    message = f"rank {rank} has no label of 1 of task 'click' in rows with a score; "
    with pytest.raises(DataError, match=message):
        estimate(SCHEMA, rows.append_column("s", pa.array(scores)), PositionOptions(method="em", score="s"))


def test_scores_that_name_the_rank_tell_nothing_of_looks() -> None:
    rows = simulated_clicks(0, users=50)
    scores = pa.array(np.minimum(rows["rank"].to_numpy(), 3))
    message = "scores of rank 2 are none of rank 1, so that looks cannot be told from relevance; "
    with pytest.raises(DataError, match=message):
        estimate(SCHEMA, rows.append_column("s", scores), PositionOptions(method="em", score="s"))


def test_options_of_another_kind_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^options must be PositionOptions\(\.\.\.\), got dict$"):
        estimate(SCHEMA, simulated_clicks(0, users=5), {})  # type: ignore[arg-type]


def test_a_task_of_a_wrong_type_is_refused() -> None:
    with pytest.raises(ConfigError, match="task must be the name of a task, got 5"):
        PositionOptions(task=5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "message"),
    [("clik", "task must be a binary one, click, got 'clik'; did you mean 'click'"), ("stars", "got 'stars'")],
)
def test_a_task_that_is_not_binary_is_refused(task: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        estimate(SHOP, simulated_clicks(0, users=5), PositionOptions(task=task))


def test_a_schema_without_binary_tasks_is_refused() -> None:
    schema = msgspec.structs.replace(SHOP, tasks=SHOP.tasks[1:2])
    with pytest.raises(ConfigError, match="task must be binary, and the schema has no such task"):
        estimate(schema, simulated_clicks(0, users=5))


def test_items_must_be_known() -> None:
    schema = msgspec.structs.replace(SCHEMA, features=SCHEMA.features[:1])
    with pytest.raises(ConfigError, match="item must be named, since the schema has no categorical feature of items"):
        estimate(schema, simulated_clicks(0, users=5))


def test_a_rank_below_one_has_no_weight() -> None:
    with pytest.raises(DataError, match="rank holds 0 at row 2; places from 1 expected"):
        estimate(SCHEMA, simulated_clicks(0)).weights(np.array([1, 0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_rank": 1}, r"max_rank must be an integer in \[2, 200\], got 1"),
        ({"limit": 0.5}, "limit must be 1 or above and finite, got 0.5"),
        ({"confidence": 1.0}, r"confidence must be in \(0, 1\), got 1.0"),
        ({"method": "x"}, "method must be one of auto, pairs, em, got 'x'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PositionOptions(**options)  # type: ignore[arg-type]
