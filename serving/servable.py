"""Finds the models of a repository that are finished and can be loaded."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from polyrank.arguments import named, text
from polyrank.errors import ConfigError, RepositoryError
from polyrank.triton_config import read_config

# The name reaches a shell when Triton starts the model's workers.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def servable_models(repository: Path, models: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the names of the models to load, sorted.

    A finished model is a folder with `config.pbtxt` and a version folder (a positive whole number) that holds
    `model.onnx`. Hidden folders, which publishing uses while it copies, are passed over.

    Args:
        repository: Triton model repository.
        models: The names wanted; None takes every finished model.

    Raises:
        ConfigError: `models` is no list of names.
        RepositoryError: The repository is no folder or holds no finished model, a model asked for is not finished or
            has a link that leads out of the repository, or a name holds a character that Triton's worker start cannot
            take.
    """
    if models is not None:
        _check_names(models)
    if not repository.is_dir():
        raise RepositoryError(f"model repository {repository} is not a folder; `polyrank publish` makes one")
    finished = tuple(sorted(folder.name for folder in repository.iterdir() if _is_finished(folder)))
    if not finished:
        raise RepositoryError(
            f"model repository {repository} holds no finished model; `polyrank publish` a bundle first"
        )
    for name in models or ():
        if name not in finished:
            raise RepositoryError(f"model '{name}' is not in {repository}; it holds {', '.join(finished)}")
    names = _with_plain_names(finished if models is None else tuple(sorted(set(models))))
    for name in names:
        _require_own(repository, name)
    return names


def backends(repository: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the backend of each of these models, by the name of the model.

    Raises:
        RepositoryError: A configuration is empty, or cannot be read.
    """
    return {name: str(read_config(repository / name).backend) for name in names}


def _check_names(models: object) -> None:
    """Refuse a name in place of a list of names: its letters would be names too."""
    if not isinstance(models, list | tuple):
        raise ConfigError(f"models must be a list of names, as in ['ranker'], got {named(models)}")
    for each in models:
        text("a name in models", each)


def _with_plain_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not _NAME.fullmatch(name):
            raise RepositoryError(f"model name {name!r} must be letters, digits, '_', '-' and '.'; rename its folder")
    return names


def _require_own(repository: Path, name: str) -> None:
    """Refuse links that lead out of a repository, to what nobody published."""
    home = os.path.realpath(repository)
    within = (Path(folder, each) for folder, folders, files in os.walk(repository / name) for each in folders + files)
    for entry in (repository / name, *within):
        if entry.is_symlink() and not Path(os.path.realpath(entry)).is_relative_to(home):
            raise RepositoryError(f"{entry} is a link that leads out of the repository; put there what it leads to")


def _is_finished(folder: Path) -> bool:
    if folder.name.startswith(".") or not (folder / "config.pbtxt").is_file():
        return False
    return any(_is_version(each.name) and (each / "model.onnx").is_file() for each in folder.iterdir())


def _is_version(name: str) -> bool:
    return name.isascii() and name.isdigit() and not name.startswith("0")
