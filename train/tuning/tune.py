"""The search: a trial after another, each a training on the same encoded rows."""

import dataclasses
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from tqdm import tqdm

from polyrank.errors import ConfigError, DivergedError
from polyrank.files import Location
from polyrank.metrics import Metric, Metrics, find_metric
from polyrank.rows import Rows
from polyrank.schema import Schema, toml_text
from polyrank.tasks import Task
from polyrank.train.balancing import build_balancer
from polyrank.train.config import TrainConfig
from polyrank.train.encoded.identity import digest
from polyrank.train.preparing import TrainingData, prepare
from polyrank.train.run import calibrate_and_validate, train_model
from polyrank.train.search_space import SearchSpace
from polyrank.train.task_weights import weighted

from .space import check_choices, given_values, space_around, suggest
from .storage import opened_study
from .trials import BEST_FILE, State, Tried, finished, tried, write_files

if TYPE_CHECKING:
    from optuna import Study, Trial

SEEDS = 2**32

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tuning:
    """What a search found.

    Attributes:
        best: the best trial that came to its end.
        trials: all of them.
        config: file of the best configuration.
    """

    best: Tried
    trials: Sequence[Tried]
    config: Path


def tune(  # noqa: PLR0913 (as the command has them)
    schema: Schema,
    data: str | Location | Rows,
    *,
    metric: str,
    out: str | Path,
    config: TrainConfig | None = None,
    trials: int = 20,
    timeout_s: float | None = None,
    cache: str | Path | None = None,
) -> Tuning:
    """Search for the configuration whose validation metric is best, and write it to `out`.

    `config.tune` says where. The first trial is `config` itself, where that lies in the space. Others are chosen by
    the tree-structured Parzen estimator (Bergstra et al., Algorithms for Hyper-Parameter Optimization, NIPS 2011),
    from seeds that follow from `config.seed`, and end early where they are worse than the median of the others at
    the same validation. The same call goes on where another was interrupted, with the trials that it would have had.

    Args:
        schema: features and tasks.
        data: as `fit` takes them; encoded and split once.
        metric: task and metric of the validation rows, such as `click.auc`.
        out: folder of the search, made where it does not exist; `best.toml` and `trials.csv` come there.
        config: what is searched around.
        trials: how many, with those that are in `out` already; those that were interrupted do not count.
        timeout_s: seconds after which no trial begins but the first; None is no limit.
        cache: directory of encoded rows, as `fit` takes it.

    Raises:
        ConfigError: a value is out of range, `out` holds another search, or no trial came to its end.
        DataError: the data cannot be read, or do not fit the schema.
        MissingExtraError: Optuna is not installed.
        OutputError: `out` cannot be written, or another process searches there.
    """
    config, out = config or TrainConfig(), Path(out)
    _check(trials, timeout_s)
    task, measure = find_metric(schema, metric)
    schema = weighted(schema, config.task_weights)
    space = space_around(config, schema)
    check_choices(space, config)  # this and the next refuse before hours of encoding
    build_balancer(config.balancing, schema.tasks, seed=config.seed)
    with tqdm(desc="encode", unit="row", unit_scale=True, delay=2.0, disable=None) as bar:
        rows = prepare(schema, data, config, cache=None if cache is None else Path(cache), progress=bar.update)
    search = _Search(rows, config, space, task, measure)
    with opened_study(out, search.digest) as study:
        found = _search(study, search, out, trials=trials, until=time.monotonic() + (timeout_s or math.inf))
    best = _best(found, measure)
    if best is None:
        raise ConfigError(f"none of {len(found)} trials came to its end ({_ends(found)}); change [tune], or give more")
    return Tuning(best=best, trials=found, config=out / BEST_FILE)


@dataclasses.dataclass(frozen=True)
class _Search:
    """What is the same for all trials."""

    data: TrainingData
    config: TrainConfig
    space: SearchSpace
    task: Task
    metric: Metric

    @property
    def digest(self) -> str:
        """What the search is of."""
        config = msgspec.structs.replace(self.config, tune=self.space)
        rows = [len(self.data.train), len(self.data.validation), self.data.digest]
        return digest([self.data.schema.to_toml(), toml_text(config), self.task.name, self.metric.name, rows])

    def value(self, metrics: Metrics) -> float:
        """Return the value that is searched for."""
        return metrics[self.task.name][self.metric.name]


def _search(study: "Study", search: _Search, out: Path, *, trials: int, until: float) -> list[Tried]:
    import optuna
    from optuna.trial import TrialState

    found = tried(study)
    write_files(out, found, _best(found, search.metric))
    if finished(found) == 0 and not study.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        study.enqueue_trial(given_values(search.space, search.config, search.data.schema))
    while finished(found) < trials:
        # A sampler for each trial: one that goes on would draw what the first trials drew again.
        study.sampler = optuna.samplers.TPESampler(seed=(search.config.seed * 1_000_003 + finished(found)) % SEEDS)
        study.pruner = optuna.pruners.MedianPruner()
        _try(study, study.ask(), search)
        found = tried(study)
        write_files(out, found, _best(found, search.metric))
        last = found[-1]
        value = "" if last.value is None else f", {search.task.name} {search.metric.name} {last.value:.6f}"
        logger.info("trial %d of %d: %s%s", finished(found), trials, last.state, value)
        if time.monotonic() >= until:
            break
    return found


def _try(study: "Study", trial: "Trial", search: _Search) -> None:
    """Train with what the study suggests, and tell it what came out; what else a trial raises is told, and raised."""
    import optuna
    from optuna.trial import TrialState

    start = time.perf_counter()
    state: State = "complete"
    value = None
    try:
        config = suggest(trial, search.space, search.config, search.data.schema)
        value = _measure(trial, config, search)
        state = "complete" if math.isfinite(search.metric.cost(value)) else "undefined"
    except optuna.TrialPruned:
        state = "pruned"
    except DivergedError as err:
        logger.info("%s", err)
        state = "diverged"
    except Exception:
        trial.set_user_attr("state", "failed")
        study.tell(trial, state=TrialState.FAIL)
        raise
    trial.set_user_attr("seconds", time.perf_counter() - start)
    if state == "complete" and value is not None:
        trial.set_user_attr("value", value)
        trial.set_user_attr("config", toml_text(config))
    trial.set_user_attr("state", state)
    if state == "complete" and value is not None:
        study.tell(trial, search.metric.cost(value))
    else:
        study.tell(trial, state=TrialState.PRUNED if state == "pruned" else TrialState.FAIL)


def _measure(trial: "Trial", config: TrainConfig, search: _Search) -> float:
    """Train, and return the metric of the model that is kept."""
    import optuna

    data = dataclasses.replace(search.data, schema=weighted(search.data.schema, config.task_weights))

    def report(entry: dict[str, Any]) -> None:
        cost = search.metric.cost(search.value(entry["validation"]))
        if math.isfinite(cost):
            trial.report(cost, entry["steps"] * config.batch_size)
            if trial.should_prune():
                raise optuna.TrialPruned

    progress = logger.isEnabledFor(logging.INFO)
    training = train_model(data, config, progress=progress, on_validation=report)
    return search.value(calibrate_and_validate(training, data, config).evaluation.values)


def _best(trials: Sequence[Tried], metric: Metric) -> Tried | None:
    done = [(metric.cost(trial.value), trial.number, trial) for trial in trials if trial.value is not None]
    return min(done)[-1] if done else None


def _ends(trials: Sequence[Tried]) -> str:
    states = [trial.state for trial in trials]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))


def _check(trials: int, timeout_s: float | None) -> None:
    if not 1 <= trials <= 1_000_000:  # noqa: PLR2004
        raise ConfigError(f"trials must be in [1, 1000000], got {trials}")
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        raise ConfigError(f"timeout_s must be above 0 and finite, got {timeout_s}")
