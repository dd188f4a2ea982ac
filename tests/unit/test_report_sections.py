"""The sections of a report: what stands in them, and what stands there where nothing was given."""

import dataclasses
import datetime as dt
import importlib.metadata
from pathlib import Path
from typing import Any

import msgspec
import pytest
from artefacts.invented_result import comparison, load_test, rich_result

from polyrank.evaluation.worse import CAVEAT
from polyrank.reporting import records
from polyrank.reporting.blocks import Heading, Listing, Section, Table, Words
from polyrank.reporting.reading import read_sources
from polyrank.reporting.sections import all_sections
from polyrank.reporting.sources import Bundle, Compared, Evaluation, Loaded, Run, Sources

MINUS = "\N{MINUS SIGN}"


def section(sources: Sources, name: str) -> Section:
    return next(each for each in all_sections(sources) if each.name == name)


def words(sources: Sources, name: str) -> list[str]:
    return [block.text for block in section(sources, name).blocks if isinstance(block, Words)]


def tables(sources: Sources, name: str) -> list[Table]:
    return [block for block in section(sources, name).blocks if isinstance(block, Table)]


def evaluated(**changed: Any) -> Sources:
    return Sources(evaluations=(Evaluation("evaluation.json", msgspec.structs.replace(rich_result(), **changed)),))


def compared(**changed: Any) -> Sources:
    found = msgspec.convert(comparison() | changed, type=records.Comparison, strict=False)
    return Sources(comparisons=(Compared("comparison.json", found),))


@pytest.fixture
def run(toy_run: Path) -> Run:
    return read_sources([toy_run]).runs[0]


@pytest.fixture
def bundle(toy_bundle: Path) -> Bundle:
    return read_sources([toy_bundle]).bundles[0]


def test_sections_without_sources_name_the_command_that_brings_them() -> None:
    commands = {
        each.name: block.command.split()[1]
        for each in all_sections(Sources())
        for block in each.blocks
        if isinstance(block, Words) and block.command
    }
    assert commands == {
        **dict.fromkeys(("tasks", "parts", "answers", "ordering", "inputs"), "evaluate"),
        "learning": "train",
        "sharing": "compare",
        "parity": "export",
        "load": "loadtest",
    }


def test_evaluation_says_what_was_answered() -> None:
    (text,) = words(evaluated(), "tasks")
    assert text == (
        "The run runs/a answered rows of rows.parquet: 20,000 rows, 480 groups by user_id, from 2026-03-01 00:00 to "
        "2026-03-07 23:59. Intervals are of 95%: those of auc, log_loss, rmse and xauc of how much each row "
        "moves it; those of gauc, calibration, ndcg@10 and mae over 200 resamples."
    )


def test_precision_of_what_answered_is_told() -> None:
    model = msgspec.structs.replace(rich_result().model, kind="bundle", precision="embeddings int8, dense fp32")
    found = evaluated(model=model)
    assert words(found, "tasks")[0].startswith("The bundle runs/a, embeddings int8, dense fp32, answered rows of ")
    (given, _) = tables(found, "environment")
    assert given.rows == (("evaluation.json", "evaluation", model.run_id, "embeddings int8, dense fp32"),)


def test_metrics_stand_with_intervals_and_what_they_rest_on() -> None:
    rows = tables(evaluated(), "tasks")[0].rows
    assert rows[1] == ("click", "20,000", "gauc", "0.6874", "0.6784 to 0.6964", "high", "431 groups")
    assert rows[6][3:] == ("\N{EN DASH}", "", "high", "no group has observed labels of both classes")


def test_skipped_groups_are_words() -> None:
    (first, *rest) = rich_result().tasks
    counts = {"gauc.groups": 2_601, "gauc.skipped_groups": 7_502}
    rows = tables(evaluated(tasks=(msgspec.structs.replace(first, counts=counts), *rest)), "tasks")[0].rows
    assert rows[1][6] == "2,601 groups, 7,502 skipped groups"


def test_run_without_an_evaluation_has_its_validation(run: Run) -> None:
    (table,) = tables(Sources(runs=(run,)), "tasks")
    assert table.caption.endswith("metrics of its 200 validation rows; intervals over 200 resamples")
    assert [row[:2] for row in table.rows[:2]] == [("click", "auc"), ("click", "log_loss")]


def test_several_evaluations_have_a_heading_each() -> None:
    two = tuple(Evaluation(name, rich_result()) for name in ("march.json", "april.json"))
    blocks = section(Sources(evaluations=two), "parts").blocks
    headings = [block.text for block in blocks if isinstance(block, Heading)]
    assert [heading for heading in headings if heading.endswith(".json")] == ["march.json", "april.json"]


def test_evaluation_of_another_run_is_said_to_be(run: Run) -> None:
    sources = Sources(runs=(run,), evaluations=evaluated().evaluations)
    blocks = section(sources, "tasks").blocks
    heading = blocks[0]
    assert isinstance(heading, Heading)
    assert heading.text == f"evaluation.json, of another run: {rich_result().model.run_id}"
    assert tables(sources, "tasks")[-1].caption.endswith(
        "metrics of its 200 validation rows; intervals over 200 resamples"
    )


def test_runs_stand_side_by_side_with_differences(run: Run) -> None:
    values = {"click": {"auc": 0.7}}
    other = {"click": {"auc": 0.6912, "log_loss": 0.5}}
    runs = tuple(
        dataclasses.replace(run, name=name, metrics=msgspec.structs.replace(run.metrics, validation=found))
        for name, found in (("a", values), ("b", other))
    )
    (table,) = tables(Sources(runs=runs), "runs")
    assert table.head == ("task", "metric", "a", "b", "difference")
    dash = "\N{EN DASH}"
    assert table.rows == (
        ("click", "auc", "0.7000", "0.6912", f"{MINUS}0.0088"),
        ("click", "log_loss", dash, "0.5000", dash),
    )
    assert words(Sources(runs=runs), "runs") == []


def test_runs_of_different_rows_are_a_warning(run: Run) -> None:
    other = dataclasses.replace(run, metrics=msgspec.structs.replace(run.metrics, data_digest="another"))
    (found,) = words(Sources(runs=(run, other)), "runs")
    assert found.startswith("The runs were trained or validated on different rows")


def test_one_run_has_nothing_beside_it(run: Run) -> None:
    assert "runs" not in [each.name for each in all_sections(Sources(runs=(run,)))]


def test_comparison_has_differences_and_costs() -> None:
    differences, costs = tables(compared(), "sharing")
    row = ("like", "auc", "mmoe", "0.7219", "0.7312", f"{MINUS}0.0093", f"{MINUS}0.0124 to {MINUS}0.0062", "worse")
    assert differences.rows[2] == row
    assert costs.rows[0][:6] == ("one_per_task", "2", "22,276", "66,240", "0.34", "41.2")


def test_comparison_of_runs_says_what_it_does_not_say() -> None:
    assert words(compared(baseline="runs/a"), "sharing")[1].startswith("The baseline runs/a is a run, so that")


def test_one_seed_is_a_warning() -> None:
    assert words(compared(seeds=1), "sharing")[-1].startswith("One seed: the intervals say nothing")


def test_ordering_says_how_many_groups_have_a_choice() -> None:
    found = words(evaluated(), "ordering")
    assert found[0] == (
        "Rows of 480 groups in the order of a score of 1 click and 2 like. In 402 of them there is something to "
        "choose: they have more than 10 rows, and mean labels are of these."
    )
    assert tables(evaluated(), "ordering")[0].rows[0] == ("click", "0.6012", "0.6122", "0.5521", "0.4121", "0.3100")


def test_popularity_of_what_is_recommended_is_told() -> None:
    found = words(evaluated(), "ordering")
    assert "best 10 of 1,000 items, drawn from 4,000, by 1 click and 2 like: 21.4% of the items" in found[1]
    assert "what is recommended is more popular than what was logged" in found[2]


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("parts", {"slices": ()}),
        ("answers", {"calibration": {}, "distributions": {}}),
        ("ordering", {"group_areas": {}, "ordering": None, "trade_offs": (), "catalogue": None}),
        ("inputs", {"importance": None, "tables": ()}),
    ],
)
def test_section_without_results_is_one_line(name: str, changed: dict[str, Any]) -> None:
    (block,) = section(evaluated(**changed), name).blocks
    assert isinstance(block, Words)


def test_no_worse_part_is_said() -> None:
    result = rich_result()
    (cut, *_) = result.slices
    best = msgspec.structs.replace(cut, parts=cut.parts[:1])
    assert words(evaluated(slices=(best,)), "parts") == [
        "Of 3 parts, one for each value and task, 0 are worse than all rows, beyond chance.",
        CAVEAT,
    ]


def test_published_version_says_when(bundle: Bundle) -> None:
    when = dt.datetime(2026, 3, 1, 10, 5, tzinfo=dt.UTC)
    published = dataclasses.replace(bundle, record=records.Record(published=when))
    assert words(Sources(bundles=(published,)), "parity")[1].endswith(" Published 2026-03-01 10:05 UTC.")


def test_smaller_numbers_stand_beside_the_exact_graph(bundle: Bundle) -> None:
    loss = records.MetricLoss(task="click", metric="auc", before=0.73, after=0.7298, loss=0.0002, error=0.0001)
    parity = msgspec.structs.replace(bundle.parity, exact=bundle.parity, losses=(loss,))
    versions, losses = tables(Sources(bundles=(dataclasses.replace(bundle, parity=parity),)), "parity")
    assert [row[0] for row in versions.rows] == ["as exported", "before numbers became smaller"]
    assert losses.rows[0][:5] == ("click", "auc", "0.7300", "0.7298", "+0.0002")


def test_errors_of_a_load_test_are_told() -> None:
    loads = (Loaded("load.json", msgspec.convert(load_test(), type=records.LoadTest)),)
    assert words(Sources(loads=loads), "load")[-1] == "Error: deadline of 5 s passed"


def test_configuration_of_runs_stands_side_by_side(run: Run) -> None:
    other = dataclasses.replace(run, name="b", config={"seed": 1, "optimizer": {"lr": 0.5}})
    settings, tasks = tables(Sources(runs=(run, other)), "configuration")
    by_name = {name: values for name, *values in settings.rows}
    assert by_name["optimizer.lr"] == ["0.001", "0.5"]
    assert by_name["batch_size"] == ["128", ""]
    assert tasks.rows[1] == ("like", "binary", "is_like", "is_click", "0.5")


def test_schema_stands_as_it_is_written(run: Run, toy_run: Path) -> None:
    (listing,) = [each for each in section(Sources(runs=(run,)), "configuration").blocks if isinstance(each, Listing)]
    assert listing.text == (toy_run / "schema.toml").read_text()


def test_page_names_all_that_it_is_made_of(run: Run) -> None:
    evaluations = (Evaluation("e.json", rich_result(run.run_id)),)
    sources = Sources(runs=(run,), evaluations=evaluations, comparisons=compared().comparisons)
    given, trained, evaluated_in = tables(sources, "environment")
    assert [row[1:3] for row in given.rows] == [("run", run.run_id), ("evaluation", run.run_id), ("comparison", "")]
    assert ("numpy", "2.3") in evaluated_in.rows
    assert ("torch", importlib.metadata.version("torch")) in trained.rows


def test_run_that_does_not_say_what_trained_it_has_no_environment(run: Run) -> None:
    older = dataclasses.replace(run, environment={})
    assert len(tables(Sources(runs=(older,)), "environment")) == 1
