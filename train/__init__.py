"""Training: rows to a run directory. Needs the extra `train`."""

from polyrank.models import ModelConfig

from .config import OptimizerConfig, TrainConfig, ValidationConfig
from .run import Run, fit
from .sources import read_rows

__all__ = ["ModelConfig", "OptimizerConfig", "Run", "TrainConfig", "ValidationConfig", "fit", "read_rows"]
