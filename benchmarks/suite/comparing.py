"""What was found beside what is committed: pages with what was found, and the figures that are slower or gone."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from contests import report

from . import pages
from .catalogue import Benchmark, Place
from .figures import Change, Figure, changes, figures, slower, without_twin
from .running import FailedError, Outcome
from .tables import tables_of

Found = Sequence[tuple[Benchmark, Outcome]]
"""Benchmarks that ended well, and what they found."""

_STAMP = re.compile(r"^Measured on (.+?), \d+ cores\b", re.MULTILINE)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """A benchmark beside what is committed of it.

    Attributes:
        name: of the benchmark.
        count: of the committed figures.
        slower: those that are slower by more than noise.
        gone: those that are no speed or time any more.
        new: how many figures are not committed, and so compared with nothing.
        elsewhere: the processors that committed figures are of, where those are others; they are not compared.
    """

    name: str
    count: int
    slower: list[Change]
    gone: list[Figure]
    new: int
    elsewhere: frozenset[str]

    @property
    def is_worse(self) -> bool:
        """Whether a figure is slower or gone."""
        return bool(self.slower or self.gone)


def measured_on(text: str) -> str:
    """Return the processor that a place says its figures are of; empty if it says none."""
    found = _STAMP.search(text)
    return found[1] if found else ""


def refuse_lost_places(chosen: Sequence[Benchmark]) -> None:
    """See to it that pages have a place for each table, before hours of measuring.

    Raises:
        SystemExit: one has not, or has several.
    """
    for benchmark in chosen:
        for place in benchmark.places:
            pages.held((pages.ROOT / place.page).read_text(), place.name, benchmark.script, place.page)


def checked(benchmark: Benchmark, outcome: Outcome) -> None:
    """See to it that what was printed fits what pages expect.

    Raises:
        FailedError: there are more or fewer tables than places, or a table lacks a column that is compared.
    """
    if benchmark.places and len(outcome.tables) != len(benchmark.places):
        raise FailedError(
            f"{benchmark.name} printed {len(outcome.tables)} tables, and pages have places for {len(benchmark.places)}"
        )
    for place, lines in zip(benchmark.places, outcome.tables, strict=False):
        try:
            figures(lines, place.columns, place.ours)
        except ValueError as err:
            raise FailedError(f"{benchmark.name}, {place.name!r}: {err}") from err


def renewed(found: Found) -> dict[str, str]:
    """Return the pages that change, by name, with all tables in their places."""
    texts: dict[str, str] = {}
    for benchmark, outcome in found:
        for place, lines in zip(benchmark.places, outcome.tables, strict=False):
            text = texts.get(place.page) or (pages.ROOT / place.page).read_text()
            content = f"{report.markdown(lines)}\n\n{outcome.machine.said()}"
            texts[place.page] = pages.filled(text, place.name, benchmark.script, place.page, content)
    return texts


def compared(benchmark: Benchmark, outcome: Outcome, committed: Mapping[str, str]) -> Compared:
    """Compare figures with those of committed pages, if those are of this kind of processor.

    Args:
        benchmark: that found them.
        outcome: what it found.
        committed: pages by name.
    """
    both: list[Change] = []
    gone: list[Figure] = []
    elsewhere, new = set(), 0
    for place, lines in zip(benchmark.places, outcome.tables, strict=False):
        # The last commit may have no such place, or one without figures: then all are new.
        text = next(iter(pages.all_held(committed[place.page], place.name, benchmark.script)), "")
        if not place.columns:
            continue
        if text and measured_on(text) != outcome.machine.cpu:
            elsewhere.add(measured_on(text) or "a processor that is not named")
            continue
        before, now = _committed_figures(text, place), figures(lines, place.columns, place.ours)
        both += changes(before, now)
        gone += without_twin(before, now)
        new += len(without_twin(now, before))
    return Compared(
        name=benchmark.name,
        count=len(both) + len(gone),
        slower=slower(both, benchmark.noise, outcome.spreads),
        gone=gone,
        new=new,
        elsewhere=frozenset(elsewhere),
    )


def _committed_figures(text: str, place: Place) -> list[Figure]:
    """Return the figures of a committed place, where a table may lack a column that is compared since."""
    found = []
    for table in tables_of(text):
        columns = {name: unit for name, unit in place.columns.items() if name in table[0]}
        found += figures(table, columns, place.ours)
    return found


def all_compared(found: Found) -> list[Compared]:
    """Compare all with the last commit."""
    committed = {place.page: pages.committed(place.page) for each, _ in found for place in each.places}
    return [compared(benchmark, outcome, committed) for benchmark, outcome in found]


def told(found: list[Compared]) -> str:
    """Say what is slower, and what could not be compared, in some lines."""
    lines = [["benchmark", "figure", "committed", "now", "change"]]
    for each in found:
        lines += [
            [each.name, f"{one.now.row}: {one.now.column}", one.before.text, one.now.text, f"{one.change:+.0%}"]
            for one in each.slower
        ]
        lines += [[each.name, f"{one.row}: {one.column}", one.text, "gone", "-"] for one in each.gone]
    parts = [
        f"{each.name}: committed figures are of {', '.join(sorted(each.elsewhere))}" for each in found if each.elsewhere
    ]
    if parts:
        parts = [f"This is {report.cpu_model()}; nothing is compared with figures of another processor:", *parts, ""]
    if new := sum(each.new for each in found):
        parts.append(f"figures that the last commit has not, compared with nothing: {new}")
    count = sum(each.count for each in found)
    if len(lines) > 1:
        said = f"slower by more than noise, or gone, {len(lines) - 1} of {count} figures:"
        return "\n".join([*parts, said, "", report.aligned(lines)])
    return "\n".join([*parts, f"none of {count} figures is slower by more than noise"])
