"""What a table becomes: groups of slots, each filled from one or several columns."""

from dataclasses import dataclass

from polyrank.arguments import instance, integer, listed, text
from polyrank.canonical import Dtype, new_reading
from polyrank.features import MAX_DIM
from polyrank.fingerprint import DEFAULT_SEED
from polyrank.ngrams import checked_length, checked_sizes


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """A column whose values are hashed, and how they are read.

    With `identity`, of dtype int64, slots hold the integers themselves, -1 where missing; `below` refuses one that is
    not in [0, below). A cross hashes them all the same.

    Raises:
        ConfigError: an argument is wrong; groups raise it too.
    """

    name: str
    dtype: Dtype
    missing: tuple[str, ...] = ()
    identity: bool = False
    below: int | None = None

    def __post_init__(self) -> None:
        new_reading(self.dtype, self.missing, text("name", self.name))

    def described(self) -> tuple[object, ...]:
        """Return what the extension takes."""
        return self.name, self.dtype, list(self.missing), DEFAULT_SEED


@dataclass(frozen=True, kw_only=True, slots=True)
class CategoricalGroup:
    """One value: one slot of `ids`."""

    field: Field

    def __post_init__(self) -> None:
        instance("field", self.field, Field, "a Field")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the group reads."""
        return (self.field.name,)

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the group fills."""
        return 1

    def described(self) -> tuple[object, ...]:
        """Return what the extension takes."""
        return "categorical", self.field.described()


@dataclass(frozen=True, kw_only=True, slots=True)
class BagGroup:
    """A list of values: the head of it, padded with -1.

    `weights` names a list column of as many numbers; they fill `max_length` columns of `weights`, 0 where padded or
    null.
    """

    field: Field
    max_length: int
    weights: str | None = None

    def __post_init__(self) -> None:
        instance("field", self.field, Field, "a Field")
        checked_length(self.max_length)
        if self.weights is not None:
            text("weights", self.weights)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the group reads."""
        return (self.field.name,) if self.weights is None else (self.field.name, self.weights)

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the group fills."""
        return self.max_length

    def described(self) -> tuple[object, ...]:
        """Return what the extension takes."""
        return "bag", self.field.described(), self.max_length, self.weights or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class CrossGroup:
    """Several values hashed as one: one slot. Missing if any part is."""

    parts: tuple[Field, ...]

    def __post_init__(self) -> None:
        for index, part in enumerate(listed("parts", self.parts, "Fields")):
            instance(f"parts[{index}]", part, Field, "a Field")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the group reads."""
        return tuple(part.name for part in self.parts)

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the group fills."""
        return 1

    def described(self) -> tuple[object, ...]:
        """Return what the extension takes."""
        return "cross", [part.described() for part in self.parts]


@dataclass(frozen=True, kw_only=True, slots=True)
class NGramGroup:
    """The n-grams of a text, by size as listed, then by place: the head of them, padded with -1."""

    field: Field
    sizes: tuple[int, ...]
    max_length: int

    def __post_init__(self) -> None:
        instance("field", self.field, Field, "a Field")
        checked_sizes(self.sizes)
        checked_length(self.max_length)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the group reads."""
        return (self.field.name,)

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the group fills."""
        return self.max_length

    def described(self) -> tuple[object, ...]:
        """Return what the extension takes."""
        return "ngrams", self.field.described(), list(self.sizes), self.max_length


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberGroup:
    """A number: one column of `dense`, NaN where missing. Under log1p, numbers below 0 are refused."""

    name: str
    log1p: bool = False

    def __post_init__(self) -> None:
        text("name", self.name)
        instance("log1p", self.log1p, bool, "True or False")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the group reads."""
        return (self.name,)

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the group fills."""
        return 0

    def described(self) -> tuple[object, ...]:
        """Return what the extension takes."""
        return "number", self.name, self.log1p


@dataclass(frozen=True, kw_only=True, slots=True)
class VectorGroup:
    """A list of exactly `dim` numbers: as many columns of `dense`, NaN where the list is missing."""

    name: str
    dim: int

    def __post_init__(self) -> None:
        text("name", self.name)
        integer("dim", self.dim, range(1, MAX_DIM + 1), f"[1, {MAX_DIM}]")

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the group reads."""
        return (self.name,)

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the group fills."""
        return 0

    def described(self) -> tuple[object, ...]:
        """Return what the extension takes."""
        return "vector", self.name, self.dim


Group = CategoricalGroup | BagGroup | CrossGroup | NGramGroup | NumberGroup | VectorGroup
