"""Why something failed, in words for one line: also of errors that say nothing."""

import errno

import pytest

from polyrank.reasons import first_line, system_reason

LINES = {
    "one line": (ValueError("bad value"), "bad value"),
    "more lines": (ValueError("bad value\n  at x"), "bad value"),
    "an empty line first": (RuntimeError("\n  bad value \n"), "bad value"),
    "nothing": (RuntimeError(), "RuntimeError"),
    "blanks": (RuntimeError(" \n "), "RuntimeError"),
}
REASONS = {
    "of the system": (FileNotFoundError(errno.ENOENT, "No such file or directory", "x"), "no such file or directory"),
    "in words of Arrow": (
        OSError(errno.ENOSPC, "Error writing bytes to file. Detail: [errno 28] No space left on device"),
        "no space left on device",
    ),
    "a number alone": (OSError(errno.ENOSPC, ""), "no space left on device"),
    "a message alone": (OSError("Could not open\nDetail"), "could not open"),
    "nothing": (OSError(), "oserror"),
}


@pytest.mark.parametrize("case", LINES)
def test_first_line_says_something(case: str) -> None:
    err, line = LINES[case]
    assert first_line(err) == line


@pytest.mark.parametrize("case", REASONS)
def test_reason_of_the_system_is_in_its_words(case: str) -> None:
    err, reason = REASONS[case]
    assert system_reason(err) == reason
