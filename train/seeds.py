"""Seeds that follow from that of a run, far from one another."""

_GOLDEN_RATIO = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio, as in Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014."""


def nth_seed(seed: int, place: int) -> int:
    """Return the seed of a place, from 0, in what a run of `seed` draws."""
    return (seed + place * _GOLDEN_RATIO) % 2**63
