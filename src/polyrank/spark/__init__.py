"""Fingerprints, scores and training rows of Spark DataFrames. Needs the extra `spark`, on executors too."""

from .encoding import encode as encode
from .hashing import fingerprints as fingerprints
from .scoring import score as score
