"""One small module per verb: `add_parser` describes it, `run` does it. Heavy libraries are imported in `run`."""

from . import (
    compare,
    dataset,
    export,
    fingerprint,
    inspect,
    publish,
    rank,
    rollback,
    schema,
    score,
    serve,
    server,
    train,
    tune,
    verify,
    versions,
)

VERBS = (
    dataset,
    schema,
    fingerprint,
    train,
    compare,
    tune,
    export,
    inspect,
    publish,
    rollback,
    versions,
    serve,
    score,
    rank,
    verify,
    server,
)
