"""Records of cycles that nobody ran, and a repository with versions of the shop's model."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from artefacts.runs import SMALL, make_run
from artefacts.shop_logs import BEGIN_S, SCHEMA

from polyrank.encoder import Encoder
from polyrank.export import ExportOptions, ServingOptions, export_onnx, publish
from polyrank.loop import Cycle, Loop, Record
from polyrank.loop.findings import AnyFound, PublishFound, RowsFound, TrainFound
from polyrank.schema import Schema


def hour(hours: float) -> datetime:
    """Return so many hours after the shop opened."""
    return datetime.fromtimestamp(BEGIN_S, UTC) + timedelta(hours=hours)


def record(cycle: Cycle, *found: AnyFound) -> Cycle:
    """Return a cycle with these steps done, and their records written."""
    for each in found:
        done = Record(cycle=cycle.number, found=each, began="2026-07-01T00:00:00.000Z", seconds=0.0)
        cycle.folder.mkdir(parents=True, exist_ok=True)
        done.save(cycle.file(done.step))
        cycle = Cycle(cycle.loop, cycle.number, (*cycle.records, done))
    return cycle


def rows_found(until: float, *, since: float | None = None, window_s: float = 1_800.0) -> RowsFound:
    """Return what the rows of a cycle were, taken in until some hours after the shop opened."""
    return RowsFound(
        outcome="joined",
        new=1,
        earlier=0,
        since=None if since is None else hour(since),
        begins=None,
        ends_before=hour(until) - timedelta(seconds=window_s),
        until=hour(until),
        windows_s={"click": window_s, "buy": window_s},
        holdout_s=3_600.0,
        base_until=None,
        joined=None,
    )


def train_found(run_id: str = "0123456789ab") -> TrainFound:
    """Return what a training found."""
    return TrainFound(outcome="trained", run_id=run_id, started_from=None, rows=1, validation={})


def publish_found(version: int, before: int | None) -> PublishFound:
    """Return what a publish found."""
    return PublishFound(outcome="published", model="shop", version=version, run_id="0123456789ab", before=before)


def shop_bundle(folder: Path) -> Path:
    """Export a run of the shop's schema with random weights."""
    schema = Schema.from_toml(SCHEMA)
    rows = Encoder(schema).encode([{"user_id": each, "item_id": each, "price": each * 0.5} for each in range(200)])
    make_run(folder / "run", schema, sample=rows, config=SMALL)
    return export_onnx(folder / "run", out=folder / "bundle", options=ExportOptions(requests=None)).path


def publish_twice(loop: Loop, bundle: Path) -> None:
    """Publish a bundle as versions 1 and 2."""
    for _ in range(2):
        publish(bundle, loop.repository, options=ServingOptions(warm_up=(1,)))


def with_repository(loop: Loop, repository: Path) -> Loop:
    """Return a loop whose repository is a copy of another."""
    shutil.copytree(repository, loop.repository)
    return loop
