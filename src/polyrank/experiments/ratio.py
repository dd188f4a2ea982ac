"""Whether arms have as many users as was intended."""

import math
from collections.abc import Mapping

import msgspec

from polyrank.arguments import instance, is_number, shown
from polyrank.errors import ConfigError

from .results import Comparison, SampleRatio
from .testing import chi_square_tail


def with_shares(comparison: Comparison, shares: Mapping[str, float]) -> Comparison:
    """Return a comparison with the check of its sample ratio.

    Args:
        comparison: whose users are counted.
        shares: of users that each arm was to have, in any unit.

    Raises:
        ConfigError: they are not of the arms, or not above 0 and finite.
    """
    instance("shares", shares, Mapping, "a mapping of numbers by arm")
    names = [arm.name for arm in comparison.arms]
    if sorted(shares) != sorted(names):
        given = ", ".join(shares) or "none"
        raise ConfigError(f"shares must be of the arms {', '.join(names)}, got {given}")
    for name, share in shares.items():
        if not is_number(share) or not 0 < share < math.inf:
            raise ConfigError(f"shares[{name!r}] must be above 0 and finite, got {shown(share)}")
    total, users = sum(shares.values()), sum(arm.users for arm in comparison.arms)
    expected = {name: users * shares[name] / total for name in names}
    distance = sum((arm.users - expected[arm.name]) ** 2 / expected[arm.name] for arm in comparison.arms)
    ratio = SampleRatio(
        shares={name: shares[name] / total for name in names},
        expected=expected,
        p_value=chi_square_tail(distance, len(names) - 1),
    )
    return msgspec.structs.replace(comparison, ratio=ratio)
