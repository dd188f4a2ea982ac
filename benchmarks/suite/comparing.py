"""What was found beside what is committed: the pages with both, and the figures that are slower by more than noise."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from contests import report

from . import pages
from .catalogue import Benchmark
from .figures import Change, changes, figures, slower
from .running import FailedError, Outcome
from .tables import tables_of

Found = Sequence[tuple[Benchmark, Outcome]]
"""Benchmarks that ended well, and what they found."""

_STAMP = re.compile(r"^Measured on (.+?), \d+ cores\b", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Compared:
    """A benchmark beside what is committed of it.

    Attributes:
        name: of the benchmark.
        count: of the figures that both have.
        slower: those that are slower by more than noise.
        elsewhere: the processors that committed figures are of, where those are others; they are not compared.
    """

    name: str
    count: int
    slower: list[Change]
    elsewhere: frozenset[str]


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
    elsewhere = set()
    for place, lines in zip(benchmark.places, outcome.tables, strict=False):
        text = pages.held(committed[place.page], place.name, benchmark.script, place.page)
        if not place.columns:
            continue
        if measured_on(text) != outcome.machine.cpu:
            elsewhere.add(measured_on(text) or "a processor that is not named")
            continue
        before = [each for table in tables_of(text) for each in figures(table, place.columns, place.ours)]
        both += changes(before, figures(lines, place.columns, place.ours))
    return Compared(benchmark.name, len(both), slower(both, benchmark.noise, outcome.spreads), frozenset(elsewhere))


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
    parts = [
        f"{each.name}: committed figures are of {', '.join(sorted(each.elsewhere))}" for each in found if each.elsewhere
    ]
    if parts:
        parts = [f"This is {report.cpu_model()}; nothing is compared with figures of another processor:", *parts, ""]
    count = sum(each.count for each in found)
    if len(lines) > 1:
        return "\n".join(
            [*parts, f"slower by more than noise, {len(lines) - 1} of {count} figures:", "", report.aligned(lines)]
        )
    return "\n".join([*parts, f"none of {count} figures is slower by more than noise"])
