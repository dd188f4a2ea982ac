"""Train: from the weights of the run that is live, on rows older than the hold-out."""

import functools
import logging
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import OtherTrainingError
from polyrank.files import Wanted, read_table
from polyrank.loop.cutting import Cut
from polyrank.loop.cycles import WEIGHTS_FILE, Cycle, History
from polyrank.loop.findings import RowsFound, TrainFound, known
from polyrank.loop.live import live_version
from polyrank.loop.settings import Loop
from polyrank.run_record import CONFIG_FILE, METRICS_FILE, RunRecord

from .protocol import Done

if TYPE_CHECKING:
    from polyrank.train import TrainConfig

logger = logging.getLogger(__name__)


class TrainStep:
    """Trains, and goes on from a checkpoint where an attempt was cut off."""

    name = "train"

    def run(self, cycle: Cycle, history: History) -> Done:
        """Train, unless the run is there."""
        from polyrank.train import TrainConfig

        loop, settings = cycle.loop, cycle.loop.settings.train
        config = TrainConfig() if settings.config is None else TrainConfig.load(loop.path(settings.config))
        start, why = start_of(loop, history)
        if (cycle.run / METRICS_FILE).is_file() and TrainConfig.load(cycle.run / CONFIG_FILE) != config:
            shutil.rmtree(cycle.run)  # of an attempt that was cut off before its record, and other settings since
        if not (cycle.run / METRICS_FILE).is_file():
            _train(cycle, config, start)
        inputs = [cycle.rows] + [loop.path(each) for each in (loop.settings.loop.schema, settings.config) if each]
        return Done(_found(cycle, why), (*inputs, *([] if start is None else [start / WEIGHTS_FILE])), (cycle.run,))


def _train(cycle: Cycle, config: "TrainConfig", start: Path | None) -> None:
    """Train, from the first step where an attempt that was cut off had another configuration or start."""
    from polyrank.train import fit
    from polyrank.train.checkpoints import checkpoint_path

    loop = cycle.loop
    rows = Cut.of(loop.schema, cycle.found(RowsFound)).training(read_table(cycle.rows, Wanted()))
    train = functools.partial(
        fit,
        loop.schema,
        rows,
        out=cycle.run,
        config=config,
        resume=True,
        warm_start=start,
        progress=loop.shows_progress,
    )
    try:
        train()
    except OtherTrainingError as err:
        logger.warning("training begins anew: %s", err)
        checkpoint_path(cycle.run).unlink()
        train()


def start_of(loop: Loop, history: History) -> tuple[Path | None, str]:
    """Return the run whose weights training starts from, and why it is that; None starts cold."""
    live = live_version(loop)
    origin = None if live is None else history.of_run(live.run_id)
    if live is not None and origin is not None and (origin.run / METRICS_FILE).is_file():
        return origin.run, f"from the run of version {live.version}, which is live"
    if loop.settings.train.start is not None:
        return loop.path(loop.settings.train.start), "from $.train.start"
    if live is None:
        return None, "cold: nothing is live"
    return None, f"cold: version {live.version}, which is live, is of no run of this loop; name it as $.train.start"


def _found(cycle: Cycle, why: str) -> TrainFound:
    from polyrank.metrics import headline

    record = RunRecord.of(cycle.run, "")
    metrics = {
        task: {name: math.nan if value is None else value for name, value in own.items()}
        for task, own in record.validation.items()
    }
    shown = headline(cycle.loop.schema, metrics)
    return TrainFound(
        outcome="trained",
        reason=f"run {record.run_id} {why}; {record.made_of or 0:,} rows",
        run_id=record.run_id,
        started_from=None if record.warm_start is None else record.warm_start.run_id,
        rows=record.made_of or 0,
        validation={task: {name: known(value) for name, value in own.items()} for task, own in shown.items()},
    )
