"""The models of one bundle stay together in a repository: neither is left behind, nor taken by another."""

from collections.abc import Callable, Sequence

from polyrank.errors import RepositoryError
from polyrank.signature import RAW_SUFFIX, REQUEST_SUFFIX

from .model_directory import VersionRecord

_LEFT = {
    REQUEST_SUFFIX: ("has no graph over requests", "export without --rows-only"),
    RAW_SUFFIX: ("is published without it", "publish with --raw"),
}
"""Models beside that over rows: why one would be left behind, and what to do."""


def require_together(
    names: Sequence[str], newest: Callable[[str], VersionRecord | None], *, where: object, is_older: bool = False
) -> None:
    """Refuse a version that takes the place of another bundle's model, or leaves an old model beside it.

    Args:
        names: of the models that get a version: the one over rows, and then those beside it.
        newest: gives the record of a model's newest version in the repository; None of a model that has none.
        where: the repository, as the message shows it.
        is_older: whether it goes back to an older one, which is as it was exported.

    Raises:
        RepositoryError: it does; names the model.
    """
    for name in names:
        record = newest(name)
        if record is not None and record.models[0] != names[0]:
            owner = "is one of its own" if record.models[0] == name else f"belongs to {record.models[0]!r}"
            raise RepositoryError(f"model {name!r} in {where} {owner}; publish under another name")
    for suffix, (fault, remedy) in _LEFT.items():
        other = names[0] + suffix
        left = None if other in names else newest(other)
        if left is not None and left.models[0] == names[0]:
            ways = "go back to a version with it" if is_older else f"{remedy}, publish under another name"
            raise RepositoryError(
                f"{where} has model {other!r}, and the new version {fault}, so that would go on with "
                f"{'newer' if is_older else 'older'} weights; {ways}, or move {other!r} away"
            )
