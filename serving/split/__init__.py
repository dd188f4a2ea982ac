"""Traffic between versions of a ranker: by users, or within one list."""

from .async_split import AsyncSplit as AsyncSplit
from .blocking_split import Split as Split
from .core import SplitItems as SplitItems
from .interleaving import team_draft as team_draft
