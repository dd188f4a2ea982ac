"""The loop of a recommender: new rows, training, proof, publishing, watching, and back when it was no good."""

from .cycles import Cycle as Cycle
from .cycles import History as History
from .records import Record as Record
from .running import Report as Report
from .running import follow as follow
from .running import run_loop as run_loop
from .settings import Loop as Loop
from .settings import Settings as Settings
from .status import Status as Status
from .status import status_of as status_of
