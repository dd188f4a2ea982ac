"""Rows by arm and user."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import instance
from polyrank.errors import ConfigError, DataError
from polyrank.evaluation.influence import numbered
from polyrank.metrics.evaluation import group_codes
from polyrank.rows import Column, is_missing
from polyrank.spelling import suggestion

from .results import ArmSize

CONTROL = "control"

MAX_ARMS = 100
"""With more values a column is one of something else, such as users; memory grows with arms times users."""


@dataclasses.dataclass(frozen=True)
class Arms:
    """Rows [B] by arm and user.

    Attributes:
        names: of arms, the baseline first.
        codes: int64 [B], position in `names`; -1 without an arm.
        users: int64 [B], in [0, num_users); a row without a user has one of its own.
        num_users: U.
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]
    users: NDArray[np.int64]
    num_users: int

    @property
    def outside(self) -> int:
        """Rows without an arm."""
        return int((self.codes < 0).sum())

    @property
    def sizes(self) -> tuple[ArmSize, ...]:
        """Users and rows of each arm."""
        rows, users = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names)), self._seen.sum(axis=1)
        return tuple(
            ArmSize(name=name, users=int(users[code]), impressions=int(rows[code]))
            for code, name in enumerate(self.names)
        )

    @property
    def shared_users(self) -> int:
        """Users with rows of more than one arm."""
        return int((self._seen.sum(axis=0) > 1).sum())

    @property
    def _seen(self) -> NDArray[np.bool_]:
        """Mark who saw which arm, bool [arms, U]."""
        seen = np.zeros((len(self.names), self.num_users), bool)
        known = self.codes >= 0
        seen[self.codes[known], self.users[known]] = True
        return seen


def read_arms(column: Column, users: NDArray[np.int64], *, by: str, baseline: str | None) -> Arms:
    """Read the column of arms, and number users.

    Args:
        column: of arms, of any type; null is no arm.
        users: fingerprints, int64 [B]; -1 is no user.
        by: name of the column.
        baseline: the first arm; None chooses.

    Raises:
        ConfigError: no arm is named `baseline`, or there are more than 100.
        DataError: there are not two arms, or the column holds lists, maps or structs.
    """
    values, codes = _encoded(column, by)
    names = _ordered(sorted(set(values), key=_natural), by, baseline)
    places = np.array([*(names.index(value) for value in values), -1])
    units = numbered(group_codes(users), len(users))
    return Arms(names, places[codes], units, int(units.max(initial=-1)) + 1)


def _ordered(present: Sequence[str], by: str, baseline: str | None) -> tuple[str, ...]:
    if baseline is not None:
        instance("baseline", baseline, str, "the name of an arm")
    if baseline is not None and baseline not in present:
        known = f"{by!r} holds {', '.join(map(repr, present))}" if present else f"{by!r} is null in every row"
        raise ConfigError(f"baseline must be an arm, got {baseline!r}; {known}{suggestion(baseline, present)}")
    if len(present) < 2:  # noqa: PLR2004 (what is compared)
        held = f"only {present[0]!r}" if present else "no value"
        raise DataError(f"column {by!r} holds {held}; two arms or more are needed to compare")
    if len(present) > MAX_ARMS:
        held = f"{by!r} with {len(present):,} values"
        raise ConfigError(f"by must be a column of arms, of {MAX_ARMS} at most, got {held}; name another column")
    first = baseline or (CONTROL if CONTROL in present else present[0])
    return (first, *(name for name in present if name != first))


def _encoded(column: Column, by: str) -> tuple[list[str], NDArray[np.int64]]:
    """Return the texts of a column, and the place of each row's among them, -1 where it is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, list):
        column = pa.array([None if is_missing(value) else str(value) for value in column], pa.string())
    if pa.types.is_nested(column.type):
        raise DataError(f"column {by!r} holds {column.type}; one value a row expected, as names of arms are")
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_dictionary(values.type):  # which may hold what no row has
        values = values.dictionary_decode()
    encoded = pc.if_else(pc.is_null(values, nan_is_null=True), None, values).dictionary_encode()
    names = [str(value) for value in encoded.dictionary.to_pylist()]
    return names, np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _natural(name: str) -> tuple[bool, int, str]:
    """Order numbers as numbers, before names."""
    is_number = name.isascii() and name.isdigit()
    return (not is_number, int(name) if is_number else 0, name)
