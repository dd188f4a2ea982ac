"""One root for every error Polyrank raises on purpose, one subclass per remedy.

A message is one line in lower case: the argument, its value, the limit, the next step.
"""


class PolyrankError(Exception):
    """Root of every error that Polyrank raises on purpose."""


class ConfigError(PolyrankError, ValueError):
    """A configuration value is wrong: correct the file or argument that the message names."""


class SchemaError(PolyrankError, ValueError):
    """The schema is wrong: correct the TOML path that the message names."""


class DataError(PolyrankError, ValueError):
    """The rows do not fit the schema: correct the column and row that the message names."""


class RowError(DataError):
    """One row does not fit: correct its value. `row` counts from 0 within what was read."""

    def __init__(self, fault: str, row: int, rest: str) -> None:
        super().__init__(fault, row, rest)
        self.fault, self.row, self.rest = fault, row, rest

    def __str__(self) -> str:
        return f"{self.fault} at row {self.row + 1:,}{self.rest}"

    def after(self, rows: int) -> "RowError":
        """Return the same error of a row that has `rows` more before it, as in a file read in pieces."""
        return RowError(self.fault, self.row + rows, self.rest)


class OtherRankError(PolyrankError, RuntimeError):
    """Another of the processes that train together failed: correct what it says.

    Attributes:
        is_told: whether it, or another rank in its place, has said so.
    """

    def __init__(self, message: str, *, is_told: bool = False) -> None:
        super().__init__(message)
        self.is_told = is_told


class DivergedError(DataError):
    """A training has left the finite numbers: lower its learning rates."""


class OtherTrainingError(DataError):
    """A checkpoint is of another training: train with what it was made of, or remove it."""


class OutputError(PolyrankError, OSError):
    """A result cannot be written: choose another place, or make room."""


class MissingExtraError(PolyrankError, ImportError):
    """An optional library is not installed: install the extra that the message names."""


class ExportError(PolyrankError, RuntimeError):
    """The model cannot be exported as asked: correct the run or the target."""


class ParityError(ExportError):
    """The exported graph does not answer like the trained model: do not serve it."""


class RepositoryError(PolyrankError, RuntimeError):
    """The model repository or a bundle is not what it should be: correct or republish it."""


class StepError(PolyrankError, RuntimeError):
    """A step of the loop failed, for the reason that is its cause: correct that, and it is tried again next time."""


class ServerRuntimeError(PolyrankError, RuntimeError):
    """The private environment of the embedded server is unusable: `polyrank server install` makes it anew."""


class ServerStartError(PolyrankError, RuntimeError):
    """The embedded server did not become ready: the message names the cause and the log."""


class ServerUnavailableError(PolyrankError, ConnectionError):
    """No server answers, or the model is not ready there: start it, or check the address."""


class ModelNotReadyError(ServerUnavailableError):
    """A server answers, and does not serve the model, or not yet: check its name, or have it loaded."""


class RequestError(PolyrankError, ValueError):
    """The server refused the request: correct its content."""


class DeadlineExceededError(PolyrankError, TimeoutError):
    """The deadline passed before an answer came: raise it, or lighten the load."""
