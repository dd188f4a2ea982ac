"""The newest impression before each outcome."""

import numpy as np
from numpy.typing import NDArray

from .instants import Instants
from .keys import Keys

Places = NDArray[np.int64]


def newest_before(keys: Keys, times: Instants, asked_keys: Keys, asked_times: Instants) -> Places:
    """Return the place of the newest of `keys` [N] that is equal to each asked key and not after the asked time.

    Args:
        keys: int64 [N]; -1 is no key.
        times: int64 [N], ascending: of equal times the last is the newest.
        asked_keys: int64 [M]; -1 is equal to none.
        asked_times: int64 [M].

    Returns:
        int64 [M]; -1 where there is none.
    """
    wanted = np.flatnonzero(np.isin(keys, asked_keys[asked_keys >= 0]))
    both_keys = np.concatenate([keys[wanted], asked_keys])
    both_times = np.concatenate([times[wanted], asked_times])
    # `wanted` ascends, so that a stable sort leaves equal times in their order, and what is asked for after them.
    order = np.lexsort((both_times, both_keys))
    is_known = order < len(wanted)
    last = np.maximum.accumulate(np.where(is_known, np.arange(len(order)), -1))
    place = order[last]  # of what comes before the first impression any, which is not used
    found = (last >= 0) & (both_keys[place] == both_keys[order]) & (both_keys[order] >= 0)
    answers = np.full(len(order), -1, np.int64)
    answers[order[found]] = wanted[place[found]]
    return answers[len(wanted) :]


def first_of_each(keys: Keys) -> NDArray[np.bool_]:
    """Mark the first row of each key, bool [N]; all rows without one, -1, too."""
    is_first = keys < 0
    is_first[np.unique(keys, return_index=True)[1]] = True
    return is_first
