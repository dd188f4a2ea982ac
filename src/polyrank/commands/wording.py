"""Errors of the library in the words of the command line: options where Python has arguments."""

import contextlib
import re
from collections.abc import Iterator

from polyrank.errors import ConfigError, PolyrankError

_WORDS = {
    "raise timeout_s or": "raise --timeout-s or",
    "give it with ClientOptions(headers=...), and name": "give it with --client, and name",
    "name one: Ranker(url, model)": "name one with --name",
    "score without resuming": "score without --resume",
    "None stands for a missing value": "null stands for a missing value",
}
_FIRST = re.compile(r"\A[a-z0-9_]+(?=[ \[])")


@contextlib.contextmanager
def options_named(**options: str) -> Iterator[None]:
    """Name in errors of the block what a user typed.

    Args:
        options: by the name of the argument, which the message of a wrong one begins with.
    """
    try:
        yield
    except PolyrankError as err:
        before = after = str(err)
        if isinstance(err, ConfigError):
            after = _FIRST.sub(lambda found: options.get(found[0], found[0]), after)
        for words, ours in _WORDS.items():
            after = after.replace(words, ours)
        if after != before:
            err.args = (after,)
        raise
