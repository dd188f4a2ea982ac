"""Training that starts from what an older run has learned."""

from .origin import Origin as Origin
from .origin import kept_statistics as kept_statistics
from .origin import take_over as take_over
from .origin import trained_before as trained_before
