"""Rows encoded for training: in memory, or in a file that is mapped into it and outlives the run."""

from .cache import cached_rows as cached_rows
from .encoding import RowEncoder as RowEncoder
from .mapped import DamagedRowsError as DamagedRowsError
from .mapped import MappedStorage as MappedStorage
from .rows import EncodedRows as EncodedRows
from .selection import Selection as Selection
from .shards import open_shards as open_shards
from .storage import MemoryStorage as MemoryStorage
from .storage import Storage as Storage
