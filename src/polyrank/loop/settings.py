"""loop.toml: what the loop reads, and how it decides."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from polyrank import arguments
from polyrank.errors import ConfigError
from polyrank.evaluation.keys import keys_of
from polyrank.files import local_path
from polyrank.located import load_toml
from polyrank.metrics import metric_names
from polyrank.schema import Schema
from polyrank.spelling import suggestion
from polyrank.tasks import MulticlassTask, Task

from .sections import (
    DriftSection,
    EvaluateSection,
    ExportSection,
    LoopSection,
    PublishSection,
    RowsSection,
    Section,
    TrainSection,
    WatchSection,
)


class Settings(Section, frozen=True, kw_only=True):
    """All of loop.toml, a section for each part."""

    rows: RowsSection
    publish: PublishSection
    loop: LoopSection = LoopSection()
    drift: DriftSection = DriftSection()
    train: TrainSection = TrainSection()
    evaluate: EvaluateSection = EvaluateSection()
    export: ExportSection = ExportSection()
    watch: WatchSection = WatchSection()


@dataclasses.dataclass(frozen=True)
class Loop:
    """A loop: its settings, and what they name.

    Attributes:
        settings: of loop.toml.
        home: the folder of loop.toml, which its paths are relative to.
        schema: of the rows.
        shows_progress: whether training shows bars.
    """

    settings: Settings
    home: Path
    schema: Schema
    shows_progress: bool = False

    @classmethod
    def load(cls, path: str | Path, *, shows_progress: bool = False) -> Self:
        """Read loop.toml and the schema that it names.

        Raises:
            ConfigError: the file cannot be read, is not TOML, or holds a wrong key or value.
            SchemaError: the schema is wrong, or names no time column.
        """
        path = arguments.path("path", path)
        settings = load_toml(path, Settings, "loop settings")
        home = path.parent
        schema = Schema.load(home / settings.loop.schema)
        for fault in _faults(settings, schema):
            raise ConfigError(f"{path}: {fault}")
        return cls(settings, home, schema, shows_progress)

    def path(self, written: str) -> Path:
        """Return what a path of loop.toml stands for."""
        return Path(os.path.normpath(self.home / written))

    def shown(self, path: Path) -> str:
        """Return a path as records have it: relative to loop.toml where it lies below."""
        return str(path.relative_to(self.home)) if path.is_relative_to(self.home) else str(path)

    @property
    def folder(self) -> Path:
        """Of cycles."""
        return self.path(self.settings.loop.folder)

    @property
    def repository(self) -> Path:
        """The model repository."""
        return self.path(str(local_path(self.settings.publish.repository)))

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.settings.publish.model or self.schema.name

    @property
    def judged_tasks(self) -> tuple[Task, ...]:
        """Tasks that a run is judged by before it is published."""
        return _chosen(self.schema, self.settings.evaluate.tasks)

    @property
    def watched_tasks(self) -> tuple[Task, ...]:
        """Tasks whose outcomes are watched."""
        return _watched(self.settings, self.schema)


def _chosen(schema: Schema, names: Sequence[str] | None) -> tuple[Task, ...]:
    return tuple(task for task in schema.tasks if names is None or task.name in names)


def _watched(settings: Settings, schema: Schema) -> tuple[Task, ...]:
    found = _chosen(schema, settings.watch.tasks)
    return tuple(task for task in found if not isinstance(task, MulticlassTask))


def _faults(settings: Settings, schema: Schema) -> Iterator[str]:
    """Yield what does not go with the schema."""
    if schema.time is None:
        yield f"$.loop.schema {settings.loop.schema} names no time column, which orders rows; add time = '...' to it"
    if _watched(settings, schema) and keys_of(schema, user=settings.rows.user).user is None:
        yield (
            f"$.rows.user must name the column of users, by whom tasks are watched: {settings.loop.schema} has no "
            "group and no categorical feature of users; or watch none with tasks = [] in [watch]"
        )
    tasks = {task.name: task for task in schema.tasks}
    named = {
        "rows.windows": settings.rows.windows,
        "evaluate.tasks": settings.evaluate.tasks or (),
        "evaluate.metrics": settings.evaluate.metrics,
        "watch.tasks": settings.watch.tasks or (),
        "watch.lower_is_better": settings.watch.lower_is_better,
    }
    for path, names in named.items():
        for name in names:
            if name not in tasks:
                yield f"$.{path} names {name!r}, which is no task of {settings.loop.schema}{suggestion(name, [*tasks])}"
    for name, metric in settings.evaluate.metrics.items():
        known = metric_names(tasks[name], grouped=schema.group is not None) if name in tasks else ()
        if metric not in known:
            hint = suggestion(metric, known)
            yield f"$.evaluate.metrics.{name} must be one of {', '.join(known)}, got {metric!r}{hint}"
        if metric == "calibration":
            yield f"$.evaluate.metrics.{name} is 'calibration', which has no better side; choose another metric"
