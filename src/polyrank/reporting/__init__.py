"""One page that says how good a model is, for whom it is bad, and whether what is served is what was trained.

Needs the extra `report`.
"""

from .writing import write_report

__all__ = ["write_report"]
