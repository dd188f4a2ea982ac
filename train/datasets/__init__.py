"""Public data sets as one table of logs each."""

from . import kuairand

__all__ = ["kuairand"]
