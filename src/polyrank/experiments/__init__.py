"""What arms of an experiment, or versions, make of users: differences that are more than chance, and how sure."""

from .comparing import compare as compare
from .results import ArmMean as ArmMean
from .results import ArmSize as ArmSize
from .results import Comparison as Comparison
from .results import Difference as Difference
from .results import TaskComparison as TaskComparison
