"""Features of many values that a column might be, with a reason: bags, sequences and texts."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from polyrank.features import MAX_LENGTH, BagFeature, Feature, SequenceFeature, TextFeature

from .collisions import proposed_table
from .names import looks_like_history
from .probes import ListProbe
from .profiles import Profile
from .shapes import Shape

LENGTH_QUANTILE = 0.99
MAX_SEQUENCE = 100
SHARED = 0.5
MANY_IDS = 100


def pooled(profile: Profile, categories: Sequence[Profile], keys: dict[str, Any]) -> tuple[Feature, str]:
    """Return a feature for a column of lists, or of text that holds many values, and why.

    `categories` are the columns that become categorical features.
    """
    probe, shape = profile.reader, profile.shape
    assert isinstance(probe, ListProbe)  # noqa: S101 (as of all such columns; this tells the type checker)
    if profile.has_words:
        return _text(probe, keys)
    shared = _shared(probe, categories)
    if shape is None and (shared is not None or looks_like_history(profile.name)):
        return _sequence(probe, shared, keys)
    return _bag(probe, shape, shared, keys)


def _text(probe: ListProbe, keys: dict[str, Any]) -> tuple[Feature, str]:
    length, sizes = _length(probe, "texts")
    buckets, why = proposed_table(probe.distinct.values)
    return TextFeature(**keys, max_length=length, num_buckets=buckets), f"text of words: {why}; {sizes}"


def _sequence(probe: ListProbe, shared: tuple[str, str] | None, keys: dict[str, Any]) -> tuple[Feature, str]:
    length, sizes = _length(probe, "lists")
    length = min(length, MAX_SEQUENCE)
    order = 'the newest value is taken to be the last, else set order = "newest_first"'
    if shared is not None:
        name, told = shared
        why = f"{sizes}; {told} and against which it is set; {order}"
        return SequenceFeature(**keys, max_length=length, shares=name, pooling="attention"), why
    buckets, why = proposed_table(probe.distinct.values)
    feature = SequenceFeature(**keys, max_length=length, dtype=probe.feature.dtype, num_buckets=buckets)
    return feature, f"{why}; {sizes}; named like a history; {order}"


def _bag(
    probe: ListProbe, shape: Shape | None, shared: tuple[str, str] | None, keys: dict[str, Any]
) -> tuple[Feature, str]:
    length, why = _length(probe, "lists")
    keys = {**keys, "max_length": length}
    if shape is not None:
        keys |= {"separator": shape.separator, "weight_separator": shape.weight_separator}
        weights = "" if shape.weight_separator is None else f", each with a weight behind {shape.weight_separator!r}"
        why = f"{why}; values with {shape.separator!r} between them{weights}"
    if shared is not None:
        name, told = shared
        return BagFeature(**keys, shares=name), f"{why}; {told}"
    buckets, distinct = proposed_table(probe.distinct.values)
    return BagFeature(**keys, dtype=probe.feature.dtype, num_buckets=buckets), f"{distinct}; {why}"


def _length(probe: ListProbe, things: str) -> tuple[int, str]:
    """Return a length that fits nearly all, and says so."""
    lengths = sorted(probe.lengths.items())
    counts = np.cumsum([count for _, count in lengths])
    quantile = lengths[int(np.searchsorted(counts, math.ceil(LENGTH_QUANTILE * counts[-1])))][0]
    told = f"99% of {things} hold up to {quantile:,}, the longest {lengths[-1][0]:,}"
    return min(max(quantile, 1), MAX_LENGTH), told


def _shared(probe: ListProbe, categories: Sequence[Profile]) -> tuple[str, str] | None:
    """Return the categorical column that most values come from, as those of a history do, and say how many.

    Of several, as there are where ids are small numbers, it is the one with the values most alike (Jaccard's index).
    """
    values = probe.distinct.values
    if len(values) < MANY_IDS:
        return None
    found = []
    for other in categories:
        common = int(np.isin(values, other.values).sum()) if other.dtype == probe.feature.dtype else 0
        if common > SHARED * len(values):
            found.append((common / (len(values) + len(other.values) - common), common / len(values), other.name))
    if not found:
        return None
    _, share, name = max(found)
    return name, f"{share:.0%} of its values are values of {name}, whose table it shares"
