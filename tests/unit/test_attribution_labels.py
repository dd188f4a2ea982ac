"""Labels of joined rows: windows, which impression an outcome counts for, and what several outcomes make."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from joins import SHOP, at, happened, shown, write

from polyrank.attribution import Joined, JoinOptions, join
from polyrank.attribution.text import count_lines
from polyrank.errors import ConfigError, DataError
from polyrank.labels import label_matrix

LATER = at(1_000_000)


def joined(folder: Path, impressions: pa.Table, outcomes: pa.Table, **options: object) -> Joined:
    return join(SHOP, *write(folder, impressions, outcomes), JoinOptions(**{"until": LATER, **options}))  # type: ignore[arg-type]


def labels(found: Joined, name: str = "clicked") -> list[object]:
    values: list[object] = found.table[name].to_pylist()
    return values


ONE = shown([("r", 1, 7, 0)])


def test_an_outcome_at_the_end_of_its_window_counts(tmp_path: Path) -> None:
    found = joined(tmp_path, ONE, happened([("r", 7, 30, "click")]), windows_s={"click": 30})
    assert labels(found) == [1.0]


def test_an_outcome_after_its_window_is_late_and_not_used(tmp_path: Path) -> None:
    found = joined(tmp_path, ONE, happened([("r", 7, 30.000001, "click")]), windows_s={"click": 30})
    assert labels(found) == [0.0]
    assert (found.counts.tasks[0].attributed, found.counts.tasks[0].late) == (0, 1)


def test_an_outcome_at_the_time_of_its_impression_counts(tmp_path: Path) -> None:
    assert labels(joined(tmp_path, ONE, happened([("r", 7, 0, "click")]))) == [1.0]


CENTURY = 100 * 365 * 86_400.0


def test_a_clock_that_is_years_ahead_makes_no_label_final(tmp_path: Path) -> None:
    impressions = shown([("r", 1, 7, 0), ("s", 1, 8, CENTURY)])
    outcomes = happened([("r", 7, 5, "click"), ("s", 8, CENTURY, "click")])
    found = joined(tmp_path, impressions, outcomes, until=None, window_s=30)
    assert labels(found) == [None]
    assert (found.counts.until, found.counts.ahead, found.counts.not_yet) == (at(5.000001), 1, 1)
    assert any("more than a day after now, left out: 1;" in line for line in count_lines(found.counts, "rows"))


def test_a_time_that_was_named_is_no_clock_that_is_ahead(tmp_path: Path) -> None:
    impressions = shown([("r", 1, 7, 0), ("s", 1, 8, CENTURY)])
    found = joined(tmp_path, impressions, happened([("r", 7, 5, "click")]), until=at(CENTURY + 86_400), window_s=30)
    assert (labels(found), found.counts.ahead) == ([1.0, 0.0], 0)


def test_all_rows_after_now_are_refused(tmp_path: Path) -> None:
    impressions = shown([("r", 1, 7, CENTURY)])
    with pytest.raises(DataError, match=r"all is shown more than a day after now, .* UTC; set until, or the clock"):
        joined(tmp_path, impressions, happened([("r", 7, 5, "click")]), until=None)


def test_rows_from_after_their_end_are_refused() -> None:
    with pytest.raises(
        ConfigError, match="since must be before until, 2026-01-01 00:00:09 UTC, got 2026-01-01 00:00:09 UTC"
    ):
        join(SHOP, "impressions", "outcomes", JoinOptions(since=at(9), until=at(9)))


def test_an_outcome_before_its_impression_has_none(tmp_path: Path) -> None:
    found = joined(tmp_path, ONE, happened([("r", 7, -1, "click")]))
    assert (labels(found), found.counts.tasks[0].without_impression) == ([0.0], 1)


def test_tasks_have_windows_of_their_own(tmp_path: Path) -> None:
    outcomes = happened([("r", 7, 50, "click"), ("r", 7, 50, "plays")])
    found = joined(tmp_path, ONE, outcomes, windows_s={"click": 10}, window_s=60)
    assert (labels(found), labels(found, "num_plays")) == ([0.0], [1.0])


def test_labels_are_masked_until_their_window_is_over(tmp_path: Path) -> None:
    outcomes = happened([("r", 7, 5, "click")])
    early = joined(tmp_path, ONE, outcomes, window_s=10, until=at(10))
    over = joined(tmp_path, ONE, outcomes, window_s=10, until=at(10.000001))
    assert (labels(early), labels(over)) == ([None], [1.0])
    assert (early.counts.tasks[0].pending, over.counts.tasks[0].pending) == (1, 0)


def test_the_newest_time_is_the_watermark(tmp_path: Path) -> None:
    found = joined(tmp_path, ONE, happened([("r", 7, 9, "click"), ("x", 7, 20, "click")]), window_s=10, until=None)
    assert labels(found) == [1.0]
    assert found.counts.until == at(20.000001)
    assert found.counts.settled == at(10.000001)


def test_what_comes_late_is_taken_in_by_a_later_join(tmp_path: Path) -> None:
    first = joined(tmp_path, ONE, happened([("x", 9, 100, "click")]), window_s=10, until=None)
    second = joined(tmp_path, ONE, happened([("x", 9, 100, "click"), ("r", 7, 3, "click")]), window_s=10, until=None)
    assert (labels(first), labels(second)) == ([0.0], [1.0])


def test_without_request_ids_the_newest_impression_counts(tmp_path: Path) -> None:
    impressions = shown([("a", 1, 7, 0), ("b", 1, 7, 10), ("c", 2, 7, 15), ("d", 1, 7, 30)])
    outcomes = happened([(None, 7, 20, "click")], user_id=[1])
    assert labels(joined(tmp_path, impressions, outcomes)) == [0.0, 1.0, 0.0, 0.0]


def test_an_outcome_of_an_unknown_request_counts_for_none(tmp_path: Path) -> None:
    found = joined(tmp_path, ONE, happened([("other", 7, 1, "click")], user_id=[1]))
    assert (labels(found), found.counts.tasks[0].without_impression) == ([0.0], 1)


def test_outcomes_need_no_column_of_requests(tmp_path: Path) -> None:
    outcomes = happened([(None, 7, 1, "click")], user_id=[1]).drop_columns(["request_id"])
    assert labels(joined(tmp_path, ONE, outcomes)) == [1.0]


def test_outcomes_of_the_only_task_need_no_column_of_tasks(tmp_path: Path) -> None:
    schema = msgspec.structs.replace(SHOP, tasks=SHOP.tasks[:1])
    outcomes = happened([("r", 7, 1, "click")]).drop_columns(["task"])
    found = join(schema, *write(tmp_path, ONE, outcomes), JoinOptions(until=LATER))
    assert labels(found) == [1.0]


def test_files_of_outcomes_without_a_row_are_no_outcomes(tmp_path: Path) -> None:
    found = joined(tmp_path, ONE, happened([("r", 7, 1, "click")])[:0])
    assert (labels(found), found.counts.tasks[0].events) == ([0.0], 0)


def test_windows_are_durations_in_text_too(tmp_path: Path) -> None:
    outcomes = happened([("r", 7, 90, "click")])
    windows = [joined(tmp_path, ONE, outcomes, windows_s={"click": each}).counts.tasks[0] for each in ("2m", 120)]
    assert [(each.window_s, each.attributed) for each in windows] == [(120.0, 1)] * 2


def test_keys_are_alike_however_they_arrive(tmp_path: Path) -> None:
    outcomes = happened([("r", 7, 1, "click")])
    as_text = outcomes.set_column(1, "item_id", pa.array(["7"]))
    as_float = outcomes.set_column(1, "item_id", pa.array([7.0]))
    assert labels(joined(tmp_path, ONE, as_text)) == labels(joined(tmp_path, ONE, as_float)) == [1.0]


def test_counts_are_summed_and_other_labels_are_the_newest(tmp_path: Path) -> None:
    outcomes = happened(
        [("r", 7, 1, "plays"), ("r", 7, 2, "plays"), ("r", 7, 4, "stars"), ("r", 7, 3, "stars"), ("r", 7, 3, "click")],
        value=[2.0, 3.0, 5.0, 1.0, None],
    )
    found = joined(tmp_path, ONE, outcomes)
    assert (labels(found, "num_plays"), labels(found, "stars"), labels(found)) == ([5.0], [5.0], [1.0])


def test_a_click_that_is_taken_back_within_its_list_remains_one(tmp_path: Path) -> None:
    outcomes = happened([("r", 7, 1, "click"), ("r", 7, 2, "click")], value=[1.0, 0.0])
    assert labels(joined(tmp_path, ONE, outcomes)) == [1.0]


def test_equal_rows_are_one_outcome(tmp_path: Path) -> None:
    found = joined(tmp_path, ONE, happened([("r", 7, 1, "plays"), ("r", 7, 1, "plays"), ("r", 7, 2, "plays")]))
    assert (labels(found, "num_plays"), found.counts.tasks[1].duplicates) == ([2.0], 1)


def test_rows_that_differ_in_any_column_are_two_outcomes(tmp_path: Path) -> None:
    outcomes = happened([("r", 7, 1, "plays"), ("r", 7, 1, "plays")], extra=[[1], [2]])
    assert labels(joined(tmp_path, ONE, outcomes), "num_plays") == [2.0]


def test_an_event_id_is_one_outcome_however_it_is_told(tmp_path: Path) -> None:
    outcomes = happened([("r", 7, 3, "plays"), ("r", 7, 1, "plays")], event_id=["e", "e"], value=[9.0, 4.0])
    found = joined(tmp_path, ONE, outcomes)
    assert (labels(found, "num_plays"), found.counts.tasks[1].duplicates) == ([4.0], 1)


def test_an_event_id_of_two_items_is_two_outcomes(tmp_path: Path) -> None:
    outcomes = happened([("r", 7, 3, "click"), ("r", 8, 3, "click")], event_id=["order", "order"])
    assert labels(joined(tmp_path, shown([("r", 1, 7, 0), ("r", 1, 8, 0)]), outcomes)) == [1.0, 1.0]


def test_repeated_impressions_of_a_request_are_one(tmp_path: Path) -> None:
    impressions = shown([("r", 1, 7, 0), ("r", 1, 8, 0), ("r", 1, 7, 2)])
    found = joined(tmp_path, impressions, happened([("r", 7, 3, "click")]))
    assert (labels(found), found.counts.repeated) == ([1.0, 0.0], 1)


def test_rows_alike_but_for_what_orders_nothing_come_in_one_order(tmp_path: Path) -> None:
    impressions = shown([("r", 1, 7, 0), ("r", 1, 7, 0)], device=["b", "a"]).set_column(2, "rank", pa.array([1, 1]))
    outcomes = happened([("r", 7, 3, "click")])
    first, second = (joined(tmp_path, impressions.take(order), outcomes).table for order in ([0, 1], [1, 0]))
    assert first["device"].to_pylist() == second["device"].to_pylist()


def test_what_is_no_label_is_masked_where_its_condition_is_not_met(tmp_path: Path) -> None:
    impressions = shown([("r", 1, 7, 0), ("r", 1, 8, 0)])
    outcomes = happened([("r", 7, 1, "click"), ("r", 7, 1, "stars"), ("r", 8, 1, "stars")], value=[1.0, 4.0, 2.0])
    found = joined(tmp_path, impressions, outcomes)
    matrix = label_matrix(SHOP, {name: found.table[name] for name in found.table.column_names})
    assert matrix[0].tolist() == [1.0, 0.0, 4.0]
    assert matrix[1][:2].tolist() == [0.0, 0.0]
    assert found.counts.tasks[2].labels == 1
    assert found.counts.tasks[2].mean_label == pytest.approx(4.0)


def test_since_leaves_out_what_was_shown_before(tmp_path: Path) -> None:
    impressions = shown([("a", 1, 7, 0), ("b", 1, 7, 10)])
    outcomes = happened([("a", 7, 11, "click"), ("b", 7, 12, "click")])
    found = joined(tmp_path, impressions, outcomes, since=at(10))
    assert (labels(found), found.counts.tasks[0].left_out) == ([1.0], 1)


def test_until_leaves_out_what_happens_later(tmp_path: Path) -> None:
    impressions = shown([("a", 1, 7, 0), ("b", 1, 7, 20)])
    found = joined(tmp_path, impressions, happened([("a", 7, 20, "click")]), window_s=5, until=at(20))
    assert (labels(found), found.counts.not_yet) == ([0.0], 1)


def test_tasks_of_others_are_counted_and_left_alone(tmp_path: Path) -> None:
    found = joined(tmp_path, ONE, happened([("r", 7, 1, "scroll"), ("r", 7, 1, "click"), ("r", 7, 2, "scroll")]))
    assert (labels(found), found.counts.other_tasks) == ([1.0], {"scroll": 2})
