"""What a cache of encoded rows was made of: when any of it changes, the cache is not used."""

import hashlib
import json
import time
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from polyrank.files import Location, RemotePath
from polyrank.schema import Schema
from polyrank.train.config import TrainConfig
from polyrank.train.statistics import FITTED

FORMAT = 1
"""Raised whenever the same rows come to be encoded, or laid out in the file, in another way."""

CLOCK_TICK_S = 0.02
"""A file that changes twice within a tick of the file system's clock, 10 ms at most on Linux, has one time for both."""

_NOT_ENCODED = ("embedding_dim", "side")


def made_of(schema: Schema, config: TrainConfig) -> dict[str, Any]:
    """Describe how rows are encoded: all of the schema but what only the model looks at, and what decides the split.

    What training fits on the rows is left out too: a run's schema has it, and that of the same rows before does not.
    """
    described = msgspec.to_builtins(schema.resolved())
    for feature in described["features"]:
        for name in _NOT_ENCODED:
            feature.pop(name, None)
        fitted = (*FITTED, "boundaries") if feature.get("quantiles") is not None else FITTED
        feature.update({name: None for name in fitted if name in feature})
    for task in described["tasks"]:
        task.pop("weight")
    return {
        "format": FORMAT,
        "polyrank": version("polyrank"),
        "schema": described,
        "encoding": config.encoding,
        "split": [config.validation.split, config.validation.column, config.validation.hours is not None],
    }


def fingerprints(files: Sequence[Location]) -> list[list[Any]]:
    """Describe the state of files: where, which, how large, and when their content and their entry changed last.

    The system sets the last of them, so that no program that writes a file, or puts another in its place, can keep it.
    A file that has just changed is waited for. Of files of a store it is what the store says: tag, time, size.
    """
    return [_fingerprint(file) for file in files]


def digest(value: object) -> str:
    """Return 16 hexadecimal digits that stand for a value of JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _fingerprint(file: Location) -> list[Any]:
    if isinstance(file, RemotePath):
        return file.state()
    state = file.stat()
    age = time.time() - state.st_ctime
    if 0 <= age < CLOCK_TICK_S:
        time.sleep(CLOCK_TICK_S - age)
        state = file.stat()
    return [str(file.resolve()), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns]
