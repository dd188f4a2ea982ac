"""The schema: which columns are features, which are tasks. One TOML file that every step of the path reads.

Training fits statistics of numeric features and writes them into the schema of the run, so the schema beside a model
says everything that the model does to a row.
"""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from polyrank import arguments
from polyrank.decoding import decode_toml
from polyrank.errors import MissingExtraError, SchemaError
from polyrank.feature_rules import resolved_features
from polyrank.features import (
    BagFeature,
    CategoricalFeature,
    DenseFeature,
    Feature,
    HashedFeature,
    NeighborsFeature,
    NumericFeature,
    SharingFeature,
    TextFeature,
)
from polyrank.located import located_message
from polyrank.reasons import system_reason
from polyrank.tasks import BinaryTask, Task

_TENSORS = ("ids", "weights", "dense")
WIRE_NAMES = frozenset(
    {*_TENSORS, *(f"{half}_{name}" for half in ("user", "item") for name in _TENSORS)}
    | {"task_weights", "score", "top_items", "top_scores"}
)
"""Names of tensors of the graphs, which no task may have."""


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Features and tasks of a ranker, with defaults resolved and every reference checked.

    `time` names the column that a time split sorts by, in `time_unit` when it is an integer; `group` the column whose
    values, users as a rule, a group split keeps together; `sample_weight` the column that weighs a row's loss.
    """

    name: str
    features: tuple[Feature, ...]
    tasks: tuple[Task, ...]
    time: str | None = None
    time_unit: Literal["s", "ms", "us", "ns"] = "ms"
    group: str | None = None
    sample_weight: str | None = None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file.

        Raises:
            ConfigError: `path` is none.
            SchemaError: the file cannot be read, is not TOML, or breaks a rule; the message holds the TOML path.
        """
        try:
            text = arguments.path("path", path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as err:
            reason = system_reason(err) if isinstance(err, OSError) else "not UTF-8 text"
            raise SchemaError(f"cannot read schema {path}: {reason}") from err
        try:
            return cls.from_toml(text)
        except SchemaError as err:
            raise SchemaError(f"{path}: {err}") from err.__cause__

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Parse TOML text; see `load`.

        Raises:
            ConfigError: `text` is none.
            SchemaError: as `load`.
        """
        arguments.instance("text", text, str | bytes, "TOML text")
        try:
            schema = decode_toml(text, cls)
        except msgspec.ValidationError as err:
            raise SchemaError(located_message(err, cls)) from err
        except msgspec.DecodeError as err:
            raise SchemaError(f"not valid TOML: {err}") from err
        return schema.resolved()

    def resolved(self) -> Self:
        """Return the same schema, checked, with shared and default values filled in."""
        _check_names(self)
        binary = [task.name for task in self.tasks if isinstance(task, BinaryTask)]
        return msgspec.structs.replace(self, features=resolved_features(self.features, binary))

    def to_toml(self) -> str:
        """Write the schema as TOML; `from_toml` gives it back.

        Raises:
            MissingExtraError: the library tomli-w, part of the extra `train`, is not installed.
        """
        return toml_text(self)

    @property
    def hashed_features(self) -> tuple[HashedFeature, ...]:
        """Features that are hashed, in schema order: the slots of `ids`."""
        return tuple(feature for feature in self.features if isinstance(feature, HashedFeature))

    @property
    def numeric_features(self) -> tuple[NumericFeature, ...]:
        """Numeric features, in schema order."""
        return tuple(feature for feature in self.features if isinstance(feature, NumericFeature))

    @property
    def dense_features(self) -> tuple[DenseFeature, ...]:
        """Features that are numbers, in schema order: the columns of `dense`."""
        return tuple(feature for feature in self.features if isinstance(feature, DenseFeature))

    @property
    def neighbors_features(self) -> tuple[NeighborsFeature, ...]:
        """Features that training makes of the logs, in schema order: they have no column."""
        return tuple(feature for feature in self.features if isinstance(feature, NeighborsFeature))

    @property
    def feature_columns(self) -> tuple[str, ...]:
        """Columns that a row needs to be scored, each once."""
        return columns_for(self.features)

    @property
    def text_columns(self) -> tuple[str, ...]:
        """Columns that are read as they are written, where a file has no types."""
        return tuple(
            feature.name
            for feature in self.features
            if isinstance(feature, TextFeature)
            or (isinstance(feature, SharingFeature) and feature.dtype == "text")
            or (isinstance(feature, BagFeature) and feature.separator is not None)
        )

    @property
    def integer_columns(self) -> tuple[str, ...]:
        """Columns of whole numbers that a float may not hold."""
        return tuple(
            feature.name
            for feature in self.features
            if isinstance(feature, CategoricalFeature) and feature.dtype == "int64"
        )

    @property
    def training_columns(self) -> tuple[str, ...]:
        """Columns that a row needs to be trained on: features, labels, conditions and what splits or weighs rows."""
        observed = (column for task in self.tasks for column in (task.label, task.when) if column is not None)
        others = (column for column in (self.time, self.group, self.sample_weight) if column is not None)
        return tuple(dict.fromkeys((*self.feature_columns, *observed, *others)))


def columns_for(features: Iterable[Feature]) -> tuple[str, ...]:
    """Return the columns that a row needs for these features, each once."""
    columns = (
        feature.columns if isinstance(feature, HashedFeature) else (feature.name,)
        for feature in features
        if not isinstance(feature, NeighborsFeature)
    )
    return tuple(dict.fromkeys(itertools.chain.from_iterable(columns)))


def toml_text(value: msgspec.Struct) -> str:
    """Write a struct as TOML, without fields that are None.

    Raises:
        MissingExtraError: the library tomli-w, part of the extra `train`, is not installed.
    """
    try:
        import tomli_w
    except ImportError as err:
        raise MissingExtraError("writing TOML needs tomli-w; pip install 'polyrank[train]'") from err
    return tomli_w.dumps(_without_none(msgspec.to_builtins(value)), multiline_strings=False)


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value


def _check_names(schema: Schema) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", schema.name):
        raise SchemaError(f"$.name must be letters, digits, '_' or '-', got {schema.name!r}")
    for part in ("features", "tasks"):
        seen: set[str] = set()
        for index, item in enumerate(getattr(schema, part)):
            path = f"$.{part}[{index}].name"
            if not item.name:
                raise SchemaError(f"{path} must not be empty")
            if item.name in seen:
                raise SchemaError(f"{path} must be unique, got {item.name!r} a second time")
            seen.add(item.name)
        if not seen:
            raise SchemaError(f"$.{part} must hold at least one entry, got none")
    for index, task in enumerate(schema.tasks):
        _check_task(index, task)
    _check_outputs(schema)
    for field in ("time", "group", "sample_weight"):
        if getattr(schema, field) == "":
            raise SchemaError(f"$.{field} must not be empty")
    _check_leaks(schema)


def _check_task(index: int, task: Task) -> None:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", task.name) or task.name in WIRE_NAMES:
        raise SchemaError(
            f"$.tasks[{index}].name must be letters, digits or '_' and none of {sorted(WIRE_NAMES)}, got {task.name!r}"
        )
    for key, fault in task.faults():
        raise SchemaError(f"$.tasks[{index}].{key} {fault} (task {task.name!r})")


def _check_outputs(schema: Schema) -> None:
    """Refuse a task that is named like another output of an ordinal one."""
    owners = {name: task.name for task in schema.tasks for name in task.outputs if name != task.name}
    for index, task in enumerate(schema.tasks):
        if task.name in owners:
            raise SchemaError(
                f"$.tasks[{index}].name {task.name!r} is the output of the probabilities of task "
                f"{owners[task.name]!r}; rename one of them"
            )


def _check_leaks(schema: Schema) -> None:
    """Refuse a feature that is a label: the model would be handed the answer."""
    for index, task in enumerate(schema.tasks):
        if task.label in schema.feature_columns:
            raise SchemaError(
                f"$.tasks[{index}].label {task.label!r} is also a feature; the model would be handed the answer"
            )
