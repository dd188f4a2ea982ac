"""Two rankings in one list, so that each user compares them: team-draft interleaving."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from polyrank.errors import DataError
from polyrank.impressions import ARM as ARM_COLUMN
from polyrank.serving.items import ITEM
from polyrank.serving.origins import REQUEST_ID

if TYPE_CHECKING:
    import pyarrow as pa

RANKER, ARM, ARMS = "polyrank.ranker", "polyrank.arm", "polyrank.arms"
"""Metadata of an answer: the arm whose ranker gave it, the arm that it counts for if it does, and those of an
interleaved one, each with its own metadata."""

_Teams = list[tuple[int, int]]


class Part(NamedTuple):
    """What one arm has of an answer.

    Attributes:
        ranker: the arm whose ranker gave it.
        arm: the arm that it counts for; None of what is no experiment.
        rows: as the ranker gave them.
        ranks: places in the answer, from 1; None counts the rows.
    """

    ranker: str
    arm: str | None
    rows: "pa.Table"
    ranks: list[int] | None


def team_draft(rankings: tuple[Sequence[Any], Sequence[Any]], top_k: int, coin: Callable[[int], bool]) -> _Teams:
    """Draft items from two rankings, as captains pick teams.

    In each round both pick the best of theirs that is not picked yet, and a coin says who begins (F. Radlinski, M.
    Kurup and T. Joachims, "How does clickthrough data reflect retrieval quality?", CIKM 2008). One that
    has no item left leaves the rest to the other.

    >>> team_draft((["a", "b", "c"], ["b", "d", "a"]), 3, coin=lambda round_number: round_number == 0)
    [(0, 0), (1, 0), (1, 1)]

    Args:
        rankings: names of items, the best first, each once.
        top_k: how many items.
        coin: of a round, counted from 0; True lets the first ranking begin.

    Returns:
        For each place of the list the ranking, 0 or 1, and the place in it.
    """
    drafted: _Teams = []
    seen: set[Any] = set()
    sizes, heads = [0, 0], [0, 0]
    while len(drafted) < top_k:
        for team in (0, 1):
            while heads[team] < len(rankings[team]) and rankings[team][heads[team]] in seen:
                heads[team] += 1
        open_teams = [team for team in (0, 1) if heads[team] < len(rankings[team])]
        if not open_teams:
            break
        if len(open_teams) == 1:
            team = open_teams[0]
        elif sizes[0] != sizes[1]:
            team = int(sizes[0] > sizes[1])
        else:
            team = 0 if coin(sizes[0]) else 1
        drafted.append((team, heads[team]))
        seen.add(rankings[team][heads[team]])
        sizes[team] += 1
    return drafted


def interleaved(
    answers: "Mapping[str, pa.Table]", key: str | None, top_k: int, coin: Callable[[int], bool]
) -> "pa.Table":
    """Interleave the answers of two arms.

    Returns:
        A table of their common columns, with `arm` as the last. Its metadata keep what `parts_of` needs.

    Raises:
        DataError: they have a column `arm` already.
    """
    import pyarrow as pa

    first, second = answers.values()
    names = [name for name in first.column_names if name in second.column_names and _type(first, second, name)]
    if ARM_COLUMN in names:
        raise DataError(f"answers have a column {ARM_COLUMN!r} already; rename that key or task")
    column = ITEM if key is None else key
    rankings = first.column(column).to_pylist(), second.column(column).to_pylist()
    drafted = team_draft(rankings, top_k, coin)
    both = pa.concat_tables([each.select(names).replace_schema_metadata(None) for each in (first, second)])
    places = [team * first.num_rows + place for team, place in drafted]
    arms = pa.array([list(answers)[team] for team, _ in drafted], pa.string())
    kept = {arm: _text(answer) for arm, answer in answers.items()}
    table = both.take(pa.array(places, pa.int64())).append_column(ARM_COLUMN, arms)
    metadata = {REQUEST_ID: _text(first)[REQUEST_ID], ARMS: msgspec.json.encode(kept)}
    return table.replace_schema_metadata(metadata)


def parts_of(answer: "pa.Table") -> list[Part]:
    """Take an answer of a split apart, whichever of its rows are left.

    Raises:
        DataError: it is no answer of a split.
    """
    import pyarrow as pa

    metadata = _text(answer)
    if ARMS not in metadata and RANKER not in metadata:
        raise DataError(
            "answer must come from rank or interleave of a split; give rows of it, taken with take or slice"
        )
    if ARMS not in metadata:
        return [Part(metadata[RANKER], metadata.get(ARM), answer, None)]
    arms = answer.column(ARM_COLUMN).to_pylist()
    found = []
    for arm, kept in msgspec.json.decode(metadata[ARMS], type=dict[str, dict[str, str]]).items():
        places = [place for place, each in enumerate(arms) if each == arm]
        rows = answer.drop_columns([ARM_COLUMN]).take(pa.array(places, pa.int64())).replace_schema_metadata(kept)
        found.append(Part(arm, arm, rows, [place + 1 for place in places]))
    return found


def marked(answer: "pa.Table", ranker: str, arm: str | None) -> "pa.Table":
    """Return an answer whose metadata say which arm it is of."""
    own = {RANKER: ranker} if arm is None else {RANKER: ranker, ARM: arm}
    return answer.replace_schema_metadata({**answer.schema.metadata, **own})


def _type(first: "pa.Table", second: "pa.Table", name: str) -> bool:
    return bool(first.schema.field(name).type == second.schema.field(name).type)


def _text(answer: "pa.Table") -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (answer.schema.metadata or {}).items()}
