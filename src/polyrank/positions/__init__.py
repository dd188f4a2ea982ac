"""How likely a place in a list is looked at, beside the first."""

from .estimating import estimate as estimate
from .options import PositionOptions as PositionOptions
from .results import Positions as Positions
from .results import RankExamination as RankExamination
