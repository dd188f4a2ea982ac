"""Text files that are not in UTF-8, where their encoding is declared."""

import codecs
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from polyrank.arguments import shown
from polyrank.errors import ConfigError, DataError, PolyrankError
from polyrank.reasons import first_line

from .copying import no_room
from .opening import is_compressed, open_bytes
from .remote import Location

UTF8 = "utf-8"
DECLARE = "declare its encoding, as in --encoding latin-1, or convert it"
_PIECE_BYTES = 2 * 2**20


def check_encoding(name: str, encoding: object) -> str:
    """Return an encoding of text that Python knows.

    Raises:
        ConfigError: it is none; the message calls the argument `name`.
    """
    try:
        "".encode(encoding)  # type: ignore[arg-type]
    except (LookupError, TypeError, ValueError) as err:
        raise ConfigError(f'{name} must be an encoding such as "utf-8" or "latin-1", got {shown(encoding)}') from err
    assert isinstance(encoding, str)  # noqa: S101 (what encodes is; this tells the type checker)
    return encoding


@contextlib.contextmanager
def as_utf8(file: Path, encoding: str, name: Location) -> Iterator[Path]:
    """Give a file with the text of `file` in UTF-8: itself, or a copy that is removed afterwards.

    Arrow's own `encoding` runs Python in Arrow's threads, and a process that ends meanwhile aborts.

    Raises:
        DataError: the file is damaged, or not in `encoding`; the message names the file as `name`, and the line.
        OutputError: there is no room for a copy.
    """
    if codecs.lookup(encoding).name == UTF8:
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="polyrank-") as folder:
        copy = Path(folder, file.stem if is_compressed(file) else file.name)
        with _copying(copy), copy.open("wb") as out:
            for text in _texts(file, encoding, name):
                out.write(text.encode())
        yield copy


@contextlib.contextmanager
def _copying(copy: Path) -> Iterator[None]:
    try:
        yield
    except PolyrankError:
        raise
    except OSError as err:
        raise no_room(copy.parent, err) from err


def _texts(file: Path, encoding: str, name: Location) -> Iterator[str]:
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    for piece in _bytes(file, name):
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeError as err:  # that of UTF-16 without its mark tells no place
            line += err.object[: err.start].count(b"\n") if isinstance(err, UnicodeDecodeError) else 0
            raise DataError(f"{name}: line {line:,} is not {encoding} text; declare another encoding") from err
        line += text.count("\n")
        yield text


def _bytes(file: Path, name: Location) -> Iterator[bytes]:
    """Yield a file's bytes in pieces, of which an empty one is the last."""
    import pyarrow as pa

    try:
        with open_bytes(file) as raw:
            while piece := raw.read(_PIECE_BYTES):
                yield piece
    except (pa.ArrowException, OSError) as err:
        raise DataError(f"{name} cannot be read: {first_line(err)}") from err
    yield b""
