"""Tells whether a starting server is ready, and what its log says when it is not."""

import http.client
import re
from pathlib import Path

# An error line: E, month and day, time, process, file, message in quotes with escaped line ends.
_ERROR = re.compile(r'^E\d{4} .*?\] "(?P<message>.*)"$', re.MULTILINE)
_LOAD_FAILURE = re.compile(r"^failed to load '(?P<model>.+?)' version (?P<version>\d+): (?P<reason>.*)", re.DOTALL)
# What Triton says last when the line before has the reason, such as a config that does not parse.
_NO_CAUSE = "failed to load all models"
_FATAL = re.compile(r"^error: (?:creating server: )?(?P<message>.+)$", re.MULTILINE)

# What it says of its command line, before a page of usage.
_USAGE = re.compile(r"^\S*tritonserver: (?P<message>.+)$", re.MULTILINE)


def is_ready(host: str, port: int, models: tuple[str, ...]) -> bool:
    """Return whether the server and every model answer that they are ready."""
    paths = ("/v2/health/ready", *(f"/v2/models/{name}/ready" for name in models))
    connection = http.client.HTTPConnection(host, port, timeout=5.0)
    try:
        return all(_status(connection, path) == http.HTTPStatus.OK for path in paths)
    except (OSError, http.client.HTTPException):  # not listening yet
        return False
    finally:
        connection.close()


def _status(connection: http.client.HTTPConnection, path: str) -> int:
    connection.request("GET", path)
    response = connection.getresponse()
    response.read()
    return response.status


class ServerLog:
    """The part of a log that one start of the server wrote.

    Args:
        path: The log; what it already holds belongs to earlier starts.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = path.stat().st_size if path.exists() else 0

    def text(self) -> str:
        """Return what this start has written so far; nothing of a log that was removed."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._start)
                return stream.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def load_failure(self) -> str | None:
        """Return which model failed to load and why, in one line; None when none did."""
        for error in _ERROR.finditer(self.text()):
            found = _LOAD_FAILURE.match(error["message"])
            if found:
                return f"model '{found['model']}' version {found['version']} does not load: {_first(found['reason'])}"
        return None

    def cause(self) -> str:
        """Return the best single line for why the server ended or is not ready."""
        text = self.text()
        usage = _USAGE.search(text)
        if usage:
            return usage["message"]
        fatal = [found["message"] for found in _FATAL.finditer(text)]
        errors = [found["message"] for found in _ERROR.finditer(text)]
        lines = [line for line in text.splitlines() if line.strip(" ;")]
        if errors and fatal and fatal[-1].endswith(_NO_CAUSE):
            fatal = []
        silence = "it wrote nothing" if self.path.exists() else "its log was removed"
        return self.load_failure() or _first((fatal or errors or lines or [silence])[-1])


def _first(message: str) -> str:
    """Cut Triton's escaped traceback off."""
    return message.split("\\n", 1)[0].strip()
