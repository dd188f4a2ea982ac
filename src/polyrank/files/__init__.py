"""Files of rows: which are read, how, and what is wrong with one that cannot be."""

from .arrow_file import open_arrow_file as open_arrow_file
from .csv import QuoteCheck as QuoteCheck
from .csv import first_line as first_line
from .csv_integers import integer_text as integer_text
from .csv_table import empty_as_null as empty_as_null
from .encoding import UTF8 as UTF8
from .encoding import as_utf8 as as_utf8
from .encoding import check_encoding as check_encoding
from .forms import FORMATS as FORMATS
from .forms import SUFFIXES as SUFFIXES
from .forms import Wanted as Wanted
from .forms import format_of as format_of
from .forms import kinds as kinds
from .json_stream import json_batches as json_batches
from .json_stream import json_schema as json_schema
from .opening import PIECE_BYTES as PIECE_BYTES
from .opening import check_text as check_text
from .opening import open_csv_bytes as open_csv_bytes
from .reading import check_columns as check_columns
from .reading import check_name as check_name
from .reading import readable as readable
from .table import read_table as read_table
