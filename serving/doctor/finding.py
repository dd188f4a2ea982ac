"""One line of an examination."""

from typing import Literal, Self

import msgspec


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one thing.

    Attributes:
        name: The thing.
        status: `ok`; `warn` where something may go wrong; `fail` where it will.
        found: What it is like.
        advice: What to do; "" where it is well.
    """

    name: str
    status: Literal["ok", "warn", "fail"]
    found: str
    advice: str = ""

    @classmethod
    def ok(cls, name: str, found: str) -> Self:
        """Return that a thing is well."""
        return cls(name=name, status="ok", found=found)

    @classmethod
    def warn(cls, name: str, found: str, advice: str) -> Self:
        """Return that something may go wrong."""
        return cls(name=name, status="warn", found=found, advice=advice)

    @classmethod
    def fail(cls, name: str, found: str, advice: str) -> Self:
        """Return that something does not work."""
        return cls(name=name, status="fail", found=found, advice=advice)


def gib(size_bytes: int) -> str:
    """Write a size for people."""
    return f"{size_bytes / 2**30:.1f} GiB"
