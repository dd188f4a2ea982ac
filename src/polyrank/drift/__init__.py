"""Two data sets beside each other: which features, labels and scores moved, and by how much."""

from .comparing import DriftOptions as DriftOptions
from .comparing import compare as compare
from .reading import Scores as Scores
from .reading import scores_in_columns as scores_in_columns
from .results import Drift as Drift
from .results import Limits as Limits
from .results import Result as Result
from .text import drift_lines as drift_lines
from .text import drift_rows as drift_rows
from .text import drift_summary as drift_summary
