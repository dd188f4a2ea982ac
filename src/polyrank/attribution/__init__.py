"""What was shown, joined with what came of it: rows with a label for each task."""

from .instants import seconds as seconds
from .joining import Joined as Joined
from .joining import join as join
from .joining import join_to_file as join_to_file
from .options import JoinOptions as JoinOptions
from .results import JoinCounts as JoinCounts
from .results import TaskCounts as TaskCounts
from .text import count_lines as count_lines
from .text import count_rows as count_rows
