"""What the sections of an evaluation share."""

from collections.abc import Callable, Iterator

from polyrank.evaluation.results import Result
from polyrank.reporting.blocks import Block, Heading, Words
from polyrank.reporting.bringing import EVALUATE
from polyrank.reporting.numerals import brief
from polyrank.reporting.sources import Sources

NOT_EVALUATED = Words("Not evaluated:", command=EVALUATE)


def of_each(sources: Sources, blocks: Callable[[Result], Iterator[Block]], nothing: str) -> Iterator[Block]:
    """Give the blocks of each evaluation, under its name where there are several, or it is not of the main run.

    Args:
        sources: that were given.
        blocks: makes those of one.
        nothing: what to say of an evaluation that has none.
    """
    if not sources.evaluations:
        yield NOT_EVALUATED
    for each in sources.evaluations:
        if each.run_id != sources.main_id:
            yield Heading(f"{brief(each.name)}, of another run: {brief(each.run_id)}")
        elif len(sources.evaluations) > 1:
            yield Heading(brief(each.name))
        yield from list(blocks(each.found)) or [Words(nothing)]
