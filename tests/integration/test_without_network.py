"""Train, export and publish need no network: they run where there is none."""

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
from toy import TOY_TOML, toy_table

UNSHARE = ["unshare", "--map-root-user", "--net"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        subprocess.run([*UNSHARE, "true"], check=False, capture_output=True).returncode != 0,
        reason="this machine lets nobody have a network of their own (unshare --net)",
    ),
]


def alone(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [*UNSHARE, sys.executable, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_verbs_from_rows_to_a_repository_run_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "schema.toml").write_text(TOY_TOML)
    (tmp_path / "train.toml").write_text("epochs = 1\n")
    pyarrow.parquet.write_table(toy_table(500), tmp_path / "rows.parquet")
    data, schema = tmp_path / "rows.parquet", ("--schema", tmp_path / "schema.toml")
    verbs: list[tuple[str | Path, ...]] = [
        ("schema", "check", tmp_path / "schema.toml", data),
        ("train", data, *schema, "--config", tmp_path / "train.toml", "--out", tmp_path / "run"),
        ("export", tmp_path / "run", "--out", tmp_path / "bundle", "--rows-only"),
        ("publish", tmp_path / "bundle", tmp_path / "models"),
    ]
    for verb in verbs:
        done = alone("-m", "polyrank", *verb)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / "toy" / "1" / "model.onnx").is_file()


def test_nothing_is_reached_there() -> None:
    done = alone("-c", "import socket; socket.create_connection(('192.0.2.1', 80), 1)")
    assert "Network is unreachable" in done.stderr
