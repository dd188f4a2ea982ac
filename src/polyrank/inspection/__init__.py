"""Schemas beside data: what an editor knows of a schema, what the data say of one, and one proposed from data."""

from .check_config import CheckConfig as CheckConfig
from .checking import check as check
from .editor import editor_schema as editor_schema
from .editor import editor_text as editor_text
from .findings import Finding as Finding
from .findings import Report as Report
from .names import schema_name as schema_name
from .proposing import InferConfig as InferConfig
from .proposing import propose as propose
from .text import report_text as report_text
from .writing import proposal_text as proposal_text
