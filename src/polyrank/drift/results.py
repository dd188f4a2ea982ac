"""What a comparison of two data sets finds, as it is written to a file."""

import math
from typing import ClassVar, Literal

import msgspec

from polyrank.arguments import is_number, shown
from polyrank.errors import ConfigError
from polyrank.result_files import Answering, ResultFile

FORMAT = 1

Part = Literal["feature", "label", "score"]
MeasureName = Literal["psi", "missing", "new", "lengths", "weights", "mean"]


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may change.

    Attributes:
        psi: population stability index, above 0.
        missing: change of the share of rows without a value, or without an observed label, in (0, 1].
        new: share of the values that the reference lacks, beyond what its rare values let expect, in (0, 1].
        label: change of the mean label as a share of what it was, above 0.
    """

    psi: float = 0.2
    missing: float = 0.05
    new: float = 0.2
    label: float = 0.1

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a limit is out of range.
        """
        for name, most in {"psi": math.inf, "missing": 1.0, "new": 1.0, "label": math.inf}.items():
            value = getattr(self, name)
            if not is_number(value) or not 0 < value <= most or math.isinf(value):
                within = "finite" if math.isinf(most) else f"at most {most:g}"
                raise ConfigError(f"{name} must be above 0 and {within}, got {shown(value)}")


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """One of the data sets.

    Attributes:
        source: the path that was given.
        rows: how many.
    """

    source: str
    rows: int


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A feature, a label or a score in one of the data sets. What its kind does not have is None, or empty.

    Attributes:
        missing: share of the rows without a value; of a label without an observed one.
        mean: of numbers.
        sd: their standard deviation, divided by how many there are.
        quantiles: by level: `0.05`, `0.25`, `0.5`, `0.75`, `0.95`.
        length: mean number of values of a row's list, as the model takes them.
    """

    missing: float
    mean: float | None = None
    sd: float | None = None
    quantiles: dict[str, float] = {}
    length: float | None = None


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """A way in which something may move.

    Attributes:
        name: `psi`, of values; `missing`, change of the share without one; `new`, share of values that the reference
            lacks, beyond what was expected; `lengths` and `weights`, the index of a list's; `mean`, change of the mean
            label as a share of what it was.
        value: how far it moved.
        chance: how far chance alone goes, once in 1,000.
        limit: the larger of `chance` and what was allowed.
    """

    name: MeasureName
    value: float
    chance: float
    limit: float

    @property
    def excess(self) -> float:
        """How many times the limit it is."""
        return self.value / self.limit


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A value whose share moved.

    Attributes:
        value: as text.
        reference: its share of the values in the reference, where a row without any counts as one.
        current: the same in the current data.
    """

    value: str
    reference: float
    current: float


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How a feature, a label or a score moved.

    Attributes:
        name: of the feature or task.
        part: which of them.
        kind: of the feature or task, as in the schema.
        reference: what it was.
        current: what it is.
        measures: in which ways it may move.
        drifted: whether one of them is beyond its limit.
        ks: Kolmogorov-Smirnov distance of numbers; None of other kinds.
        column: of a vector, or of the classes of a task, the one that moved most, which `psi` and `ks` are of.
        new: share of the values that the reference lacks; None of numbers.
        expected_new: what it would be without drift: the share of the values that the reference has once (Good, The
            Population Frequencies of Species, Biometrika 40, 1953).
        moves: the values that moved most.
    """

    name: str
    part: Part
    kind: str
    reference: Side
    current: Side
    measures: tuple[Measure, ...]
    drifted: bool
    ks: float | None = None
    column: int | None = None
    new: float | None = None
    expected_new: float | None = None
    moves: tuple[Move, ...] = ()

    @property
    def excess(self) -> float:
        """How many times its limit the furthest measure is; 0 where there is none."""
        return max((measure.excess for measure in self.measures), default=0.0)


class Result(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """All that a comparison finds.

    Attributes:
        reference: what is compared with.
        current: what is compared.
        limits: of each measure.
        drifts: features, labels and scores, the furthest beyond its limits first.
        model: that gave the scores, of source `columns` where the rows had them; None without.
        not_compared: tasks whose labels one of the data sets lacks, or has scores in place of, with the column.
        format: of this file.
    """

    noun: ClassVar[str] = "comparison"
    verb: ClassVar[str] = "drift"
    newest: ClassVar[int] = FORMAT

    reference: Data
    current: Data
    limits: Limits
    drifts: tuple[Drift, ...]
    model: Answering | None = None
    not_compared: dict[str, str] = {}
    format: int = FORMAT

    @property
    def drifted(self) -> tuple[Drift, ...]:
        """What is beyond a limit."""
        return tuple(drift for drift in self.drifts if drift.drifted)
