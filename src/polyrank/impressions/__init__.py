"""Files of impressions: which columns they have, and how a crash loses none of what was flushed.

`polyrank.serving.ImpressionLog` writes them; whoever reads a folder may `recover` it first.
"""

from .columns import ARM as ARM
from .columns import MODEL as MODEL
from .columns import RANK as RANK
from .columns import RANK_SCORE as RANK_SCORE
from .columns import REQUEST_ID as REQUEST_ID
from .columns import RESERVED as RESERVED
from .columns import SCORES as SCORES
from .columns import SHOWN_AT as SHOWN_AT
from .columns import TASK_WEIGHTS as TASK_WEIGHTS
from .columns import VERSION as VERSION
from .columns import own_fields as own_fields
from .journal import Journal as Journal
from .lists import nested as nested
from .packing import Recovered as Recovered
from .packing import check_storable as check_storable
from .packing import pack as pack
from .packing import recover as recover
from .packing import recover_before_reading as recover_before_reading
