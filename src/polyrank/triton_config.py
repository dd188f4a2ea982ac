"""config.pbtxt, which says how Triton runs a model, as Triton's own message."""

import re
from pathlib import Path
from typing import Any

from polyrank.errors import RepositoryError

CONFIG_FILE = "config.pbtxt"


def published_version(folder: Path) -> int | None:
    """Return which version of a model a folder is: one named by a number, beside its configuration; None of others."""
    folder = folder.absolute()
    is_version = re.fullmatch(r"[1-9][0-9]*", folder.name) and (folder.parent / CONFIG_FILE).is_file()
    return int(folder.name) if is_version else None


def read_config(model: Path) -> Any:
    """Read the configuration of a model.

    Args:
        model: its directory in a repository.

    Raises:
        RepositoryError: there is none, it is empty, or it cannot be read.
    """
    file = model / CONFIG_FILE
    try:
        config = parsed_config(file.read_text(encoding="utf-8"), file)
    except (OSError, UnicodeDecodeError) as err:
        raise RepositoryError(f"{model} is no model: it has no {CONFIG_FILE} that can be read") from err
    if not config.ListFields():
        raise RepositoryError(f"{file} is empty; publish the bundle again")
    return config


def parsed_config(text: str, shown: object) -> Any:
    """Parse the text of a config.pbtxt.

    Raises:
        RepositoryError: it is none.
    """
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2 as pb

    try:
        return text_format.Parse(text, pb.ModelConfig())
    except text_format.ParseError as err:
        raise RepositoryError(f"{shown} cannot be read: {' '.join(str(err).split())}") from err
