"""One small module per verb: `add_parser` describes it, `run` does it. Heavy libraries are imported in `run`."""

from . import dataset, export, publish, score, serve, server, train

VERBS = (dataset, train, export, publish, serve, score, server)
