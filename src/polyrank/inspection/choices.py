"""What kind of feature a column might be, with a reason."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from polyrank.encoder import numbers
from polyrank.features import MAX_LENGTH, BagFeature, CategoricalFeature, Feature, NumericFeature, Transform
from polyrank.fingerprint import fingerprint

from .collisions import expected_collisions, suggested_buckets
from .names import looks_like_amount, looks_like_code, side_of
from .profiles import Profile

FEW_CODES = 30
HEAVY_SKEW = 2.0
LENGTH_QUANTILE = 0.99
SHARED = 0.8
MANY_IDS = 100
TOKENS = ("", "?", "NA", "N/A", "NULL", "null", "None", "nan", "NaN", "UNKNOWN", "unknown")


def choose(profile: Profile, others: Sequence[Profile], sample: Any, rows: int) -> tuple[Feature, str]:
    """Return a feature for a column, and why."""
    side = side_of(profile.name)
    told = "no side in its name" if side is None else "side guessed from its name"
    keys = {"name": profile.name, "side": side or "context"}
    if profile.form == "float" or (profile.form == "integer" and _is_amount(profile)):
        feature, why = _numeric(profile, keys, sample)
    elif profile.form == "list":
        feature, why = _bag(profile, others, keys)
    else:
        feature, why = _categorical(profile, keys)
    missing = 0 if profile.inspector is None else profile.inspector.missing
    return feature, f"{profile.type}, {missing / rows:.1%} missing, {why}; {told}"


def _is_amount(profile: Profile) -> bool:
    import pyarrow as pa

    if pa.types.is_boolean(profile.type) or looks_like_code(profile.name):
        return False
    return looks_like_amount(profile.name) or (profile.num_distinct or 0) > FEW_CODES


def _numeric(profile: Profile, keys: dict[str, Any], sample: Any) -> tuple[Feature, str]:
    heavy = profile.low is not None and profile.low >= 0 and skewness(profile, sample) > HEAVY_SKEW
    transform: tuple[Transform, ...] = ("log1p", "standardize") if heavy else ("standardize",)
    tail = ", a heavy tail: log1p" if heavy else ""
    return NumericFeature(**keys, transform=transform), f"from {profile.low:g} to {profile.high:g}{tail}"


def skewness(profile: Profile, sample: Any) -> float:
    """Return the skewness of a column's sampled numbers, 0 where they are all one."""
    values = numbers(sample.column(profile.name), profile.name).astype(np.float64)
    values = values[np.isfinite(values)]
    spread = float(values.std()) if len(values) else 0.0
    return float(np.mean(((values - values.mean()) / spread) ** 3)) if spread > 0 else 0.0


def _categorical(profile: Profile, keys: dict[str, Any]) -> tuple[Feature, str]:
    buckets, why = _table(profile)
    missing = _tokens(profile)
    tokens = f", tokens that may mean missing: {', '.join(map(repr, missing))}" if missing else ""
    feature = CategoricalFeature(**keys, dtype=profile.dtype, num_buckets=buckets, missing=missing)
    return feature, f"{why}{tokens}"


def _bag(profile: Profile, others: Sequence[Profile], keys: dict[str, Any]) -> tuple[Feature, str]:
    lengths = sorted(profile.lengths.items())
    counts = np.cumsum([count for _, count in lengths])
    quantile = lengths[int(np.searchsorted(counts, math.ceil(LENGTH_QUANTILE * counts[-1])))][0]
    longest = min(max(quantile, 1), MAX_LENGTH)
    sizes = f"99% of lists hold up to {quantile:,}, the longest {lengths[-1][0]:,}"
    shared = _shared(profile, others)
    if shared is not None:
        why = f"{sizes}; most of its values are values of {shared}, whose table it shares"
        return BagFeature(**keys, max_length=longest, shares=shared), why
    buckets, why = _table(profile)
    return BagFeature(**keys, max_length=longest, dtype=profile.dtype, num_buckets=buckets), f"{why}; {sizes}"


def _table(profile: Profile) -> tuple[int, str]:
    values = _values(profile)
    buckets = suggested_buckets(values)
    share = expected_collisions(len(values), buckets)
    return buckets, f"{len(values):,} distinct values, of which {share:.1%} are expected to share a bucket"


def _tokens(profile: Profile) -> tuple[str, ...]:
    if profile.form != "text":
        return ()
    found = np.isin(fingerprint(list(TOKENS), dtype="text"), _values(profile))
    return tuple(token for token, is_there in zip(TOKENS, found, strict=True) if is_there)


def _shared(profile: Profile, others: Sequence[Profile]) -> str | None:
    """Return the categorical column that most values of a list come from, as those of a history do."""
    values = _values(profile)
    if len(values) < MANY_IDS:
        return None
    for other in others:
        is_alike = other.form in ("text", "integer") and other.dtype == profile.dtype and not _counts(other)
        if is_alike and np.isin(values, _values(other)).mean() > SHARED:
            return other.name
    return None


def _counts(profile: Profile) -> bool:
    return profile.form == "integer" and _is_amount(profile)


def _values(profile: Profile) -> Any:
    known = None if profile.inspector is None else profile.inspector.distinct
    return np.empty(0, np.int64) if known is None else known.values
