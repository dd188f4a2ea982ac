"""`polyrank loop`: what it prints, writes and exits with."""

import errno
import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from artefacts.loop_cycles import record, rows_found
from artefacts.shop_logs import LOOP, SCHEMA, Shop

from polyrank.__main__ import main
from polyrank.errors import OutputError, RepositoryError, ServerUnavailableError, StepError
from polyrank.located import load_toml
from polyrank.loop import Cycle, Loop, Settings, follow, run_loop
from polyrank.loop.findings import DriftFound
from polyrank.loop.locking import alone
from polyrank.loop.records import Trouble
from polyrank.loop.steps.rows import RowsStep

DOCS = Path(__file__).parents[2] / "docs" / "loop.md"
EXAMPLE = Path(__file__).parents[2] / "examples" / "loop" / "loop.toml"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    return Shop.open(tmp_path)


def loop(*arguments: str) -> int:
    return main(["--quiet", "loop", *arguments])


def test_loop_that_cannot_begin_says_what_it_waits_for(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert loop(shop.settings.name) == 0
    assert capsys.readouterr().out == (
        "cycle 1  rows waits for impressions: impressions does not exist; give a file, a directory of files, or a "
        "pattern such as 'logs/*.parquet'\n"
    )


def test_status_says_it_again(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    loop(shop.settings.name)
    capsys.readouterr()
    assert loop("status", shop.settings.name) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:-1] == ["live    nothing", "next    cycle 1 rows"]
    assert lines[-1].startswith("waits   for impressions: impressions does not exist")


def test_one_step_is_one_step(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.show(hours=(0, 4), rows=800)
    for step in ("rows joined: ", "drift not compared: "):
        assert loop(shop.settings.name, "--step") == 0
        assert capsys.readouterr().out.startswith(f"cycle 1  {step}")
    assert sorted(each.name for each in (shop.folder / "loop" / "cycles" / "000001").iterdir()) == [
        "01-rows.json",
        "02-drift.json",
        "rows",
    ]


def test_steps_as_json_are_their_records(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.show(hours=(0, 4), rows=800)
    loop(shop.settings.name, "--step", "--json")
    printed = json.loads(capsys.readouterr().out)
    written = json.loads((shop.folder / "loop" / "cycles" / "000001" / "01-rows.json").read_bytes())
    assert (printed["cycle"], printed["step"], printed["record"]) == (1, "rows", written)


def test_records_name_what_was_read_and_written(shop: Shop) -> None:
    shop.show(hours=(0, 4), rows=800)
    loop(shop.settings.name, "--step")
    written = json.loads((shop.folder / "loop" / "cycles" / "000001" / "01-rows.json").read_bytes())
    assert [(each["path"], each["files"]) for each in written["inputs"]] == [("impressions", 1), ("outcomes", 1)]
    assert written["wrote"] == ["loop/cycles/000001/rows"]


def test_status_has_a_table_of_cycles(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    record(Cycle(Loop.load(shop.settings), 1), rows_found(4), DriftFound(outcome="stopped", ends=True))
    loop("status", shop.settings.name)
    assert [line.split() for line in capsys.readouterr().out.splitlines()[:2]] == [
        ["cycle", "rows", "drift", "train", "evaluate", "parity", "publish", "verify", "watch", "rollback"],
        ["1", "joined", "stopped", *["-"] * 7],
    ]


def test_status_as_json_has_all_records(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    record(Cycle(Loop.load(shop.settings), 1), rows_found(4))
    assert loop("status", shop.settings.name, "--json") == 0
    status = json.loads(capsys.readouterr().out)
    assert status["cycles"][0]["records"][0]["found"]["until"] == "2026-07-01T04:00:00Z"
    assert (status["next_cycle"], status["next_step"], status["live"]) == (1, "drift", None)


def test_step_that_fails_is_recorded_and_tried_again(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.show(hours=(0, 4), rows=800)
    (shop.folder / "outcomes" / "broken.parquet").write_text("no rows")
    for _ in range(2):
        assert loop(shop.settings.name) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("polyrank: cycle 1, rows: outcomes/broken.parquet cannot be read as Parquet: ")
    failed = Trouble.load(shop.folder / "loop" / "cycles" / "000001" / "01-rows.failed.json")
    assert failed.attempts == 2
    assert failed.reason.startswith("outcomes/broken.parquet cannot be read as Parquet: ")
    assert failed.first < failed.last
    (shop.folder / "outcomes" / "broken.parquet").unlink()
    assert loop(shop.settings.name, "--step") == 0


def test_status_says_why_a_step_failed(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.show(hours=(0, 4), rows=800)
    (shop.folder / "outcomes" / "broken.parquet").write_text("no rows")
    loop(shop.settings.name)
    capsys.readouterr()
    loop("status", shop.settings.name)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["1", "failed", *["-"] * 8]
    assert lines[-1].startswith("failed  outcomes/broken.parquet cannot be read as Parquet: ")


def test_second_loop_is_refused_in_one_line(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(shop.folder / "loop"):
        assert loop(shop.settings.name) == 1
        assert loop("status", shop.settings.name) == 0
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "runs the loop in loop; wait until it ends, or stop it" in captured.err
    assert "runs    process " in captured.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["status", "loop.toml", "--step"], "argument --step: not allowed with status"),
        (["status", "loop.toml", "--follow"], "argument --follow: not allowed with status"),
        (["loop.toml", "--step", "--follow"], "argument --follow: not allowed with argument --step"),
        (["begin", "loop.toml"], "argument action: invalid choice: 'begin'"),
        ([], "the following arguments are required: LOOP.TOML"),
    ],
)
def test_wrong_usage_exits_with_two(
    shop: Shop, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert shop.settings.is_file()
    with pytest.raises(SystemExit) as stopped:
        loop(*arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_follow_looks_again_and_survives_failures(shop: Shop) -> None:
    shop.settings.write_text(LOOP + "\n[loop]\npoll_s = 0.01\n")
    failures: list[str] = []
    reports = follow(Loop.load(shop.settings), on_failure=lambda err: failures.append(str(err)))
    assert next(reports).waits_for is not None
    shop.show(hours=(0, 4), rows=800)
    broken = shop.folder / "outcomes" / "broken.parquet"
    broken.write_text("no rows")

    def mended(err: Exception) -> None:
        failures.append(str(err))
        broken.unlink()

    reports.close()
    reports = follow(Loop.load(shop.settings), on_failure=mended)
    report = next(reports)
    reports.close()
    assert (report.step, report.waits_for) == ("rows", None)
    assert [each.startswith("cycle 1, rows: ") for each in failures] == [True]


class EnoughError(Exception):
    """Ends a loop that would go on for ever."""


def two_failures(shop: Shop) -> list[str]:
    shop.settings.write_text(LOOP + "\n[loop]\npoll_s = 0.01\n")
    failures: list[str] = []

    def told(err: Exception) -> None:
        failures.append(str(err))
        if len(failures) == 2:
            raise EnoughError

    with pytest.raises(EnoughError):
        next(follow(Loop.load(shop.settings), on_failure=told))
    return failures


def test_follow_survives_a_disk_that_takes_no_record(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("impressions", "outcomes"):
        (shop.folder / name).mkdir()
        (shop.folder / name / "broken.parquet").write_text("no rows")

    def full(*_: object) -> None:
        raise OutputError("no space left")

    monkeypatch.setattr(Trouble, "save", full)
    assert all(each.startswith("cycle 1, rows: ") and "broken.parquet" in each for each in two_failures(shop))


def test_follow_survives_a_folder_that_cannot_be_made(shop: Shop) -> None:
    (shop.folder / "loop").mkdir()
    (shop.folder / "loop" / "cycles").write_text("in the way")
    place = shop.folder / "loop" / "cycles" / "000001"
    assert two_failures(shop) == [f"cycle 1, rows: {place}: not a directory"] * 2


def test_follow_prints_what_it_waits_for_once(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def three_looks(*_: object, **__: object) -> Iterator[object]:
        from polyrank.loop import Report

        yield from (Report(1, "rows", waits_for=reason) for reason in ("a", "a", "b"))

    monkeypatch.setattr("polyrank.loop.follow", three_looks)
    assert loop(shop.settings.name, "--follow") == 0
    assert capsys.readouterr().out.splitlines() == ["cycle 1  rows waits for a", "cycle 1  rows waits for b"]


def test_example_has_the_defaults_that_it_says(tmp_path: Path) -> None:
    shipped = load_toml(EXAMPLE, Settings, "loop settings")
    (tmp_path / "bare.toml").write_text(
        '[rows]\nimpressions = "impressions"\noutcomes = "outcomes"\n[publish]\nrepository = "model_repository"\n'
    )
    assert shipped == load_toml(tmp_path / "bare.toml", Settings, "loop settings")


def test_example_names_every_setting() -> None:
    text = EXAMPLE.read_text()
    for section in msgspec.structs.fields(Settings):
        body = text.split(f"[{section.name}]")[1].split("\n[")[0]
        for field in msgspec.structs.fields(section.type):
            assert f"{field.encode_name} = " in body, (section.name, field.name)


def test_example_goes_with_a_schema(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").write_text(EXAMPLE.read_text())
    (tmp_path / "schema.toml").write_text(SCHEMA)
    assert Loop.load(tmp_path / "loop.toml").model == "shop"


def test_python_of_the_docs_runs_as_written(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert shop.settings.name == "loop.toml"
    (block,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    exec(block, {})  # noqa: S102 (our own)
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0].split(":")[0], lines[1]] == ["1 rows waits for impressions", "None"]


def test_damaged_record_is_one_line(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    cycle = record(Cycle(Loop.load(shop.settings), 1), rows_found(4))
    cycle.file("rows").write_text("[]")
    assert loop(shop.settings.name) == 1
    assert capsys.readouterr().err.startswith("polyrank: loop/cycles/000001/01-rows.json is no record of a step: ")


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ServerUnavailableError("No server answers at a:1; start it"), "No server answers at a:1; start it"),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on device"),
        (OSError(errno.EIO, "Input/output error", "rows"), "rows: input/output error"),
    ],
)
def test_failures_are_told_in_their_own_words(
    failure: OSError, reason: str, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise failure

    monkeypatch.setattr(RowsStep, "run", refused)
    with pytest.raises(StepError) as failed:
        list(run_loop(Loop.load(shop.settings)))
    assert str(failed.value) == f"cycle 1, rows: {reason}"


def test_failures_name_settings_and_no_option(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise RepositoryError("models has model 'shop_rank'; export without --rows-only")

    monkeypatch.setattr(RowsStep, "run", refused)
    with pytest.raises(StepError, match=r"cycle 1, rows: .*; export without \$\.export\.rows_only"):
        list(run_loop(Loop.load(shop.settings)))
