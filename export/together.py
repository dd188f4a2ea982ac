"""The two models of one bundle stay together in a repository: neither is left behind, nor taken by another."""

from collections.abc import Callable, Sequence

from polyrank.errors import RepositoryError
from polyrank.signature import REQUEST_SUFFIX

from .model_directory import VersionRecord


def require_together(names: Sequence[str], newest: Callable[[str], VersionRecord | None], *, where: object) -> None:
    """Refuse a version that takes the place of another bundle's model, or leaves an old model beside it.

    Args:
        names: of the models that get a version: the one over rows, and then, if there is one, that over requests.
        newest: gives the record of a model's newest version in the repository; None of a model that has none.
        where: the repository, as the message shows it.

    Raises:
        RepositoryError: it does; names the model.
    """
    for name in names:
        record = newest(name)
        if record is not None and record.models[0] != names[0]:
            owner = "is one of its own" if record.models[0] == name else f"belongs to {record.models[0]!r}"
            raise RepositoryError(f"model {name!r} in {where} {owner}; publish under another name")
    requests = names[0] + REQUEST_SUFFIX
    left = None if requests in names else newest(requests)
    if left is not None and left.models[0] == names[0]:
        raise RepositoryError(
            f"{where} has model {requests!r}, and the new version has no graph over requests, so that would go on "
            f"with older weights; export without --rows-only, publish under another name, or move {requests!r} away"
        )
