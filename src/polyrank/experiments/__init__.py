"""What arms of an experiment, or versions, make of users: differences that are more than chance, and how sure."""

from .asking import columns_compared as columns_compared
from .comparing import compare as compare
from .interleaving import Interleaving as Interleaving
from .interleaving import Wins as Wins
from .interleaving import compare_interleaved as compare_interleaved
from .ratio import with_shares as with_shares
from .results import ArmMean as ArmMean
from .results import ArmSize as ArmSize
from .results import Comparison as Comparison
from .results import Difference as Difference
from .results import SampleRatio as SampleRatio
from .results import TaskComparison as TaskComparison
from .results import check_size as check_size
from .text import comparison_lines as comparison_lines
from .text import comparison_rows as comparison_rows
from .text import wins_rows as wins_rows
