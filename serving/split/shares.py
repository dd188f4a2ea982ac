"""Which arm of an experiment a user is in."""

import math
from collections.abc import Mapping
from typing import Any

from polyrank.arguments import instance, is_number, shown, text
from polyrank.canonical.items import key_of
from polyrank.canonical.reading import new_reading
from polyrank.errors import ConfigError
from polyrank.fingerprint import fingerprint_one
from polyrank.spelling import suggestion

_END = 2.0**63
_TOLERANCE = 1e-9


class Shares:
    """Users to arms, by a hash of their id with the salt: weighted rendezvous hashing.

    Each arm draws a number for the user, and the largest of `share / -log(number)` has the user (C. Schindelhauer and
    G. Schomaker, "Weighted distributed hash tables", SPAA 2005). So a user leaves an arm only for one whose share has
    grown more: who is in an arm of 10 % is in it at 20 % too, and the order of the arms does not matter.

    Args:
        shares: by arm, 1 together.
        salt: names the experiment, so that those of another are drawn anew.
        user: what errors call the column of user ids.

    Raises:
        ConfigError: an argument is wrong.
    """

    def __init__(self, shares: Mapping[str, float], salt: str, user: str) -> None:
        instance("shares", shares, Mapping, "a dict of numbers by arm")
        for arm, share in shares.items():
            if not text("a name in shares", arm):
                raise ConfigError("a name in shares must be text of a character or more, got ''")
            if not is_number(share) or not 0 <= share <= 1:
                raise ConfigError(f"shares[{arm!r}] must be a number from 0 to 1, got {shown(share)}")
        total = math.fsum(shares.values())
        if abs(total - 1) > _TOLERANCE:
            raise ConfigError(f"shares must sum to 1, got {total:g}; correct {_listing(shares)}")
        for name, value in {"salt": salt, "user": user}.items():
            if not text(name, value):
                raise ConfigError(f"{name} must be text of a character or more, got {shown(value)}")
        self._shares, self._salt = dict(shares), salt
        self._reading = new_reading("text", (), user)

    def arm(self, user_id: Any) -> str | None:
        """Return the arm of a user, the same for 46, "46" and 46.0; None for a missing id.

        Raises:
            DataError: the id is neither text nor a whole number.
        """
        key = key_of(user_id, 0, self._reading)
        if key is None:
            return None
        return max(self._shares, key=lambda arm: (self._rank(arm, key), arm))

    def _rank(self, arm: str, key: int | bytes) -> float:
        hashed = f"{self._salt}/{arm}/".encode() + (key if isinstance(key, bytes) else str(key).encode())
        drawn = (fingerprint_one(hashed, dtype="text") + 1) / _END  # in (0, 1]
        return math.inf if drawn == 1 else self._shares[arm] / -math.log(drawn)


def check_arms(name: str, found: Mapping[str, Any], arms: Mapping[str, Any]) -> None:
    """Refuse what is not given for each arm, and for no other.

    Raises:
        ConfigError: an arm is missing or unknown.
    """
    for arm in found:
        check_arm(name, arm, arms)
    for arm in arms:
        if arm not in found:
            raise ConfigError(f"{name} lacks arm {arm!r}; name each of {', '.join(arms)}")


def check_arm(name: str, arm: Any, arms: Mapping[str, Any]) -> None:
    """Refuse an arm that there is not.

    Raises:
        ConfigError: there is not.
    """
    if arm not in arms:
        raise ConfigError(f"{name} names no arm {shown(arm)}: {', '.join(arms)}{suggestion(str(arm), list(arms))}")


def _listing(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{arm} = {share:g}" for arm, share in shares.items())
