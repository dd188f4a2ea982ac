"""The whole card, in the order of Mitchell et al., Model Cards for Model Reporting, FAT* 2019, figure 1."""

from collections.abc import Iterator

from polyrank.errors import DataError
from polyrank.evaluation import Result

from .data import evaluation_data_lines, training_data_lines
from .evaluated import evaluation_lines
from .facts import Facts
from .limits import caveat_lines, ethical_lines, factor_lines, intended_use_lines
from .markdown import code, document, section
from .metrics import metric_lines
from .model import model_lines
from .quality import parity_lines, validation_lines

CARD_FILE = "MODEL_CARD.md"
"""Of a bundle, and of a published version."""

_COMMANDS = """\
```
polyrank inspect BUNDLE                              # what the graph holds
polyrank verify HOST:PORT BUNDLE                     # does a server answer like the trained model?
polyrank evaluate BUNDLE ROWS -o evaluation.json     # how good is it on these rows, and for whom?
polyrank card BUNDLE --evaluation evaluation.json    # this card, with what was found
```"""


def card_text(facts: Facts, evaluation: Result | None = None) -> str:
    """Write a model card, in Markdown with the tables of GitHub.

    Args:
        facts: of a bundle.
        evaluation: of the same model.

    Raises:
        DataError: the evaluation is of another run.
    """
    own = facts.signature.run_id
    if evaluation is not None and evaluation.model.run_id != own:
        raise DataError(
            f"evaluation is of run {evaluation.model.run_id}, the bundle of run {own}; evaluate this bundle: "
            f"polyrank evaluate"
        )
    return document(_lines(facts, evaluation))


def _lines(facts: Facts, evaluation: Result | None) -> Iterator[str]:
    yield f"# Model card: {code(facts.signature.schema.name)}"
    yield ""
    yield "Written by Polyrank from the run, the graph and its evidence, in the order of Mitchell et al., Model Cards"
    yield r"for Model Reporting, FAT\* 2019. No person has added to it."
    yield from model_lines(facts)
    yield from intended_use_lines(facts)
    yield from factor_lines(facts, evaluation)
    yield from metric_lines(facts)
    yield from evaluation_data_lines(facts, evaluation)
    yield from training_data_lines(facts)
    yield from section("Quantitative analyses")
    yield from validation_lines(facts)
    yield from evaluation_lines(evaluation)
    yield from parity_lines(facts)
    yield from ethical_lines(facts)
    yield from caveat_lines(facts, evaluation)
    yield from section("How to check it", [_COMMANDS])
