"""What `make bench` does with what benchmarks print: tables, places of pages, figures, and what counts as slower."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
PRINTED = """
A processor, 2 cores

| workload | ours | ratio |
| --- | --- | --- |
| a, first | 2.0 M rows/s | 1.5 |

told between

| part | seconds |
| --- | --- |
| read | 0.24 |

| workload | ours | ratio |
| --- | --- | --- |
| b | 98 µs | - |
"""
PAGE = "# Page\n\n<!-- speed: benchmarks/a.py -->\n| old |\n<!-- end of speed -->\n\nAfter.\n"


@pytest.fixture(autouse=True)
def on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


def part(name: str) -> ModuleType:
    return importlib.import_module(f"suite.{name}")


def figure(text: str, row: str = "a", column: str = "ours") -> Any:
    found = part("figures").figures([["what", column], [row, text]], {column: ""})
    return found[0]


def outcome(cpu: str, *tables: list[list[str]], spreads: dict[str, float] | None = None) -> Any:
    running = part("running")
    machine = running.Machine(cpu=cpu, cores=2, load=0.5, date="2026-01-31")
    return running.Outcome(
        command=("a.py",), sources="", machine=machine, seconds=1.0, tables=list(tables), spreads=spreads or {}
    )


def benchmark(*places: Any, noise: float = 0.1) -> Any:
    return part("catalogue").Benchmark(name="a", command="benchmarks/a.py", minutes=1, places=places, noise=noise)


def test_tables_of_one_heading_are_one() -> None:
    assert part("tables").tables_of(PRINTED) == [
        [["workload", "ours", "ratio"], ["a, first", "2.0 M rows/s", "1.5"], ["b", "98 µs", "-"]],
        [["part", "seconds"], ["read", "0.24"]],
    ]


def test_text_without_tables_has_none() -> None:
    assert part("tables").tables_of("a | b\n---\nno table\n") == []


def test_place_is_filled_and_the_rest_stays() -> None:
    filled = part("pages").filled(PAGE, "speed", "benchmarks/a.py", "docs/page.md", "| new |")
    assert filled == PAGE.replace("| old |", "| new |")


def test_place_that_is_filled_twice_holds_the_last() -> None:
    pages = part("pages")
    once = pages.filled(PAGE, "speed", "benchmarks/a.py", "docs/page.md", r"| \1 \g<0> |")
    twice = pages.filled(once, "speed", "benchmarks/a.py", "docs/page.md", "| old |")
    assert pages.held(once, "speed", "benchmarks/a.py", "docs/page.md") == r"| \1 \g<0> |"
    assert twice == PAGE


@pytest.mark.parametrize(("text", "count"), [("# Page\n", 0), (PAGE + PAGE, 2)])
def test_page_without_one_place_is_refused(text: str, count: int) -> None:
    with pytest.raises(SystemExit, match=rf"docs/page\.md has {count} places for 'speed', between .*; one is needed"):
        part("pages").filled(text, "speed", "benchmarks/a.py", "docs/page.md", "| new |")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2.0 M rows/s", 1 / 2e6),
        ("159 k samples/s", 1 / 159e3),
        ("578,224 rows/s", 1 / 578_224),
        ("1,671 requests/s", 1 / 1671),
        ("98 µs", 98e-6),
        ("2,118 µs, 2,850 µs", 2118e-6),
        ("1.270 ms", 1.27e-3),
        ("350 s", 350.0),
        ("1.04 times", 1.04),
    ],
)
def test_speeds_and_times_are_seconds(text: str, seconds: float) -> None:
    assert part("figures").seconds_of(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["-", "", "0.41 GiB", "61%", "none; at 100: requests/s", "3 samples", "0 rows/s", "reached"]
)
def test_what_is_no_speed_or_time_is_none(text: str) -> None:
    assert part("figures").seconds_of(text) is None


def test_figures_are_named_by_the_cells_before_them() -> None:
    lines = [["data", "what", "rows/s", "resident"], ["shop", "score", "500", "1 GB"], ["shop", "bare", "900", "2 GB"]]
    (found,) = part("figures").figures(lines, {"rows/s": "rows/s"}, ours="score")
    assert (found.row, found.column, found.text, found.is_speed) == ("shop, score", "rows/s", "500 rows/s", True)


def test_clock_before_the_figure_is_no_part_of_its_name() -> None:
    figures = part("figures")
    before, now = (
        figures.figures([["rows", "clock", "processor"], ["1,000,000", clock, processor]], {"processor": ""})
        for clock, processor in (("19.7 s", "6.8 s"), ("20.1 s", "68 s"))
    )
    (found,) = figures.changes(before, now)
    assert (found.now.row, found.change) == ("1,000,000", pytest.approx(9.0))


def test_column_that_a_table_lacks_is_named() -> None:
    with pytest.raises(ValueError, match=r"the table has no column 'speed'; its columns are data, rows/s"):
        part("figures").figures([["data", "rows/s"]], {"speed": ""})


@pytest.mark.parametrize(
    ("before", "now", "is_slower", "change"),
    [
        ("100 rows/s", "89 rows/s", True, -0.11),
        ("100 rows/s", "95 rows/s", False, -0.05),
        ("100 rows/s", "300 rows/s", False, 2.0),
        ("10 ms", "11.2 ms", True, 0.12),
        ("10 ms", "10.9 ms", False, 0.09),
        ("900 µs", "1.2 ms", True, 1 / 3),
        ("1 ms", "500 µs", False, -0.5),
    ],
)
def test_slower_is_beyond_noise(before: str, now: str, is_slower: bool, change: float) -> None:  # noqa: FBT001 (a parameter of the test)
    figures = part("figures")
    (found,) = figures.changes([figure(before)], [figure(now)])
    assert bool(figures.slower([found], 0.1, {})) == is_slower
    assert found.change == pytest.approx(change)


def test_spread_of_rounds_excuses_what_it_covers() -> None:
    figures = part("figures")
    found = figures.changes([figure("10 ms", "a"), figure("10 ms", "b")], [figure("13 ms", "a"), figure("13 ms", "b")])
    assert [each.now.row for each in figures.slower(found, 0.1, {"a": 0.4, "b": 0.2})] == ["b"]


def test_figures_without_a_twin_are_not_compared() -> None:
    assert part("figures").changes([figure("10 ms", "a")], [figure("99 ms", "b")]) == []


def committed(stamp: str = "Measured on One CPU, 2 cores, load 0.1, 2026-01-01.", ours: str = "ours") -> dict[str, str]:
    table = f"| what | {ours} |\n| --- | --- |\n| a | 10 ms |\n| b | 4 ms |\n\n{stamp}"
    return {"docs/page.md": f"<!-- speed: benchmarks/a.py -->\n{table}\n<!-- end of speed -->\n"}


NOW = [["what", "ours"], ["a", "20 ms"], ["b", "4 ms"]]


def compared(now: list[list[str]], before: dict[str, str]) -> Any:
    place = part("catalogue").Place(name="speed", page="docs/page.md", columns={"ours": ""})
    return part("comparing").compared(benchmark(place), outcome("One CPU", now), before)


def test_slower_figure_is_told_with_both_values() -> None:
    told = part("comparing").told([compared(NOW, committed())])
    assert told.splitlines()[-1].split() == ["a", "a:", "ours", "10", "ms", "20", "ms", "+100%"]
    assert "slower by more than noise, or gone, 1 of 2 figures" in told


def test_figure_that_is_none_any_more_is_told_as_gone() -> None:
    found = compared([["what", "ours"], ["a", "none; at 50:"], ["b", "4 ms"]], committed())
    told = part("comparing").told([found])
    assert told.splitlines()[-1].split() == ["a", "a:", "ours", "10", "ms", "gone", "-"]
    assert "1 of 2 figures" in told
    assert found.is_worse


def test_new_figure_is_counted_apart() -> None:
    told = part("comparing").told([compared([*NOW[:1], ["a", "10 ms"], NOW[2], ["c", "1 ms"]], committed())])
    assert told.splitlines() == [
        "figures that the last commit has not, compared with nothing: 1",
        "none of 2 figures is slower by more than noise",
    ]


@pytest.mark.parametrize("before", [{"docs/page.md": "# Page without the place"}, committed(ours="theirs")])
def test_place_or_column_that_is_not_committed_is_new(before: dict[str, str]) -> None:
    found = compared(NOW, before)
    assert (found.count, found.new, found.is_worse) == (0, 2, False)


@pytest.mark.parametrize(
    ("stamp", "whose"),
    [("Measured on Another CPU, 8 cores, load 0.1.", "Another CPU"), ("", "a processor that is not named")],
)
def test_figures_of_another_processor_are_not_compared(stamp: str, whose: str) -> None:
    place = part("catalogue").Place(name="speed", page="docs/page.md", columns={"ours": ""})
    comparing = part("comparing")
    found = comparing.compared(benchmark(place), outcome("One CPU", NOW), committed(stamp))
    assert found.slower == []
    assert f"a: committed figures are of {whose}" in comparing.told([found])
    assert "none of 0 figures" in comparing.told([found])


def test_machine_that_is_said_is_read_back() -> None:
    found = outcome("Intel(R) Xeon(R) Processor (family 6, model 167)")
    assert part("comparing").measured_on(found.machine.said()) == "Intel(R) Xeon(R) Processor (family 6, model 167)"
    assert found.machine.said().endswith(", 2 cores, load 0.5, 2026-01-31.")


def test_benchmark_that_prints_other_tables_failed() -> None:
    with pytest.raises(part("running").FailedError, match="a printed 0 tables, and pages have places for 2"):
        part("comparing").checked(
            benchmark(part("catalogue").Place(name="one"), part("catalogue").Place(name="two")), outcome("One CPU")
        )


def test_every_script_is_a_benchmark_of_the_list() -> None:
    scripts = {path.name for path in BENCHMARKS.glob("*.py")} - {"bench.py"}
    assert {Path(each.script).name for each in part("catalogue").catalogue().values()} == scripts


def test_committed_tables_have_the_columns_that_are_compared() -> None:
    figures, pages, tables = part("figures"), part("pages"), part("tables")
    for each in part("catalogue").catalogue().values():
        for place in each.places:
            text = pages.held((ROOT / place.page).read_text(), place.name, each.script, place.page)
            (lines,) = tables.tables_of(text)
            assert bool(figures.figures(lines, place.columns, place.ours)) == bool(place.columns), place.name


def test_words_of_a_path_stay_one(tmp_path: Path) -> None:
    catalogue, wanting = part("catalogue"), part("wanting")
    made = catalogue.Benchmark(name="a", command="a.py --folder {disk}", quick="--rows 1", minutes=1)
    folder = tmp_path / "with a blank"
    assert wanting.words(made, {"disk": folder}, quick=True) == ("a.py", "--folder", str(folder), "--rows", "1")


def test_data_that_nobody_named_leave_a_benchmark_out() -> None:
    catalogue, wanting = part("catalogue"), part("wanting")
    made = catalogue.Benchmark(name="a", command="a.py {ml_1m}", minutes=1)
    assert wanting.lacking(made, {}) == "it needs --ml-1m FOLDER (MovieLens-1M, unpacked)"
    assert wanting.lacking(made, {"ml_1m": ROOT}) is None


def test_package_that_is_missing_leaves_a_benchmark_out() -> None:
    made = part("catalogue").Benchmark(name="a", command="a.py", minutes=1, needs=("numpy", "polyrank_of_nobody"))
    assert part("wanting").lacking(made, {}) == "polyrank_of_nobody is not installed"
