"""Fingerprints of whole files, and the SQL that computes them in a warehouse."""

from .columns import Cross as Cross
from .columns import HashedColumn as HashedColumn
from .columns import hashed_columns as hashed_columns
from .columns import hashed_crosses as hashed_crosses
from .columns import parse_column as parse_column
from .columns import parse_cross as parse_cross
from .file import Summary as Summary
from .file import fingerprint_file as fingerprint_file
