"""The command line of training: what it prints, where, and with which exit status."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, toy_table

from polyrank import __version__
from polyrank.__main__ import main
from polyrank.models import TrainedRanker

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schema.toml").write_text(TOY_TOML)
    pq.write_table(toy_table(1000), tmp_path / "logs.parquet")
    return tmp_path


def train(*arguments: str, data: str = "logs.parquet") -> int:
    return main(["--quiet", "train", data, "--schema", "schema.toml", "--out", "run", *arguments])


def rewrite(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], object]:
    return lambda place: pq.write_table(change(toy_table(200)), place / "logs.parquet")


def with_column(name: str, values: list[object]) -> Callable[[pa.Table], pa.Table]:
    return lambda table: table.set_column(table.column_names.index(name), name, pa.array(values))


def write(name: str, text: str | bytes) -> Callable[[Path], object]:
    return lambda place: (place / name).write_bytes(text.encode() if isinstance(text, str) else text)


def make_file_in_the_way(place: Path) -> None:
    (place / "run").touch()


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no data": (lambda place: (place / "logs.parquet").unlink(), "logs.parquet does not exist; give a file, a direc"),
    "corrupt Parquet": (write("logs.parquet", b"PAR1 not"), "logs.parquet cannot be read as Parquet: "),
    "empty table": (rewrite(lambda table: table[:0]), "logs.parquet holds no row"),
    "one row": (rewrite(lambda table: table[:1]), "logs.parquet: the split leaves "),
    "missing column": (
        rewrite(lambda table: table.rename_columns({"user_id": "userid"})),
        "logs.parquet: column 'user_id' is missing; did you mean 'userid'? (the file has: ",
    ),
    "ids with fractions": (
        rewrite(with_column("user_id", [*[1.0] * 199, 12.5])),
        "logs.parquet: column 'user_id' holds 12.5 at row 200; whole numbers expected for a categorical feature",
    ),
    "text for a number": (
        rewrite(with_column("score", ["high"] * 200)),
        "logs.parquet: column 'score' holds 'high' at row 1; numbers expected",
    ),
    "value for a list": (
        rewrite(with_column("tags", ["a"] * 200)),
        "logs.parquet: column 'tags' holds string; a bag takes lists",
    ),
    "label of three classes": (
        rewrite(with_column("is_click", [0, 1, 2, *[0] * 197])),
        "logs.parquet: label column 'is_click' holds 2 at row 3; 0 or 1 expected for a binary task (task 'click')",
    ),
    "unobserved label": (
        rewrite(with_column("rating", [None] * 200)),
        "logs.parquet: label column 'rating' has no observed value to train on (task 'rating')",
    ),
    "missing time": (
        rewrite(with_column("time_ms", [None] * 200)),
        "logs.parquet: time column 'time_ms' is missing at row 1; a time split needs every",
    ),
    "no schema": (
        lambda place: (place / "schema.toml").unlink(),
        "cannot read schema schema.toml: no such file or directory",
    ),
    "unknown key in the schema": (
        write("schema.toml", "colour = 1\n" + TOY_TOML),
        "schema.toml: $: object contains unknown field colour",
    ),
    "schema that is no text": (write("schema.toml", b"\xff"), "cannot read schema schema.toml: not UTF-8 text"),
    "tables beyond memory": (
        write(
            "schema.toml",
            TOY_TOML.replace("num_buckets = 500\nembedding_dim = 8", "num_buckets = 2147483647\nembedding_dim = 4096"),
        ),
        "training needs 65,544.0 GiB for embedding tables, and ",
    ),
    "file in the way": (make_file_in_the_way, "run already exists; choose another output directory or remove it"),
}


@pytest.mark.parametrize(("spoil", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_one_line_and_leaves_nothing(
    place: Path, capsys: Capture, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(place)
    before = sorted(path.name for path in place.iterdir())
    assert train() == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"polyrank: {message}")
    assert output.err.count("\n") == 1
    assert output.out == ""
    assert sorted(path.name for path in place.iterdir()) == before


@pytest.mark.parametrize("out", ["logs.parquet/run", "logs.parquet/deep/run", "/proc/run", "/dev/null", "r" * 300])
@pytest.mark.usefixtures("place")
def test_unwritable_run_directory_is_one_line(capsys: Capture, out: str) -> None:
    assert train("--out", out) == 1
    error = capsys.readouterr().err
    assert error.startswith("polyrank: ")
    assert error.count("\n") == 1
    assert "choose another output directory" in error


def test_wrong_config_is_one_line(place: Path, capsys: Capture) -> None:
    (place / "train.toml").write_text("[optimizer]\nlr = 0.0\n")
    assert train("--config", "train.toml") == 1
    assert capsys.readouterr().err == "polyrank: train.toml: $.optimizer.lr must be above 0, got 0.0\n"


def test_message_with_line_breaks_is_one_line(place: Path, capsys: Capture) -> None:
    (place / "schema.toml").write_text(TOY_TOML.replace('"toy"', '"a\\nb"').replace('"score"', '"a\\nb"'))
    assert train() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_training_prints_metrics_and_run(place: Path, capsys: Capture) -> None:
    assert train() == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines[:4]] == ["click", "like", "rating", "watch_s"]
    assert re.match(r"click: auc 0\.\d{6} \[0\.\d{4}, 0\.\d{4}\]$", lines[0])
    assert re.match(r"watch_s: rmse \d+\.\d{6} \[.*\], rmsle \d\.\d{6} \[.*\]$", lines[3])
    assert lines[4] == f"run {TrainedRanker.load(place / 'run').run_id} in run"


def test_config_of_the_command_line_counts(place: Path) -> None:
    (place / "train.toml").write_text("epochs = 2\n")
    assert train("--config", "train.toml") == 0
    assert "epochs = 2" in (place / "run" / "config.toml").read_text()


def test_encoding_of_the_command_line_counts(place: Path, capsys: Capture) -> None:
    lines = [json.dumps(row | {"device": "Köln"}, ensure_ascii=False) for row in toy_table(200).to_pylist()]
    (place / "logs.jsonl").write_text("\n".join(lines), encoding="latin-1")
    assert train(data="logs.jsonl") == 1
    assert "logs.jsonl cannot be read as JSON Lines: line 1 is not UTF-8 text; declare" in capsys.readouterr().err
    assert train("--encoding", "morse", data="logs.jsonl") == 1
    assert "--encoding must be an encoding such as" in capsys.readouterr().err
    assert train("--encoding", "latin-1", data="logs.jsonl") == 0
    assert 'encoding = "latin-1"' in (place / "run" / "config.toml").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["trian"],
        ["train"],
        ["train", "logs.parquet", "--out", "run"],
        ["train", "logs.parquet", "--schema", "schema.toml", "--out", "run", "--epochs", "x"],
        ["dataset", "netflix", ".", "--out", "x.parquet"],
    ],
    ids=["no verb", "unknown verb", "no data", "no schema", "unknown option", "unknown data set"],
)
def test_wrong_usage_exits_with_two(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: polyrank")


@pytest.mark.parametrize(
    "arguments",
    [
        ["export", "", "--out", "x"],
        ["inspect", ""],
        ["publish", "x", ""],
        ["rollback", "", "--name", "x"],
        ["schema", "infer", ""],
        ["score", "", "x", "--out", "y"],
        ["score", "x", "y", "--out", ""],
        ["serve", ""],
        ["versions", ""],
    ],
    ids=" ".join,
)
def test_empty_word_is_not_the_folder_one_is_in(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.endswith("must not be empty, got ''; is a variable of the shell not set?\n")


@pytest.mark.parametrize(
    "arguments", [["dataset", "storefront", "--out", "logs.csv"], ["fingerprint", "x.parquet", "--out", "logs.csv"]]
)
def test_parquet_is_not_written_under_another_ending(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    message = "argument --out/-o: is written as Parquet and must end in .parquet, got logs.csv\n"
    assert capsys.readouterr().err.endswith(message)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["dataset", "--help"], ["--version"]])
def test_help_and_version_exit_with_zero(capsys: Capture, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert "polyrank" in capsys.readouterr().out


def test_interrupt_is_one_line(place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("polyrank.train.starting.Training", interrupt)
    assert train() == 130
    assert capsys.readouterr().err == "polyrank: interrupted\n"
    assert sorted(path.name for path in place.iterdir()) == ["logs.parquet", "schema.toml"]


@pytest.mark.parametrize("name", ["onnxruntime/late.py", None])
def test_too_many_open_files_anywhere_are_one_line(
    place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: str | None
) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), name)

    monkeypatch.setattr("polyrank.train.fit", exhausted)
    assert train() == 1
    what = "" if name is None else f"cannot open {name}: "
    assert capsys.readouterr().err == f"polyrank: {what}too many open files; raise their limit with ulimit -n\n"
    assert sorted(path.name for path in place.iterdir()) == ["logs.parquet", "schema.toml"]


@pytest.mark.parametrize("command", [["-m", "polyrank"], [str(Path(sys.executable).with_name("polyrank"))]])
def test_both_ways_in_are_one_program(command: list[str]) -> None:
    arguments = [sys.executable, *command, "--version"]
    assert subprocess.run(arguments, capture_output=True, text=True, check=True).stdout == f"polyrank {__version__}\n"


def test_error_of_a_process_is_one_line_without_traceback(place: Path) -> None:
    command = [sys.executable, "-m", "polyrank", "train", "absent.parquet", "--schema", "schema.toml", "--out", "run"]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    message = "does not exist; give a file, a directory of files, or a pattern such as 'logs/*.parquet'"
    assert done.stderr == f"polyrank: absent.parquet {message}\n"


def test_dataset_is_one_parquet_file(tmp_path: Path, capsys: Capture) -> None:
    tables: dict[str, dict[str, list[int]]] = {
        "interactions": {"user_id": [1], "video_id": [2], "time_ms": [3], "play_time_ms": [4], "duration_ms": [8]},
        "users": {"user_id": [1]},
        "videos": {"video_id": [2]},
    }
    for name, columns in tables.items():
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    out = tmp_path / "new" / "logs.parquet"
    assert main(["dataset", "kuairand", str(tmp_path), "--out", str(out)]) == 0
    assert pq.read_table(out)["watch_ratio"].to_pylist() == [0.5]
    assert [path.name for path in out.parent.iterdir()] == ["logs.parquet"]
    assert capsys.readouterr().out == f"{out}: 1 rows, 6 columns\n"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        (".", "cannot write .: it names no file"),
        ("schema.toml/logs.parquet", "cannot write schema.toml/logs.parquet: "),
        ("folder", "cannot write folder: is a directory"),
        ("/proc/logs.parquet", "cannot write /proc/logs.parquet: no such file or directory"),
    ],
    ids=["current folder", "below a file", "directory", "proc"],
)
def test_unwritable_data_set_is_one_line(
    place: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch, out: str, message: str
) -> None:
    (place / "folder").mkdir()
    monkeypatch.setattr("polyrank.train.datasets.kuairand.load", lambda _: toy_table(10))
    assert main(["dataset", "kuairand", ".", "--out", out]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: {message}")
    assert error.count("\n") == 1
    assert sorted(path.name for path in place.iterdir()) == ["folder", "logs.parquet", "schema.toml"]


def test_interrupted_data_set_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object, path: Path) -> None:
        path.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr("polyrank.train.datasets.kuairand.load", lambda _: toy_table(10))
    monkeypatch.setattr("pyarrow.parquet.write_table", interrupt)
    assert main(["dataset", "kuairand", ".", "--out", "new.parquet"]) == 130
    assert sorted(path.name for path in place.iterdir()) == ["logs.parquet", "schema.toml"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("fingerprint", "rows.csv", "--column", "\udcff:text", "--out", "out.parquet"),
        ("fingerprint", "\udcff.csv", "--column", "a:text", "--out", "out.parquet"),
        ("train", "\udcff.csv", "--schema", "schema.toml", "--out", "run"),
        ("export", "\udcff", "--out", "out"),
    ],
)
def test_arguments_that_are_no_text_are_one_line(capsys: Capture, arguments: tuple[str, ...]) -> None:
    assert main(arguments) == 1
    odd = next(argument for argument in arguments if "\udcff" in argument)
    assert capsys.readouterr().err == (
        f"polyrank: arguments must be UTF-8 text, got {odd!a}; rename the file or column\n"
    )


def test_file_of_a_directory_whose_name_is_no_text_is_one_line(place: Path, capsys: Capture) -> None:
    (place / "logs").mkdir()
    (place / "logs" / "\udcff.csv").write_text("a\n1\n")
    assert train(data="logs") == 1
    assert capsys.readouterr().err == r"polyrank: the name of 'logs/\udcff.csv' is not UTF-8 text; rename it" + "\n"
