"""Disks that are full at a random byte, and disks that take nothing."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from artefacts import shown, small_disks
from artefacts.killed_repositories import assert_whole, versions
from artefacts.refused import refusal, refused
from artefacts.trainings import CONFIG
from toy import toy_table

from polyrank.export import Bundle, ExportOptions, ServingOptions, export_onnx, publish
from polyrank.export.bundle import check_golden
from polyrank.models import TrainedRanker
from polyrank.schema import Schema
from polyrank.serving import ImpressionLog
from polyrank.train import TrainConfig, fit

ROOM, ROWS_ONLY = "64m", ExportOptions(requests=None)
WITHOUT_PROBE = ServingOptions(warm_up=(1,))


def size(chance: random.Random, most_kb: int) -> str:
    """Draw the size of a disk: pages of 4 kB, up to more than what is written takes."""
    return f"{4 * chance.randint(1, most_kb // 4)}k"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.faults(
    fault="full disk: a training", promise="a whole run, or one line and nothing half-written; resumes", rounds=12
)
def test_training_on_a_full_disk(
    chance: random.Random, strikes: Callable[[bool], None], toy_schema: Schema, tmp_path: Path
) -> None:
    (tmp_path / "train.toml").write_text(CONFIG)
    config = TrainConfig.load(tmp_path / "train.toml")
    with small_disks.mounted(tmp_path / "disk", size(chance, 900)) as disk:
        place = disk / "run"
        line = refusal(lambda: fit(toy_schema, toy_table(500), out=place, config=config, progress=False))
        strikes(line is not None)
        assert names(disk) <= {"run.checkpoint"} if line else names(disk) == {"run"}
        if line:
            assert line.startswith(f"cannot write {place}: ")
            small_disks.remount(disk, f"size={ROOM}")
            fit(toy_schema, toy_table(500), out=place, config=config, progress=False, resume=True)
        TrainedRanker.load(place)


@pytest.mark.faults(
    fault="full disk: an export", promise="a whole bundle, or one line and nothing half-written", rounds=6
)
def test_export_on_a_full_disk(
    chance: random.Random, strikes: Callable[[bool], None], toy_run: Path, tmp_path: Path
) -> None:
    with small_disks.mounted(tmp_path / "disk", size(chance, 500)) as disk:
        place = disk / "bundle"
        line = refusal(lambda: export_onnx(toy_run, out=place, options=ROWS_ONLY))
        strikes(line is not None)
        assert names(disk) == (set() if line else {"bundle"})
        if line is None:
            check_golden(Bundle.load(place), place / "model.onnx")


@pytest.mark.faults(
    fault="full disk: a publish", promise="one line, and all versions whole; with room it succeeds", rounds=20
)
def test_publish_on_a_full_disk(
    chance: random.Random, strikes: Callable[[bool], None], toy_bundle: Path, tmp_path: Path
) -> None:
    with small_disks.mounted(tmp_path / "disk", ROOM) as disk:
        models = disk / "models"
        publish(toy_bundle, models, options=WITHOUT_PROBE)
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(max(0, small_disks.free(disk) - 4096 * chance.randint(0, 100))))
        line = refusal(lambda: publish(toy_bundle, models, options=WITHOUT_PROBE))
        strikes(line is not None)
        assert_whole(models, Bundle.load(toy_bundle))
        assert versions(models) == (["1"] if line else ["1", "2"])
        ballast.unlink()
        publish(toy_bundle, models, options=WITHOUT_PROBE)
        assert names(disk) == {"models"}


@pytest.mark.faults(fault="full disk: a scoring", promise="all scores, or one line; resumes", rounds=6)
def test_scoring_on_a_full_disk(
    chance: random.Random, strikes: Callable[[bool], None], toy_bundle: Path, served: Path, tmp_path: Path
) -> None:
    with small_disks.mounted(tmp_path / "disk", size(chance, 40)) as disk:
        words = ["score", str(toy_bundle), str(served / "rows.parquet"), "--out", str(disk / "scored.parquet")]
        line = refused([sys.executable, "-m", "polyrank", *words], tmp_path)
        strikes(line is not None)
        if line is not None:
            assert names(disk) <= {"scored.parquet.parts"}
            small_disks.remount(disk, f"size={ROOM}")
            again = ["--resume"] if names(disk) else []
            assert refused([sys.executable, "-m", "polyrank", *words, *again], tmp_path) is None
        assert names(disk) == {"scored.parquet"}
        assert pq.read_metadata(disk / "scored.parquet").num_rows == 300


@pytest.mark.faults(
    fault="full disk: a log of impressions",
    promise="each row is written once, or counted as dropped; with room it goes on",
    rounds=20,
)
def test_log_on_a_full_disk(chance: random.Random, strikes: Callable[[bool], None], tmp_path: Path) -> None:
    items, lists = shown.items(), 200
    fills, empties = sorted(chance.sample(range(lists), 2))
    with small_disks.mounted(tmp_path / "disk", "512k") as disk:
        ballast = disk / "ballast"
        with ImpressionLog(disk / "log", flush_s=0.001, rotate_mb=0.05) as log:
            for number in range(lists):
                if number == fills:
                    log.flush()
                    ballast.write_bytes(bytes(max(0, small_disks.free(disk) - 4096 * chance.randint(0, 4))))
                if number == empties:
                    log.flush()
                    ballast.unlink()
                log.shown(shown.answer(items, request_id=str(number)), user=shown.USER, items=items)
        found = shown.rows(disk / "log")
    strikes(log.dropped > 0)
    assert found.num_rows == log.written == 3 * lists - log.dropped
    assert len(set(zip(found["request_id"].to_pylist(), found["sku"].to_pylist(), strict=True))) == found.num_rows


@pytest.mark.faults(fault="read-only disk", promise="one line, and what is there stays as it is", rounds=12)
def test_work_on_a_read_only_disk(
    chance: random.Random, toy_schema: Schema, toy_run: Path, toy_bundle: Path, tmp_path: Path
) -> None:
    with small_disks.mounted(tmp_path / "disk", ROOM) as disk:
        publish(toy_bundle, disk / "models", options=WITHOUT_PROBE)
        small_disks.remount(disk, "ro")
        works = [
            lambda: fit(toy_schema, toy_table(200), out=disk / "run", progress=False),
            lambda: export_onnx(toy_run, out=disk / "bundle", options=ROWS_ONLY),
            lambda: publish(toy_bundle, disk / "models"),
        ]
        line = refusal(chance.choice(works))
        assert line is not None
        assert "read-only file system" in line
        assert names(disk) == {"models"}
        assert_whole(disk / "models", Bundle.load(toy_bundle))
