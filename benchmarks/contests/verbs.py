"""Verbs of the command line, in this process."""

from polyrank.__main__ import main


def verb(*words: str) -> None:
    """Run `polyrank` with these words.

    Raises:
        SystemExit: it fails; it has said why.
    """
    if code := main(list(words)):
        raise SystemExit(code)
