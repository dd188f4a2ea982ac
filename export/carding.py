"""The card of a bundle, from the files that are in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from polyrank.card import Comparison, Facts, Loss, card_text
from polyrank.evaluation import Result
from polyrank.run_record import RunRecord

from .parity import Parity

if TYPE_CHECKING:
    from .bundle import Bundle


def card_of(bundle: "Bundle", evaluation: Result | None = None) -> str:
    """Write the model card of a bundle, or of a published version, in Markdown.

    Args:
        bundle: all files of which are there, but for its card.
        evaluation: of the same model.

    Raises:
        RepositoryError: a file of the bundle is missing or damaged.
        DataError: the evaluation is of another run.
    """
    parity = bundle.parity()
    facts = Facts(
        signature=bundle.signature,
        record=RunRecord.load(bundle.path),
        sizes={file.name: file.stat().st_size for file in bundle.model_files},
        comparisons=tuple(_comparisons(parity)),
        losses=tuple(Loss(**msgspec.structs.asdict(loss)) for loss in parity.losses),
    )
    return card_text(facts, evaluation)


def _comparisons(parity: Parity) -> Iterator[Comparison]:
    yield _comparison("this graph", parity)
    for other in parity.verified:
        yield _comparison("this graph, in another version", other)
    if parity.exact is not None:
        yield _comparison("before its numbers became smaller", parity.exact)


def _comparison(graph: str, parity: Parity) -> Comparison:
    worst = parity.worst
    return Comparison(
        graph=graph,
        onnxruntime=parity.onnxruntime,
        difference=worst.difference,
        limit=parity.tolerance,
        output=worst.task,
        rows=worst.rows,
        batch_size=worst.batch_size,
    )
