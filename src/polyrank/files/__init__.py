"""Parquet and CSV files of rows: which are read, and what is wrong with one that cannot be."""

from .csv import PIECE_BYTES as PIECE_BYTES
from .csv import QuoteCheck as QuoteCheck
from .csv import first_line as first_line
from .reading import SUFFIXES as SUFFIXES
from .reading import check_columns as check_columns
from .reading import readable as readable
