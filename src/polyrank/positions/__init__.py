"""How likely a place in a list is looked at, beside the first."""

from .estimating import estimate as estimate
from .options import PositionOptions as PositionOptions
from .results import Positions as Positions
from .results import RankExamination as RankExamination
from .text import position_line as position_line
from .text import position_rows as position_rows
