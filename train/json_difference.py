"""Where two values of JSON first differ."""

from typing import Any, NamedTuple

ABSENT = object()
"""What a dict has of a key that it lacks."""


class Difference(NamedTuple):
    """A place, such as `$.schema.tasks[0].name`, and what is there and here, which may be `ABSENT`."""

    path: str
    there: Any
    here: Any


def first_difference(there: Any, here: Any, path: str = "$") -> Difference | None:
    """Return the first place where two values differ, None where none does; lists of other lengths are one place."""
    if isinstance(there, dict) and isinstance(here, dict):
        parts = [(f".{key}", there.get(key, ABSENT), here.get(key, ABSENT)) for key in {**there, **here}]
    elif isinstance(there, list | tuple) and isinstance(here, list | tuple) and len(there) == len(here):
        parts = [(f"[{at}]", *both) for at, both in enumerate(zip(there, here, strict=True))]
    else:
        return None if there == here else Difference(path, there, here)
    found = (first_difference(one, other, path + step) for step, one, other in parts)
    return next((each for each in found if each is not None), None)
