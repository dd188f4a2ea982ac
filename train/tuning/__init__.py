"""Search for a better configuration, with Optuna; needs the extra `tune`."""

from .trials import Tried
from .tune import Tuning, tune

__all__ = ["Tried", "Tuning", "tune"]
