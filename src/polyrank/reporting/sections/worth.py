"""What the model goes by."""

from collections.abc import Iterator

from polyrank.evaluation.results import Result
from polyrank.reporting.blocks import Block, Gallery, Section
from polyrank.reporting.pictures.inputs import importance_pictures, tables_picture
from polyrank.reporting.sources import Sources

from .evaluated import of_each


def inputs_section(sources: Sources) -> Section:
    """Tell what columns are worth, and how full tables are."""
    blocks = of_each(sources, _inputs, "The evaluation measured neither columns nor tables.")
    return Section("inputs", "What it goes by", tuple(blocks))


def _inputs(result: Result) -> Iterator[Block]:
    pictures = () if result.importance is None else tuple(importance_pictures(result.importance))
    if pictures:
        yield Gallery(pictures)
    if result.tables:
        yield Gallery((tables_picture(result.tables),))
