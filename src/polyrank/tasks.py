"""Kinds of tasks: what a model learns from a label column, and what it answers."""

from typing import Literal

import msgspec


class BinaryTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="binary"):
    """A probability, learned from 0/1 labels by log-loss. Null labels and rows where `when` is not 1 do not count."""

    name: str
    label: str
    when: str | None = None
    weight: float = 1.0


class RegressionTask(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="regression"
):
    """A number, learned by squared error; with `transform = "log1p"` by that of its log1p. Answers in label units."""

    name: str
    label: str
    when: str | None = None
    weight: float = 1.0
    transform: Literal["log1p"] | None = None


Task = BinaryTask | RegressionTask
