"""What a comparison found is written, read again, and told in words."""

from pathlib import Path

import msgspec
import pytest

from polyrank.drift import Drift, Limits, Result, drift_lines, drift_rows, drift_summary
from polyrank.drift.results import Data, Measure, Move, Side
from polyrank.errors import ConfigError, DataError

DEVICE = Drift(
    name="device",
    part="feature",
    kind="categorical",
    reference=Side(missing=0.0),
    current=Side(missing=0.125),
    measures=(
        Measure(name="psi", value=0.5, chance=0.01, limit=0.2),
        Measure(name="missing", value=0.125, chance=0.01, limit=0.05),
        Measure(name="new", value=0.1, chance=0.01, limit=0.2),
    ),
    drifted=True,
    new=0.1,
    expected_new=0.0,
    moves=(Move(value="tv", reference=0.25, current=0.5),),
)
CLICK = Drift(
    name="click",
    part="label",
    kind="binary",
    reference=Side(missing=0.0, mean=0.25, sd=0.5),
    current=Side(missing=0.0, mean=0.26, sd=0.5),
    measures=(Measure(name="mean", value=0.04, chance=0.02, limit=0.1),),
    drifted=False,
    ks=0.01,
)
GENRE = msgspec.structs.replace(
    CLICK,
    name="genre",
    part="score",
    kind="multiclass",
    reference=Side(missing=0.0),
    current=Side(missing=0.0),
    column=2,
)
RESULT = Result(
    reference=Data(source="a", rows=2_000),
    current=Data(source="b", rows=1_000),
    limits=Limits(),
    drifts=(DEVICE, CLICK, GENRE),
    not_compared={"like": "is_like"},
)


def test_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    RESULT.save(tmp_path / "drift.json")
    assert Result.load(tmp_path / "drift.json") == RESULT


def test_excess_is_that_of_the_furthest_measure() -> None:
    assert DEVICE.excess == 2.5
    assert msgspec.structs.replace(DEVICE, measures=()).excess == 0.0


def test_only_what_is_beyond_a_limit_drifted() -> None:
    assert RESULT.drifted == (DEVICE,)


def test_table_shows_both_sides_where_they_differ() -> None:
    assert drift_rows(RESULT) == [
        ("name", "part", "kind", "psi", "missing", "new", "mean", "length", "ks"),
        ("device", "feature", "categorical", "0.500", "0.0% to 12.5%", "10.0%", "", "", ""),
        ("click", "label", "binary", "", "0.0%", "", "0.25 to 0.26", "", "0.010"),
        ("genre[2]", "score", "multiclass", "", "0.0%", "", "", "", "0.010"),
    ]


def test_lines_say_beyond_which_limits_and_what_moved() -> None:
    assert drift_lines(RESULT) == [
        "feature device: psi 0.5 (limit 0.2); missing moved by 12.5% (limit 5.0%); 'tv' 25.0% to 50.0%"
    ]


MEANS = {0.25: "mean moved by 25.0% of it (limit 10.0%)", 9.4e26: "mean moved by 9.4e+26 times it (limit 10.0%)"}


@pytest.mark.parametrize("moved", MEANS)
def test_change_of_a_mean_is_told_in_a_few_digits(moved: float) -> None:
    measure = Measure(name="mean", value=moved, chance=0.0, limit=0.1)
    drift = msgspec.structs.replace(CLICK, measures=(measure,), drifted=True)
    assert drift_lines(msgspec.structs.replace(RESULT, drifts=(drift,))) == [f"label click: {MEANS[moved]}"]


def test_summary_counts_each_part() -> None:
    assert drift_summary(RESULT) == (
        "1,000 rows beside 2,000: 1 of 1 features drifted: device; 0 of 1 labels drifted; 0 of 1 scores drifted; "
        "labels not compared: like"
    )


WRONG = {
    "psi 0": ({"psi": 0.0}, "psi must be above 0 and finite, got 0.0"),
    "psi inf": ({"psi": float("inf")}, "psi must be above 0 and finite, got inf"),
    "psi nan": ({"psi": float("nan")}, "psi must be above 0 and finite, got nan"),
    "missing": ({"missing": 1.5}, "missing must be above 0 and at most 1, got 1.5"),
    "new": ({"new": -0.1}, "new must be above 0 and at most 1, got -0.1"),
    "label": ({"label": 0.0}, "label must be above 0 and finite, got 0.0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_limit_out_of_range_is_refused(case: str) -> None:
    limits, message = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        Limits(**limits)
    assert str(caught.value) == message


UNREADABLE = {
    "absent": (None, "drift.json cannot be read: no such file or directory"),
    "something else": (
        "{}",
        "drift.json is no comparison: Object missing required field `reference`; make one with: polyrank drift",
    ),
    "no text": ("\udcff", "drift.json is no comparison: "),
    "newer": (
        msgspec.structs.replace(RESULT, format=9).to_json(),
        "drift.json is of format 9, 1 expected; make one with this Polyrank: polyrank drift",
    ),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_file_that_is_no_result_is_refused(tmp_path: Path, case: str) -> None:
    text, message = UNREADABLE[case]
    if text is not None:
        (tmp_path / "drift.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(DataError) as caught:
        Result.load(tmp_path / "drift.json")
    assert message in str(caught.value)
