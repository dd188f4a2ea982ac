"""The card of a model: what it is, what it was made of, how good it is, and where its limits are."""

from .facts import Comparison as Comparison
from .facts import Facts as Facts
from .facts import Loss as Loss
from .text import CARD_FILE as CARD_FILE
from .text import card_text as card_text
