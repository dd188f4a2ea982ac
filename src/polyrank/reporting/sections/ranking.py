"""How well the answers order what a user sees, and what users would see."""

from collections.abc import Iterator, Mapping

from polyrank.evaluation.findings import Catalogue, Ordering
from polyrank.evaluation.results import Result
from polyrank.reporting.blocks import Block, Gallery, Heading, Section, Table, Words
from polyrank.reporting.numerals import brief, count, joined, numeral, percent, rounded
from polyrank.reporting.pictures.answers import group_pictures
from polyrank.reporting.pictures.ordering import top_items_picture, trade_off_picture
from polyrank.reporting.sources import Sources

from .evaluated import of_each


def ordering_section(sources: Sources) -> Section:
    """Tell of groups, of weights of tasks, and of the whole catalogue."""
    blocks = of_each(sources, _ordering, "The schema names no group, such as users, whose rows are ordered.")
    return Section("ordering", "What users would see", tuple(blocks))


def _ordering(result: Result) -> Iterator[Block]:
    groups = tuple(group_pictures(result))
    if groups:
        yield Heading("Group by group")
        yield Gallery(groups)
    if result.ordering is not None:
        yield Heading(f"The best {result.ordering.k} of each group")
        yield from _ordered(result.ordering)
    trades = tuple(picture for each in result.trade_offs if (picture := trade_off_picture(each)) is not None)
    if trades:
        yield Heading("One task against another")
        yield Gallery(trades)
    if result.catalogue is not None:
        yield Heading("From the whole catalogue")
        yield from _recommended(result.catalogue)


def _ordered(found: Ordering) -> Iterator[Block]:
    yield Words(
        f"Rows of {count(found.groups, 'group')} in the order of a score of {_weights(found.weights)}. In "
        f"{found.groups_above_k:,} of them there is something to choose: they have more than {found.k} rows, and mean "
        "labels are of these."
    )
    rows = tuple(
        (
            task,
            numeral(each.ndcg),
            numeral(each.own_ndcg),
            numeral(each.recall),
            numeral(each.top_label),
            numeral(each.mean_label),
        )
        for task, each in found.tasks.items()
    )
    k = found.k
    head = ("task", f"ndcg@{k}", "by its own answers", f"recall@{k}", f"label of a group's best {k}", "of all its rows")
    yield Table(f"How well the score orders the best {k}", head, rows)


def _recommended(found: Catalogue) -> Iterator[Block]:
    drawn = "" if found.items == found.of_items else f", drawn from {found.of_items:,}"
    yield Words(
        f"Each of {count(found.users, 'user')} is recommended the best {found.k} of {count(found.items, 'item')}"
        f"{drawn}, by {_weights(found.weights)}: {percent(found.coverage)} of the items are recommended to somebody, "
        f"where {percent(found.possible_coverage)} could be."
    )
    direction = "more" if found.popularity > found.logged_popularity else "less"
    yield Words(
        f"A recommended item has more rows than {percent(found.popularity)} of the items, one in the logs than "
        f"{percent(found.logged_popularity)}, one drawn by chance than 50.0%: what is recommended is {direction} "
        f"popular than what was logged. How often items are recommended has a Gini index of {numeral(found.gini)}, "
        f"where 0 is all alike and 1 one item for all; the least here is {numeral(found.possible_gini)}."
    )
    picture = top_items_picture(found)
    if picture is not None:
        yield Gallery((picture,))


def _weights(weights: Mapping[str, float]) -> str:
    return joined(f"{rounded(weight)} {brief(task)}" for task, weight in weights.items()) if weights else "all tasks"
