"""Encoded rows on disk: an Arrow file for each data set and way of encoding it, which later runs map into memory."""

import contextlib
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from polyrank import caches
from polyrank.errors import DataError, OutputError
from polyrank.files import SUFFIXES, Location, RemotePath, Wanted, list_files, scan
from polyrank.schema import Schema
from polyrank.staging import staged_file
from polyrank.train.config import TrainConfig

from .arrow import write_rows
from .encoding import RowEncoder
from .identity import digest, fingerprints, made_of
from .mapped import MappedStorage
from .rows import EncodedRows

KEPT_WAYS = 3
KEPT_DAYS = 30

_NAME = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}\.arrow")

logger = logging.getLogger(__name__)


def cached_rows(
    schema: Schema, data: Location, config: TrainConfig, folder: Path | None, progress: Callable[[int], object]
) -> MappedStorage:
    """Encode the rows of files, unless a file in `folder` holds them already, as they are now, encoded in this way.

    Args:
        schema: what rows are encoded for.
        data: a file, a directory or a pattern, here or in a store.
        config: names the encoding of text files, and the split.
        folder: where encoded rows are kept; None is `encoded` in the cache folder.
        progress: called with the number of rows of each piece that is encoded.

    Raises:
        DataError: the files cannot be read, do not fit the schema, or change meanwhile.
        OutputError: `folder` cannot be written.
    """
    folder = _usual_folder() if folder is None else folder
    way, files = made_of(schema, config), [part.file for part in list_files(data, SUFFIXES)]
    found = {"way": way, "files": fingerprints(files)}
    place = data.absolute() if isinstance(data, RemotePath) else data.resolve()
    target = folder / f"{digest(str(place))}-{digest(way)}.arrow"
    if (stored := MappedStorage.open(target, found)) is not None:
        logger.info("encoded rows come from %s", target)
        return stored
    with staged_file(target, advice="keep encoded rows elsewhere: --cache DIR, or cache=DIR of fit") as file:
        write_rows(file, found, _encoded(schema, data, config, progress))
        if fingerprints(files) != found["files"]:
            raise DataError(f"{data} changed while it was read; train when its writer is done")
    _clear(folder, target)
    logger.info("encoded rows are kept in %s", target)
    written = MappedStorage.open(target, found)
    if written is None:
        raise OutputError(f"{target} is not what was written to it; choose another folder for encoded rows")
    return written


def _usual_folder() -> Path:
    try:
        folder = caches.encoded_folder()
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
        reason = "not writable"
    except (OSError, RuntimeError) as err:  # RuntimeError: the user has no home
        reason = str(err)
    other = Path(tempfile.gettempdir(), f"polyrank-{os.getuid()}", "encoded")
    logger.warning(
        "encoded rows go to %s, since the cache folder cannot be used: %s; set POLYRANK_CACHE_DIR", other, reason
    )
    return other


def _encoded(
    schema: Schema, data: Location, config: TrainConfig, progress: Callable[[int], object]
) -> Iterator[EncodedRows]:
    encoder = RowEncoder(schema, config.validation)
    wanted = Wanted(
        columns=encoder.columns, text=schema.text_columns, integers=schema.integer_columns, encoding=config.encoding
    )
    for piece in scan(data, wanted):
        with piece.named():
            rows = encoder.encode(piece.table)
        progress(len(rows))
        yield rows


def _clear(folder: Path, target: Path) -> None:
    """Remove what was not used for long, and all but the newest ways to encode one data set.

    Files of other names are the user's. Another training may remove the same files meanwhile.
    """
    used: dict[Path, float] = {}
    for file in folder.glob("*.arrow"):
        if _NAME.fullmatch(file.name):
            with contextlib.suppress(OSError):
                used[file] = file.stat().st_mtime
    old = [file for file, when in used.items() if time.time() - when > KEPT_DAYS * 86_400]
    data = target.name.partition("-")[0]
    ways = sorted((file for file in used if file.name.startswith(data)), key=lambda file: used[file], reverse=True)
    for file in {*old, *ways[KEPT_WAYS:]}:
        with contextlib.suppress(OSError):  # a file of somebody else
            file.unlink()
