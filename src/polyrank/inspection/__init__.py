"""Schemas beside data: what an editor knows of a schema, what the data say of one, and one proposed from data."""

from .editor import editor_schema as editor_schema
from .editor import editor_text as editor_text
