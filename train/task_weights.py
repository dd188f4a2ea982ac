"""Weights of tasks that a configuration gives in place of the schema's."""

from collections.abc import Mapping

import msgspec

from polyrank.errors import ConfigError
from polyrank.schema import Schema
from polyrank.spelling import suggestion


def weighted(schema: Schema, weights: Mapping[str, float]) -> Schema:
    """Return the schema with these weights of its tasks.

    Raises:
        ConfigError: the schema has no task of a name.
    """
    names = [task.name for task in schema.tasks]
    for name in weights:
        if name not in names:
            hint = suggestion(name, names)
            raise ConfigError(f"$.task_weights.{name} is no task of the schema{hint}; there are {', '.join(names)}")
    tasks = (msgspec.structs.replace(task, weight=weights.get(task.name, task.weight)) for task in schema.tasks)
    return msgspec.structs.replace(schema, tasks=tuple(tasks))
