"""Lists of Python strings, against a bare loop over the same objects."""

import numpy as np
from contests.measure import OURS, Contest, Scale, Target

from polyrank.fingerprint import fingerprint

from .data import output, short_strings
from .yardsticks import load_yardsticks

AHEAD = 16  # the prefetch distance at which the bare loop is fastest, of 8 to 128 tried


def ordered(scale: Scale) -> Contest:
    """Strings that lie in memory one after another."""
    return _contest("in allocation order", short_strings(scale.rows).to_pylist(), ahead=0)


def shuffled(scale: Scale) -> Contest:
    """Strings that lie all over memory."""
    items = short_strings(scale.rows).to_pylist()
    order = np.random.default_rng(5).permutation(len(items)).tolist()
    return _contest("shuffled", [items[index] for index in order], ahead=AHEAD)


def _contest(kind: str, items: list[str], *, ahead: int) -> Contest:
    native, out = load_yardsticks(), output(len(items))
    loop = f"bare loop, prefetch {ahead} ahead" if ahead else "bare loop"
    name = f"{len(items):,} strings of 6-12 bytes, list[str] {kind}"
    return Contest(
        keys=len(items),
        contenders={
            OURS: lambda: fingerprint(items, dtype="text", out=out),
            loop: lambda: native.read_list(items, ahead),
        },
        targets=[Target(workload=name, text="within 1.5 x of the bare loop", against=loop, least=1 / 1.5)],
    )
