"""What kind of feature a column might be, with a reason."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyrank.arguments import shown
from polyrank.encoder import numbers
from polyrank.features import CategoricalFeature, Feature, NumericFeature, Transform, VectorFeature
from polyrank.fingerprint import fingerprint

from .collisions import proposed_table
from .names import looks_like_amount, looks_like_code, side_of
from .pooled import pooled
from .profiles import Profile

FEW_CODES = 30
HEAVY_SKEW = 2.0
FEW_ODD = 0.01
NUMBER = r"^\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*$"
TOKENS = ("", "?", "NA", "N/A", "NULL", "null", "None", "nan", "NaN", "UNKNOWN", "unknown")


def choose(profile: Profile, others: Sequence[Profile], sample: Any, rows: int) -> tuple[Feature, str]:
    """Return a feature for a column, and why."""
    side = side_of(profile.name)
    told = "no side in its name" if side is None else "side guessed from its name"
    keys = {"name": profile.name, "side": side or "context"}
    feature, why = _chosen(profile, others, sample, keys)
    missing = profile.nulls if profile.reader is None else profile.reader.missing
    return feature, f"{profile.type}, {missing / rows:.1%} missing, {why}; {told}{almost_numbers(profile, sample)}"


def almost_numbers(profile: Profile, sample: Any) -> str:
    """Say of a column of text that almost all of it are numbers: one wrong value makes text of them all."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if profile.name not in sample.column_names:  # some file has no such column
        return ""
    column = sample.column(profile.name)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return ""
    texts = column.drop_null().combine_chunks()
    is_number = pc.match_substring_regex(texts, NUMBER)
    others = texts.filter(pc.invert(is_number))
    if not 0 < len(others) <= len(texts) * FEW_ODD:
        return ""
    odd = shown(others[0].as_py())
    return f"; almost all are numbers, and {odd} is none: if it is an amount or a time, correct the data"


def is_category(profile: Profile) -> bool:
    """Say whether each row of a column has one value, a category."""
    is_text = profile.form == "text" and profile.shape is None and not profile.has_words
    return is_text or (profile.form == "integer" and not _is_amount(profile))


def skewness(profile: Profile, sample: Any) -> float:
    """Return the skewness of a column's sampled numbers, 0 where they are all one."""
    values = numbers(sample.column(profile.name), profile.name).astype(np.float64)
    values = values[np.isfinite(values)]
    spread = float(values.std()) if len(values) else 0.0
    return float(np.mean(((values - values.mean()) / spread) ** 3)) if spread > 0 else 0.0


def _chosen(profile: Profile, others: Sequence[Profile], sample: Any, keys: dict[str, Any]) -> tuple[Feature, str]:
    if is_category(profile):
        return _categorical(profile, keys)
    if profile.form == "vector":
        return VectorFeature(**keys, dim=profile.dim), f"lists of {profile.dim} numbers"
    if profile.form in ("integer", "float"):
        return _numeric(profile, keys, sample)
    return pooled(profile, [other for other in others if is_category(other)], keys)


def _is_amount(profile: Profile) -> bool:
    import pyarrow as pa

    if pa.types.is_boolean(profile.type) or looks_like_code(profile.name):
        return False
    return looks_like_amount(profile.name) or (profile.num_single or 0) > FEW_CODES


def _numeric(profile: Profile, keys: dict[str, Any], sample: Any) -> tuple[Feature, str]:
    heavy = profile.low is not None and profile.low >= 0 and skewness(profile, sample) > HEAVY_SKEW
    transform: tuple[Transform, ...] = ("log1p", "standardize") if heavy else ("standardize",)
    tail = ", a heavy tail: log1p" if heavy else ""
    return NumericFeature(**keys, transform=transform), f"from {profile.low:g} to {profile.high:g}{tail}"


def _categorical(profile: Profile, keys: dict[str, Any]) -> tuple[Feature, str]:
    buckets, why = proposed_table(profile.values)
    missing = _tokens(profile)
    tokens = f", tokens that may mean missing: {', '.join(map(repr, missing))}" if missing else ""
    feature = CategoricalFeature(**keys, dtype=profile.dtype, num_buckets=buckets, missing=missing)
    return feature, f"{why}{tokens}{_identity(profile)}"


def _identity(profile: Profile) -> str:
    """Say that ids are dense; whether they stay so, only a person knows."""
    size = profile.num_single or 0
    if profile.form != "integer" or size <= FEW_CODES or (profile.low, profile.high) != (0, size - 1):
        return ""
    return f", all of 0 to {size - 1:,}: if no others come, identity = true and num_buckets = {size} hash nothing"


def _tokens(profile: Profile) -> tuple[str, ...]:
    if profile.form != "text":
        return ()
    found = np.isin(fingerprint(list(TOKENS), dtype="text"), profile.values)
    return tuple(token for token, is_there in zip(TOKENS, found, strict=True) if is_there)
