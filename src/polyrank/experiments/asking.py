"""What is compared, and by which columns."""

import dataclasses

import msgspec

from polyrank.arguments import inner_share
from polyrank.errors import ConfigError
from polyrank.evaluation.keys import keys_of
from polyrank.impressions import ARM
from polyrank.schema import Schema
from polyrank.tasks import MulticlassTask


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is compared, and by which columns.

    Attributes:
        schema: with the tasks that are compared alone; those of classes have no mean.
        by: column of arms.
        user: column of users.
    """

    schema: Schema
    by: str
    user: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Those that rows must have."""
        observed = (name for task in self.schema.tasks for name in (task.label, task.when) if name is not None)
        return tuple(dict.fromkeys((self.by, self.user, *observed)))


def asked_of(schema: Schema, *, by: str, user: str | None, confidence: float) -> Asked:
    """Choose tasks and columns.

    Raises:
        ConfigError: `confidence` is out of range, no column of users is known, or no task has a mean.
    """
    inner_share("confidence", confidence)
    user = keys_of(schema, user=user).user
    if user is None:
        raise ConfigError("user must be named, since the schema has no group and no categorical feature of users")
    tasks = tuple(task for task in schema.tasks if not isinstance(task, MulticlassTask))
    if not tasks:
        raise ConfigError("schema must have a task that is not multiclass, whose labels have no mean; got none")
    return Asked(msgspec.structs.replace(schema, tasks=tasks), by, user)


def columns_compared(schema: Schema, *, by: str = ARM, user: str | None = None) -> tuple[str, ...]:
    """Return the columns of rows that a comparison reads; see `compare`."""
    return asked_of(schema, by=by, user=user, confidence=0.5).columns
