"""What an evaluation leaves open, and what it holds against the model."""

from collections.abc import Iterator

from polyrank.evaluation import Result
from polyrank.evaluation.means import compare_means

from .facts import Facts
from .markdown import code, listed
from .quality import value_of


def evaluation_caveats(facts: Facts, evaluation: Result) -> Iterator[str]:
    """Give sentences: of another precision, of rows that training may have seen, of answers off in the mean."""
    own, other = str(facts.signature.precision), evaluation.model.precision
    if other not in ("", own):
        yield (
            f"The evaluation is of another precision, {listed(other.split(', '))}: this graph has "
            f"{listed(own.split(', '))}, and answers a little otherwise."
        )
    if evaluation.data.part == "all":
        again = _all_again(facts, evaluation)
        yield f"Whether the rows of the evaluation are later than those of training, nothing tells{again}."
    yield from _means(evaluation)


def _all_again(facts: Facts, evaluation: Result) -> str:
    """Say that there are as many rows as a training was made of, where there are: they are likely the same."""
    made_of, rows = None if facts.record is None else facts.record.made_of, evaluation.data.rows
    if not evaluation.data.as_trained and rows != made_of:
        return ""
    return f"; the run was made of as many, {rows:,}, and flatters itself on those that it was trained on"


def _means(evaluation: Result) -> Iterator[str]:
    """Tell of tasks whose answers are too high or too low in the mean."""
    for task in evaluation.tasks:
        if compare_means(task, evaluation.calibration.get(task.task, ())) == "off":
            yield (
                f"Answers to {code(task.task)} have the mean {value_of(task.mean_answer)} on the rows of the "
                f"evaluation, their labels {value_of(task.mean_label)}."
            )
