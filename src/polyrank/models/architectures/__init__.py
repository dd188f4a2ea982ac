"""Architectures: what the tasks of a ranker share. Each module has one, and cites its paper."""

from collections.abc import Callable

from polyrank.models.config import ModelConfig
from polyrank.schema import Schema

from .aitm import AdaptiveInformationTransfer
from .esmm import EntireSpace
from .mmoe import MultiGateMixtureOfExperts
from .ple import ProgressiveLayeredExtraction
from .shared_bottom import SharedBottom
from .sharing import Architecture
from .single_task import SingleTask
from .stem import SharedAndTaskEmbeddings

__all__ = ["Architecture", "build_architecture", "num_inputs"]

_KINDS: dict[str, Callable[[int, int, ModelConfig], Architecture]] = {
    "single_task": SingleTask,
    "shared_bottom": SharedBottom,
    "mmoe": MultiGateMixtureOfExperts,
    "ple": ProgressiveLayeredExtraction,
    "esmm": EntireSpace,
    "stem": SharedAndTaskEmbeddings,
}


def num_inputs(schema: Schema, config: ModelConfig) -> int:
    """Return how many embeddings of the features the layers read, each with tables of its own."""
    num_tasks = len(schema.tasks)
    own = {"single_task": num_tasks, "stem": num_tasks + 1}
    return 1 if config.interaction == "fm" else own.get(config.architecture, 1)


def build_architecture(input_dim: int, schema: Schema, config: ModelConfig) -> Architecture:
    """Make the layers that `config` names, with random weights.

    Raises:
        ConfigError: the architecture needs a chain of tasks, and the schema has none.
    """
    num_tasks, chain = len(schema.tasks), config.chained_tasks(schema)
    if config.architecture == "aitm":
        return AdaptiveInformationTransfer(input_dim, num_tasks, config, chain)
    return _KINDS[config.architecture](input_dim, num_tasks, config)
