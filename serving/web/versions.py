"""What a repository says of the versions of a model, beside their numbers."""

from collections.abc import Mapping
from pathlib import Path

from polyrank.errors import RepositoryError
from polyrank.signature import REQUEST_SUFFIX, Signature

Notes = Mapping[str, str]
"""In words, by the number of the version."""


def notes_of(repository: Path, model: str) -> Notes:
    """Return the precision and the run of each version, and whether it ranks by rows; nothing of a damaged one."""
    notes = {}
    for file in sorted((repository / model).glob("[0-9]*/signature.json")):
        try:
            signature = Signature.from_json(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, RepositoryError):  # the version serves all the same
            continue
        version = file.parent.name
        by_rows = (
            "" if (repository / f"{model}{REQUEST_SUFFIX}" / version).is_dir() else "; without a graph over requests"
        )
        notes[version] = f"{signature.precision}; run {signature.run_id[:8]}{by_rows}"
    return notes
