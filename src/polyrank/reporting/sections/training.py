"""How trainings went."""

from collections.abc import Iterator

from polyrank.reporting.blocks import Block, Gallery, Heading, Section, Words
from polyrank.reporting.bringing import TRAIN
from polyrank.reporting.numerals import brief, count, rounded
from polyrank.reporting.pictures.learning import learning_pictures
from polyrank.reporting.sources import Run, Sources


def learning_section(sources: Sources) -> Section:
    """Draw the learning curves of every run."""
    blocks = [block for run in sources.runs for block in _learned(run, is_named=len(sources.runs) > 1)]
    nothing = Words("No run was given:", command=TRAIN)
    return Section("learning", "How it learned", tuple(blocks) or (nothing,))


def _learned(run: Run, *, is_named: bool) -> Iterator[Block]:
    if is_named:
        yield Heading(brief(run.name))
    metrics = run.metrics
    took = "" if run.train_s is None else f" in {rounded(run.train_s)} s"
    yield Words(
        f"Trained on {count(metrics.train_rows, 'row')}{took}, measured on "
        f"{count(metrics.validation_rows, 'validation row')}. The weights are those of epoch {metrics.kept.epoch}, "
        f"after {count(metrics.kept.steps, 'step')}."
    )
    pictures = tuple(learning_pictures(run))
    if pictures:
        yield Gallery(pictures)
