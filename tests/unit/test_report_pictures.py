"""Pictures of a report: what they draw, what they say of it, and that names out of data stay data."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from artefacts.invented_result import EXPRESSION, HOSTILE, comparison, load_test, rich_result

from polyrank.evaluation.findings import Distribution, Importance
from polyrank.reporting import records
from polyrank.reporting.blocks import Gallery, Picture, Table
from polyrank.reporting.pictures.answers import distribution_pictures, group_pictures
from polyrank.reporting.pictures.calibration import calibration_pictures
from polyrank.reporting.pictures.canvas import around
from polyrank.reporting.pictures.differences import difference_pictures
from polyrank.reporting.pictures.inputs import importance_pictures, tables_picture
from polyrank.reporting.pictures.learning import learning_pictures
from polyrank.reporting.pictures.loads import load_picture
from polyrank.reporting.pictures.ordering import top_items_picture, trade_off_picture
from polyrank.reporting.pictures.parity import parity_picture
from polyrank.reporting.pictures.parts import slice_pictures
from polyrank.reporting.reading import read_sources
from polyrank.reporting.sections import all_sections
from polyrank.reporting.sources import Compared, Evaluation, Loaded, Run, Sources

RESULT = rich_result()
FIELDS = {
    *("answer", "answered", "asked", "first", "first_told", "floor", "groups", "held", "high", "label", "labelled"),
    *("loss", "low", "name", "place", "rate", "rows", "second", "second_told", "series", "share", "told", "value"),
    *("verdict", "weights", "within"),
}


def drawn(picture: Picture) -> list[dict[str, Any]]:
    """Return all rows that a picture draws."""
    return [row for rows in picture.spec["datasets"].values() for row in rows]


def loads(**changed: Any) -> records.LoadTest:
    return msgspec.convert(load_test() | changed, type=records.LoadTest)


@pytest.fixture
def run(toy_run: Path) -> Run:
    return read_sources([toy_run]).runs[0]


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """All pictures of an evaluation, a load test and a comparison."""
    sources = Sources(
        evaluations=(Evaluation("e", RESULT),),
        loads=(Loaded("l", loads()),),
        comparisons=(Compared("c", msgspec.convert(comparison(), type=records.Comparison, strict=False)),),
    )
    blocks = [block for section in all_sections(sources) for block in section.blocks]
    return [picture for block in blocks if isinstance(block, Gallery) for picture in block.pictures]


def test_every_picture_has_words_and_a_table_with_its_rows(pictures: list[Picture]) -> None:
    assert len(pictures) == 29
    for picture in pictures:
        assert picture.caption.endswith(".")
        assert picture.alt.endswith(".")
        assert any(map(str.isdigit, picture.alt))
        assert len(picture.table.rows) > 0
        assert {len(row) for row in picture.table.rows} == {len(picture.table.head)}


def strings(value: Any) -> Iterator[str]:
    """Give every key and text of a picture but those of its data."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "datasets":
                yield from (key, *strings(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value


def test_values_out_of_data_are_in_data_alone(pictures: list[Picture]) -> None:
    held = [picture for picture in pictures if HOSTILE in json.dumps(drawn(picture))]
    assert len(held) == 7
    for picture in pictures:
        assert not any(HOSTILE in text or EXPRESSION in text for text in strings(picture.spec))


def test_fields_are_fixed_names(pictures: list[Picture]) -> None:
    fields = {key for picture in pictures for row in drawn(picture) for key in row}
    assert fields == FIELDS


def test_losses_and_metric_of_each_epoch_are_drawn(run: Run) -> None:
    losses, auc = list(learning_pictures(run))[:2]
    epochs = run.metrics.history
    values = {(row["series"], row["place"]): row["value"] for row in drawn(losses) if "series" in row}
    assert values == {("training", each.epoch): each.train_loss["click"] for each in epochs} | {
        ("validation", each.epoch): each.validation["click"]["log_loss"] for each in epochs
    }
    assert [row["value"] for row in drawn(auc) if "value" in row] == [
        each.validation["click"]["auc"] for each in epochs
    ]


def test_metrics_with_intervals_are_drawn(run: Run) -> None:
    titles = [picture.title for picture in learning_pictures(run)]
    assert titles[-3:] == ["watch_s: loss", "watch_s: rmse", "watch_s: rmsle"]


def test_first_metric_is_drawn_where_none_has_an_interval(run: Run) -> None:
    metrics = msgspec.structs.replace(run.metrics, intervals={})
    titles = [picture.title for picture in learning_pictures(dataclasses.replace(run, metrics=metrics))]
    assert titles[-2:] == ["watch_s: loss", "watch_s: rmse"]


def test_kept_epoch_is_marked(run: Run) -> None:
    picture = next(learning_pictures(run))
    assert {"place": run.metrics.kept.epoch} in drawn(picture)
    assert picture.caption.endswith(f"The dashed line is the epoch whose weights are kept, {run.metrics.kept.epoch}.")


def test_several_validations_of_an_epoch_are_told_by_step(run: Run) -> None:
    history = tuple(msgspec.structs.replace(each, epoch=1) for each in run.metrics.history)
    metrics = msgspec.structs.replace(run.metrics, history=history)
    picture = next(learning_pictures(dataclasses.replace(run, metrics=metrics)))
    assert picture.table.head[0] == "step"
    assert [row[0] for row in picture.table.rows] == [f"{each.steps:,}" for each in history]


def test_calibration_draws_every_bin_and_the_diagonal() -> None:
    picture = next(calibration_pictures(RESULT))
    bins = RESULT.calibration["click"]
    assert [(row["answer"], row["label"]) for row in drawn(picture) if "low" in row] == [
        (each.answer, each.label) for each in bins
    ]
    corners = [(row["answer"], row["label"]) for row in drawn(picture) if "low" not in row]
    assert corners == [(bins[0].answer, bins[0].answer), (bins[-1].answer, bins[-1].answer)]


def test_answers_are_shares_of_each_label() -> None:
    picture = next(distribution_pictures(RESULT))
    for label, counts in RESULT.distributions["click"].series.items():
        shares = [row["share"] for row in drawn(picture) if row["series"] == label]
        assert shares == pytest.approx([each / sum(counts) for each in counts])


def test_labels_beyond_the_colours_are_left_out_and_said_to_be() -> None:
    series: dict[str, tuple[int, ...]] = {str(label): (label + 1, 1) for label in range(8)}
    found = Distribution(edges=(0.0, 0.5, 1.0), series=series)
    (picture,) = distribution_pictures(msgspec.structs.replace(RESULT, distributions={"kind": found}))
    assert {row["series"] for row in drawn(picture)} == set("234567")
    assert picture.caption.endswith("2 rarer labels left out.")
    assert len(picture.table.head) == 9


def test_groups_are_told_with_their_quantiles() -> None:
    picture = next(group_pictures(RESULT))
    found = RESULT.group_areas["click"]
    assert f"5% below {found.quantiles['0.05']:.4f}" in picture.alt
    assert f"{100 * found.below_half:.1f}% below 0.5, 45.1% if scores were random" in picture.alt
    assert sum(row.get("groups", 0) for row in drawn(picture)) == found.groups


def test_parts_stand_beside_the_whole() -> None:
    picture = next(slice_pictures(RESULT, RESULT.slices[0]))
    values = [part.metrics["click"].value for part in RESULT.slices[0].parts]
    assert {row["value"] for row in drawn(picture)} == {RESULT.tasks[0].metrics[0].value, *values}
    assert picture.alt.endswith("all rows 0.7312.")


def test_parts_with_the_same_short_name_stay_apart() -> None:
    part = RESULT.slices[0].parts[0]
    parts = tuple(msgspec.structs.replace(part, value="x" * 80 + end) for end in "ab")
    cut = msgspec.structs.replace(RESULT.slices[0], parts=parts)
    picture = next(slice_pictures(RESULT, cut))
    assert len({row[0] for row in picture.table.rows}) == 2


def test_trade_off_tells_both_ends() -> None:
    picture = trade_off_picture(RESULT.trade_offs[0])
    assert picture is not None
    assert picture.alt == (
        "A line of 11 points. With click alone: 0.6100 and 0.3500; with like alone: 0.5300 and 0.4200."
    )


def test_trade_off_without_values_is_not_drawn() -> None:
    point = msgspec.structs.replace(RESULT.trade_offs[0].points[0], ndcg=(None, 0.5))
    assert trade_off_picture(msgspec.structs.replace(RESULT.trade_offs[0], points=(point,))) is None


def test_items_without_names_are_not_drawn() -> None:
    assert RESULT.catalogue is not None
    assert top_items_picture(msgspec.structs.replace(RESULT.catalogue, top_items=())) is None


def test_every_item_that_was_named_is_drawn() -> None:
    assert RESULT.catalogue is not None
    items = tuple((f"i{number}", 0.5) for number in range(25))
    picture = top_items_picture(msgspec.structs.replace(RESULT.catalogue, top_items=items))
    assert picture is not None
    assert [row[0] for row in picture.table.rows] == [name for name, _ in items]


def test_importance_tells_the_column_that_matters_most() -> None:
    assert RESULT.importance is not None
    picture = next(importance_pictures(RESULT.importance))
    assert picture.alt == "Bars for 6 columns. Most is lost without user_id: +0.0510."
    assert [row["loss"] for row in drawn(picture)] == [each.losses["click"] for each in RESULT.importance.columns]


def test_importance_has_the_order_of_its_own_task() -> None:
    assert RESULT.importance is not None
    losses = {"a": (0.1, 0.3), "b": (0.2, 0.1), "c": (0.0, 0.2)}
    columns = tuple(
        Importance(column=name, losses=dict(zip(("click", "like"), both, strict=True)), ranges={})
        for name, both in losses.items()
    )
    found = msgspec.structs.replace(RESULT.importance, metrics={"click": "auc", "like": "auc"}, columns=columns)
    assert [[row[0] for row in each.table.rows] for each in importance_pictures(found)] == [list("bac"), list("acb")]


def test_columns_that_are_not_drawn_are_counted() -> None:
    assert RESULT.importance is not None
    columns = tuple(Importance(column=f"c{number}", losses={"click": 1 / number}, ranges={}) for number in range(1, 33))
    (picture,) = importance_pictures(
        msgspec.structs.replace(RESULT.importance, metrics={"click": "auc"}, columns=columns)
    )
    assert picture.caption.endswith(" 2 columns of less are in the numbers alone.")
    assert [row["name"] for row in drawn(picture)] == [each.column for each in columns[:30]]
    assert len(picture.table.rows) == 32


def test_parts_without_an_interval_are_explained() -> None:
    picture = next(slice_pictures(RESULT, RESULT.slices[0]))
    assert "intervals, which parts of few rows or groups lack; " in picture.caption


def test_collisions_stand_beside_what_is_expected() -> None:
    picture = tables_picture(RESULT.tables)
    shares = {(row["name"], row["series"]): row["share"] for row in drawn(picture)}
    assert shares["user_id", "measured"] == 0.61
    assert shares["user_id", "expected of a random hash"] == pytest.approx(1 - (1 - 1 / 500) ** 479)


def test_parity_draws_the_largest_of_each_output_and_batch_size(toy_bundle: Path) -> None:
    (bundle,) = read_sources([toy_bundle]).bundles
    largest: dict[tuple[str, str], float] = {}
    for each in json.loads((toy_bundle / "parity.json").read_text())["differences"]:
        key = (each["task"], f"{each['batch_size']:,}")
        largest[key] = max(largest.get(key, 1e-9), each["difference"])
    picture = parity_picture(bundle)
    assert {(row["name"], row["batch"]): row["value"] for row in drawn(picture) if "batch" in row} == largest
    assert {"value": 1e-5} in drawn(picture)


def test_difference_that_is_no_number_is_shown_as_missing(toy_bundle: Path) -> None:
    (bundle,) = read_sources([toy_bundle]).bundles
    nothing = records.Difference(task="click", rows="sample", batch_size=1, difference=None)
    broken = msgspec.structs.replace(bundle.parity, differences=(nothing, *bundle.parity.differences))
    picture = parity_picture(dataclasses.replace(bundle, parity=broken))
    assert picture.table.rows[0][1] == "\N{EN DASH}"


def test_rate_that_is_not_held_is_marked() -> None:
    picture = load_picture(loads())
    assert picture is not None
    marked = [rows for rows in picture.spec["datasets"].values() if {row["held"] for row in rows} == {"no"}]
    assert [[(row["rate"], row["series"]) for row in rows] for rows in marked] == [[(3_200, "p99")]]
    assert picture.alt.endswith("1 rate not held.")


def test_load_test_without_an_answer_has_a_table_alone() -> None:
    silent = load_test()["loads"][0] | dict.fromkeys(("p50_ms", "p90_ms", "p99_ms", "p999_ms", "max_ms"))
    assert load_picture(loads(loads=[silent])) is None
    section = next(
        each for each in all_sections(Sources(loads=(Loaded("l", loads(loads=[silent])),))) if each.name == "load"
    )
    assert [type(block) for block in section.blocks[1:]] == [Table]


def test_differences_are_told_with_verdicts() -> None:
    found = msgspec.convert(comparison(), type=records.Comparison, strict=False)
    click, like = difference_pictures(found)
    assert click.alt.startswith("Dots for 2 models. mmoe: +0.0041 (+0.0030 to +0.0052), better.")
    assert {row["value"] for row in drawn(like)} == {0, -0.0093, 0.0004}


def test_parts_keep_their_order_though_some_have_no_interval() -> None:
    cut = RESULT.slices[0]
    first = cut.parts[0]
    bare = {task: msgspec.structs.replace(metric, interval=None) for task, metric in first.metrics.items()}
    cut = msgspec.structs.replace(cut, parts=(msgspec.structs.replace(first, metrics=bare), *cut.parts[1:]))
    spec = next(slice_pictures(RESULT, cut)).spec
    named = [layer["data"]["name"] for layer in spec["layer"] if "y" in layer["encoding"]]
    assert [row["name"].strip() for row in spec["datasets"][named[0]]] == [part.value for part in cut.parts]


@pytest.mark.parametrize(
    ("values", "expected"), [([0.7, 0.7], (0.63, 0.77)), ([0.0], (-1.0, 1.0)), ([-2.0], (-2.2, -1.8))]
)
def test_axis_of_equal_numbers_has_ends_around_them(values: list[float], expected: tuple[float, float]) -> None:
    assert around(values) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [0.1, 0.2]])
def test_axis_of_different_numbers_is_left_to_vega(values: list[float]) -> None:
    assert around(values) is None


def test_metric_of_a_single_epoch_lies_within_its_axis(run: Run) -> None:
    metrics = msgspec.structs.replace(run.metrics, history=run.metrics.history[:1])
    (picture,) = [
        each for each in learning_pictures(dataclasses.replace(run, metrics=metrics)) if each.title == "click: auc"
    ]
    (line,) = [layer for layer in picture.spec["layer"] if layer["mark"]["type"] == "line"]
    low, high = line["encoding"]["y"]["scale"]["domain"]
    assert low < run.metrics.history[0].validation["click"]["auc"] < high
