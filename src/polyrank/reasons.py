"""Why something failed, in words for one line of a message."""

import os


def first_line(err: BaseException) -> str:
    """Return the first line of an error that says something; the name of its type where none does."""
    return next((line.strip() for line in str(err).splitlines() if line.strip()), type(err).__name__)


def system_reason(err: OSError) -> str:
    """Return why the system refused, in its own words and in lower case, as within a sentence."""
    said = err.strerror or ""
    if err.errno and (not said or "[errno" in said):  # Arrow puts its own words around the system's
        said = os.strerror(err.errno)
    return (said or first_line(err)).lower()
