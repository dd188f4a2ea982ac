"""Where Polyrank keeps what it can make anew."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return `$POLYRANK_CACHE_DIR`, or `polyrank` in the user's cache folder."""
    own = os.environ.get("POLYRANK_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME")
    return (Path(own) if own else (Path(user) if user else Path.home() / ".cache") / "polyrank").absolute()


def encoded_folder() -> Path:
    """Return the folder of encoded rows that trainings share."""
    return cache_folder() / "encoded"
