"""A schema proposed from data: what becomes of each column, and why."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from polyrank.arguments import instance
from polyrank.encoder import numbers
from polyrank.errors import ConfigError, DataError
from polyrank.features import CategoricalFeature, Feature
from polyrank.files import UTF8, Location, Progress, Wanted
from polyrank.spelling import suggestion
from polyrank.tasks import BinaryTask, RegressionTask, Task

from .check_config import check_draw
from .choices import HEAVY_SKEW, almost_numbers, choose, skewness
from .labels import LabelInspector
from .leaks import LEAK_AUC, LEAK_CORRELATION, alone
from .moments import looks_like_time
from .names import looks_like_outcome, looks_like_weight, names_a_user, task_name
from .profiles import Profile, names_of
from .reading import read_profiles
from .sampling import Sample


@dataclasses.dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a schema might be, with a reason for each part: (part, reason)."""

    rows: int
    time: tuple[str, str, str] | None
    group: tuple[str, str] | None
    features: Sequence[tuple[Feature, str]]
    tasks: Sequence[tuple[Task, str]]
    left_out: Sequence[tuple[str, str]]


class InferConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to propose: `labels` are guessed where none is given; the rest is as in `CheckConfig`."""

    labels: tuple[str, ...] = ()
    sample_rows: int = 100_000
    seed: int = 0
    encoding: str = UTF8

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        check_draw(self.sample_rows, self.seed)


def propose(path: Location, config: InferConfig, *, progress: Progress = lambda _done, _total: None) -> Proposal:
    """Look at every column of a file, of the files of a directory, or of those of a pattern; in memory as `check` is.

    Raises:
        DataError: the data cannot be read or hold no row, or no column can be a feature.
        ConfigError: a label is no column of numbers, or there is none and none can be guessed; or `config` is no
            `InferConfig`.
    """
    instance("config", config, InferConfig, "an InferConfig(...)")
    draw = Sample(config.sample_rows, np.random.default_rng((config.seed, *b"sample")))
    profiles, rows = read_profiles(path, Wanted(encoding=config.encoding), draw, progress)
    sample = draw.table()
    labels = [_given(name, profiles, rows) for name in config.labels] or _guessed(profiles)
    tasks = _tasks(labels, sample, is_given=bool(config.labels))
    time = _time(profiles, labels)
    left_out: list[tuple[str, str]] = []
    rest = [one for one in profiles.values() if one not in labels and (time is None or one.name != time[0])]
    candidates = _without(rest, left_out, rows, sample)
    leaks = _leaks(candidates, [task for task, _ in tasks], sample, config.seed)
    left_out += leaks.items()
    kept = [one for one in candidates if one.name not in leaks]
    if not kept:
        raise DataError(
            f"{path} has no column that can be a feature besides labels and times; bring what is known before"
        )
    features = [choose(one, kept, sample, rows) for one in kept]
    return Proposal(rows=rows, time=time, group=_group(features), features=features, tasks=tasks, left_out=left_out)


def _given(name: str, profiles: dict[str, Profile], rows: int) -> Profile:
    profile = profiles.get(name)
    if profile is None:
        hint = suggestion(name, list(profiles)) or f"; there are {names_of(list(profiles.values()))}"
        raise ConfigError(f"label {name!r} is no column{hint}")
    if profile.form not in ("integer", "float"):
        raise ConfigError(f"label {name!r} holds {profile.type}; a label is a number: make a 0/1 column of it")
    if profile.refused is not None:
        raise ConfigError(f"label {name!r} cannot be learned: {profile.refused}; correct the data, or name another")
    if profile.reader is None or profile.reader.missing == rows:
        raise ConfigError(f"label {name!r} has no value in any row; correct the data, or name another")
    return profile


def _guessed(profiles: dict[str, Profile]) -> list[Profile]:
    flags = [profile for profile in profiles.values() if profile.is_flag()]
    found = [profile for profile in flags if looks_like_outcome(profile.name)]
    if not found:
        hint = f" (columns of 0 and 1: {names_of(flags)})" if flags else ""
        raise ConfigError(f"no column of 0 and 1 is named like a label, as is_click is; name one with --label{hint}")
    return found


def _tasks(labels: Sequence[Profile], sample: Any, *, is_given: bool) -> list[tuple[Task, str]]:
    found: list[tuple[Task, str]] = []
    origin = "given" if is_given else "guessed from its name"
    for label in labels:
        name = task_name(label.name, [task.name for task, _ in found])
        if label.is_flag():
            found.append(
                (BinaryTask(name=name, label=label.name), f"{origin}; {_share_of_ones(label, sample):.2%} are 1")
            )
            continue
        log1p = label.low is not None and label.low >= 0 and skewness(label, sample) > HEAVY_SKEW
        task = RegressionTask(name=name, label=label.name, transform="log1p" if log1p else None)
        found.append((task, f"{origin}; holds {label.low:g} to {label.high:g}{', with a heavy tail' if log1p else ''}"))
    return found


def _share_of_ones(label: Profile, sample: Any) -> float:
    return float(np.nanmean(numbers(sample.column(label.name), label.name)))


def _time(profiles: dict[str, Profile], labels: Sequence[Profile]) -> tuple[str, str, str] | None:
    """Return the column of times, its unit and why, where one has a time in every row."""
    for profile in profiles.values():
        unit = _unit(profile)
        if unit is not None and profile not in labels and profile.nulls == 0:
            low, high = (
                np.array(end).astype(f"datetime64[{unit}]").astype("datetime64[s]")
                for end in (profile.low, profile.high)
            )
            return profile.name, unit, f"{profile.type}, {low} to {high} in this unit"
    return None


def _unit(profile: Profile) -> str | None:
    """Return the unit of what looks like times; None of what has no value, as a column that a file lacks."""
    if profile.low is None:
        return None
    return looks_like_time(profile.name, profile.type, profile.low, profile.high)


def _group(features: Sequence[tuple[Feature, str]]) -> tuple[str, str] | None:
    """Return the column that names the user, and why; None where no name is that of one."""
    for feature, _ in features:
        if isinstance(feature, CategoricalFeature) and names_a_user(feature.name):
            return feature.name, "names users: metrics within each of them"
    return None


def _without(rest: Sequence[Profile], left_out: list[tuple[str, str]], rows: int, sample: Any) -> list[Profile]:
    """Return the columns that can be features, and note why the others cannot."""
    kept = []
    for profile in rest:
        reason = _obstacle(profile, rows)
        if reason is None:
            kept.append(profile)
        else:
            left_out.append((profile.name, reason + almost_numbers(profile, sample)))
    return kept


def _obstacle(profile: Profile, rows: int) -> str | None:  # noqa: PLR0911 (a list of reasons)
    if _unit(profile) is not None:
        return "looks like a time: a model that knows it learns the past by heart"
    if looks_like_weight(profile.name):
        return "named like a weight, which goes into sample_weight or a bag's weights, or like a side of a split"
    if profile.refused is not None:
        return profile.refused
    if profile.reader is None or profile.reader.missing == rows:
        return "no row has a value"
    if profile.is_constant() and profile.reader.missing == 0:
        return "constant: one value in all rows"
    if looks_like_outcome(profile.name):
        return "named like an outcome, which is not known when a row is scored; a label if it is a task's"
    unique = "unique: each row has its own value, which a new row will not have"
    return unique if profile.is_unique(rows) else None


def _leaks(candidates: Sequence[Profile], tasks: Sequence[Task], sample: Any, seed: int) -> dict[str, str]:
    readers = [profile.reader for profile in candidates if profile.reader is not None]
    labels = [LabelInspector(task) for task in tasks]
    limits = {one.task.name: LEAK_AUC if one.is_binary else LEAK_CORRELATION for one in labels}
    found = {}
    for name, strengths in alone(readers, labels, sample, seed).items():
        for task, value in strengths.items():
            if value > limits[task]:
                measure = "AUC" if limits[task] == LEAK_AUC else "correlation"
                found[name] = f"looks like an outcome: alone it reaches {measure} {value:.3f} on {task}"
    return found
