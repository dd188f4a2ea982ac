"""Training: rows to a run directory. Needs the extra `train`."""

from polyrank.models import ModelConfig

from .balancing.config import BalancingConfig
from .config import TrainConfig
from .config_sections import CheckpointConfig, EarlyStoppingConfig, OptimizerConfig, RareIdsConfig, ValidationConfig
from .dry_run import Plan, dry_run
from .run import fit
from .run_files import Run
from .sources import read_rows

__all__ = [
    "BalancingConfig",
    "CheckpointConfig",
    "EarlyStoppingConfig",
    "ModelConfig",
    "OptimizerConfig",
    "Plan",
    "RareIdsConfig",
    "Run",
    "TrainConfig",
    "ValidationConfig",
    "dry_run",
    "fit",
    "read_rows",
]
