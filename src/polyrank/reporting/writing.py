"""`write_report`: what other commands wrote in, one page out."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from polyrank.arguments import listed, text
from polyrank.arguments import path as as_path
from polyrank.errors import MissingExtraError
from polyrank.files import check_output
from polyrank.staging import staged_file

from .reading import read_sources

_LIBRARIES = ("altair", "jinja2", "vl_convert")


def write_report(paths: Sequence[str | Path], out: str | Path, *, title: str | None = None) -> Path:
    """Write one HTML page that opens without a network.

    Args:
        paths: run directories, bundles or published versions, and what `polyrank evaluate --out`, `polyrank loadtest
            --json` and `polyrank compare --json` wrote; each is recognised by what it is. The first run is the main
            one: what has its run id comes first, and other runs are compared with it.
        out: the file to write; one that is there is replaced when the page is whole.
        title: of the page; the name of the schema when left out.

    Returns:
        The file.

    Raises:
        ConfigError: an argument is of another type, or `paths` is empty.
        DataError: a path cannot be read, or is none of what is accepted.
        SchemaError: the schema of a run is damaged.
        RepositoryError: the signature of a bundle is damaged.
        OutputError: `out` cannot be written, is one of `paths`, or would lie in one.
        MissingExtraError: the extra `report` is not installed.
    """
    given = [as_path("paths", each) for each in listed("paths", paths, "paths")]
    target = as_path("out", out)
    named = None if title is None else text("title", title)
    check_output(target, inputs=given)
    _require_libraries()
    from .rendering import page_of

    page = page_of(read_sources(given), named)
    with staged_file(target) as partial:
        # A path may hold bytes that are no text, which have no place in UTF-8.
        partial.write_bytes(page.encode(errors="replace"))
    return target


def _require_libraries() -> None:
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"a report needs {missing[0]}; pip install 'polyrank[report]'")
