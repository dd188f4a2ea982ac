"""`polyrank score`: what is wrong with files and options is told before anything is written."""

import errno
import signal
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from artefacts.scripted_http import ScriptedHttp, refusal
from toy import toy_table

from polyrank.__main__ import main
from polyrank.errors import ServerUnavailableError
from polyrank.serving import scoring
from polyrank.serving.blocks import Pending
from polyrank.serving.caller import Caller

WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "absent": (lambda _: None, "rows.parquet does not exist; give a file, a directory of files, or a pattern"),
    "empty directory": (Path.mkdir, "rows.parquet holds no file that ends in "),
    "no Parquet": (lambda path: path.write_text("text"), "rows.parquet cannot be read as Parquet: "),
    "other columns": (
        lambda path: pq.write_table(pa.table({"x": [1]}), path),
        "rows.parquet: column 'user_id' is missing (the file has: x)",
    ),
    "no row": (lambda path: pq.write_table(toy_table(1)[:0], path), "rows.parquet holds no row"),
    "a wrong value": (
        lambda path: pq.write_table(toy_table(5).set_column(7, "plays", pa.array([1, 2, -1, 4, 5])), path),
        "rows.parquet: column 'plays' holds -1.0 at row 3",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_rows_that_cannot_be_scored_are_one_line(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    prepare, message = WRONG[case]
    monkeypatch.chdir(tmp_path)
    prepare(Path("rows.parquet"))
    before = sorted(tmp_path.iterdir())
    assert main(["score", str(toy_bundle), "rows.parquet", "--out", "scores.parquet"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


NAMES = "scores are written as Parquet or CSV; name a .parquet or .csv file"
REFUSED = {
    "packed CSV": (["--out", "scores.csv.gz"], f"cannot write scores.csv.gz: {NAMES}"),
    "a workbook": (["--out", "scores.xlsx"], f"cannot write scores.xlsx: {NAMES}"),
    "a folder of parts": (["--out", "scores.parts"], f"cannot write scores.parts: {NAMES}"),
    "a folder in the way": (["--out", "folder"], "cannot write folder: is a directory; choose another output"),
    "a stream": (["--out", "/dev/stdout"], "cannot write /dev/stdout: it is a stream"),
    "a column twice": (["--keep", "age", "--keep", "age"], "--keep names column 'age' twice; name it once"),
    "a column of scores": (["--keep", "click"], "--keep names column 'click', which scores have too; rename it"),
    "an unknown column": (["--keep", "ages"], "rows.parquet: column 'ages' is missing; did you mean 'age'?"),
    "lists in CSV": (
        ["--keep", "history", "--out", "scores.csv"],
        "--keep names column 'history' of type list<element: int64>, which CSV does not hold; write Parquet, to a .pa",
    ),
    "another name": (["--name", "nope"], "--name must be 'toy', the model of "),
    "no time": (["--timeout-s", "nan"], "--timeout-s must be above 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_options_are_one_line(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    options, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    pq.write_table(toy_table(5), "rows.parquet")
    Path("folder").mkdir()
    assert main(["score", str(toy_bundle), "rows.parquet", "--out", "scores.parquet", *options]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "rows.parquet"]


IS_ONE = "it is a file of the rows {}; choose another output file"
WOULD_BE = "files there would be rows of {} the next time; choose another folder"
AMONG = {
    ("logs/a.parquet", "logs/a.parquet"): IS_ONE,
    ("logs/a.parquet", "link.parquet"): IS_ONE,
    ("link.parquet", "logs/../logs/a.parquet"): IS_ONE,
    ("logs", "logs/a.parquet"): IS_ONE,
    ("logs", "logs/b.parquet"): WOULD_BE,
    ("logs", "new.parquet"): WOULD_BE,
    ("logs", "logs/deep/b.csv"): WOULD_BE,
    ("logs", "logs/parts_lie_beside"): WOULD_BE,
    ("logs/*.parquet", "logs/b.parquet"): WOULD_BE,
    ("l*", "logs/b.parquet"): WOULD_BE,
}


@pytest.mark.parametrize(("rows", "out"), AMONG)
def test_scores_never_lie_among_the_rows(
    toy_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rows: str,
    out: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("logs").mkdir()
    pq.write_table(toy_table(5), "logs/a.parquet")
    Path("link.parquet").symlink_to("logs/a.parquet")
    Path("new.parquet").symlink_to("logs/b.parquet")
    before = Path("logs/a.parquet").read_bytes()
    assert main(["score", str(toy_bundle), rows, "--out", out]) == 1
    assert capsys.readouterr().err == f"polyrank: cannot write {out}: {AMONG[rows, out].format(rows)}\n"
    assert {path.name: path.read_bytes() for path in Path("logs").iterdir()} == {"a.parquet": before}


FOREIGN: dict[str, dict[str, str]] = {
    "notes": {"notes.txt": "mine"},
    "notes beside a state": {"notes.txt": "mine", "state.json": '{"rows":[],"model":"toy","run_id":"","keep":[]}'},
    "state.json": {"state.json": '{"version": 4}'},
    "part-000000000000.parquet": {"part-000000000000.parquet": "mine"},
}


@pytest.mark.parametrize("resume", [[], ["--resume"]], ids=["anew", "resumed"])
@pytest.mark.parametrize("case", FOREIGN)
def test_folder_of_something_else_is_left_alone(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str, resume: list[str]
) -> None:
    pq.write_table(toy_table(5), tmp_path / "rows.parquet")
    folder = tmp_path / "scores.parquet.parts"
    folder.mkdir()
    for name, text in FOREIGN[case].items():
        (folder / name).write_text(text)
    command = ["score", str(toy_bundle), str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "scores.parquet")]
    assert main([*command, *resume]) == 1
    error = capsys.readouterr().err
    assert error.startswith(
        f"polyrank: {folder} is in the way: '{min(FOREIGN[case])}' in it is damaged, or of something"
    )
    assert {file.name: file.read_text() for file in folder.iterdir()} == FOREIGN[case]


def no_server(*_: object) -> None:
    raise ServerUnavailableError("toy at localhost:8000: no server answers after 9 attempts")


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


MIDWAY: dict[str, tuple[str, Callable[..., None], int, str]] = {
    "server": ("score", no_server, 1, "toy at localhost:8000: no server answers after 9 attempts; "),
    "disk": ("write", full, 1, "cannot write "),
    "Ctrl-C": ("score", lambda *_: signal.raise_signal(signal.SIGINT), 130, "interrupted; "),
}


@pytest.mark.parametrize("case", MIDWAY)
def test_scoring_that_ends_midway_says_how_it_goes_on(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    what, fail, code, message = MIDWAY[case]
    monkeypatch.setattr(scoring, "ROWS_IN_A_PART", 2)
    pq.write_table(toy_table(5), tmp_path / "rows.parquet")
    command = ["score", str(toy_bundle), str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "scores.parquet")]
    place = {"score": (Pending, "result"), "write": (pq, "write_table")}[what]
    works, calls = getattr(*place), []

    def third(*args: object, **keywords: object) -> object:
        calls.append(args)
        return works(*args, **keywords) if len(calls) < 3 else fail()

    with monkeypatch.context() as patch:
        patch.setattr(*place, third)
        assert main(command) == code
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.endswith("; 4 rows are kept: --resume goes on from them\n")
    assert error.count("\n") == 1
    assert main([*command, "--keep", "age", "--resume"]) == 1
    assert capsys.readouterr().err.endswith(
        "scores.parquet.parts holds parts of a scoring with other columns to keep; give the same again, or score "
        "without --resume, which drops these parts\n"
    )
    assert main([*command, "--resume"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.parquet", "scores.parquet"]
    assert pq.read_table(tmp_path / "scores.parquet").num_rows == 5


def test_wrong_row_is_not_gone_on_from(
    toy_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scoring, "ROWS_IN_A_PART", 2)
    rows = tmp_path / "rows.parquet"
    pq.write_table(toy_table(5).set_column(7, "plays", pa.array([1, 2, -1, 4, 5])), rows)
    assert main(["score", str(toy_bundle), str(rows), "--out", str(tmp_path / "scores.parquet")]) == 1
    assert "--resume" not in capsys.readouterr().err


def test_file_that_a_kill_left_half_written_is_dropped(toy_bundle: Path, tmp_path: Path) -> None:
    pq.write_table(toy_table(5), tmp_path / "rows.parquet")
    stage = tmp_path / "scores.parquet.parts" / ".part-000000000000.parquet.18a0000000000000.abcdefgh.partial"
    stage.mkdir(parents=True)
    (stage / "part-000000000000.parquet").touch()
    command = ["score", str(toy_bundle), str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "scores.parquet")]
    assert main(command) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.parquet", "scores.parquet"]


def test_kept_lists_of_fixed_size_are_columns_of_csv(toy_bundle: Path, tmp_path: Path) -> None:
    kind = pa.list_(pa.string(), 2)
    table = toy_table(3).append_column("pair", pa.array([["a", "b"], None, ["c", None]], kind))
    pq.write_table(table, tmp_path / "rows.parquet")
    command = ["score", str(toy_bundle), str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "scores.csv")]
    assert main([*command, "--keep", "pair"]) == 0
    found = pyarrow.csv.read_csv(tmp_path / "scores.csv")
    assert [found[name].to_pylist() for name in ("pair.0", "pair.1")] == [["a", "", "c"], ["b", "", ""]]


def test_published_version_goes_by_its_name(toy_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "ranker").mkdir()
    (tmp_path / "ranker" / "3").symlink_to(toy_bundle)
    (tmp_path / "ranker" / "config.pbtxt").touch()
    pq.write_table(toy_table(3), tmp_path / "rows.parquet")
    command = ["score", str(tmp_path / "ranker" / "3"), str(tmp_path / "rows.parquet"), "--name", "ranker"]
    assert main([*command, "--out", str(tmp_path / "scores.parquet")]) == 0


def test_time_alone_ends_the_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Caller, "pause_s", lambda *_: 0.0)
    busy = refusal("503 Service Unavailable", "Exceeds maximum queue size")
    server = ScriptedHttp(infer=lambda request: busy if request.number < 50 else None)
    pq.write_table(pa.table({"item": [1, 2]}), tmp_path / "rows.parquet")
    with server.listening() as url:
        assert main(["score", url, str(tmp_path / "rows.parquet"), "--out", str(tmp_path / "scores.parquet")]) == 0


def test_server_that_is_none_is_told_by_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "nowhere", "rows.parquet", "--out", "scores.parquet"]) == 1
    assert capsys.readouterr().err.startswith("polyrank: model must be host:port of the server, ")


def test_folder_of_versions_names_the_newest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("2", "10", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "signature.json").touch()
    assert main(["score", str(tmp_path), "rows.parquet", "--out", "scores.parquet"]) == 1
    assert capsys.readouterr().err == f"polyrank: {tmp_path} has versions; name one of them, as {tmp_path}/10\n"


def test_folder_that_is_no_bundle_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(tmp_path), "rows.parquet", "--out", "scores.parquet"]) == 1
    assert capsys.readouterr().err == (
        f"polyrank: {tmp_path} is not a bundle: signature.json cannot be read (no such file or directory); make one "
        "with: polyrank export\n"
    )
