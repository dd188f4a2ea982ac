"""All benchmarks, as benchmarks.toml lists them: commands, how long they take, and where their tables stand."""

from pathlib import Path
from string import Formatter

import msgspec

from .figures import NOISE

LIST = Path(__file__).with_name("benchmarks.toml")


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a table that a benchmark prints stands.

    Attributes:
        name: in the marks around it.
        page: that holds it.
        columns: those that are a speed or a time of ours, by heading, with the unit where cells have none.
        ours: a pattern of the rows that are ours, where others stand beside them.
    """

    name: str
    page: str = "docs/benchmarks.md"
    columns: dict[str, str] = {}
    ours: str = ""


class Benchmark(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A command, and what becomes of what it prints.

    Attributes:
        name: as `--only` takes it.
        command: words behind `python`; those in braces are filled in.
        quick: words behind those, with sizes that show that it runs.
        minutes: that it takes on two cores, about.
        places: of its tables, in the order in which it prints them; none where its figures stand in sentences.
        needs: packages and programs that are not installed with Polyrank.
        noise: the least share by which a figure has to be slower to count.
        environment: variables that it runs with.
        picture: the file of docs that `{picture}` becomes.
    """

    name: str
    command: str
    quick: str = ""
    minutes: float
    places: tuple[Place, ...] = ()
    needs: tuple[str, ...] = ()
    noise: float = NOISE
    environment: dict[str, str] = {}
    picture: str = ""

    @property
    def script(self) -> str:
        """The file that it runs, as marks name it."""
        return next(word for word in self.command.split() if word.endswith(".py"))

    @property
    def asked(self) -> frozenset[str]:
        """Names of the words that are filled in."""
        return frozenset(name for _, name, _, _ in Formatter().parse(self.command) if name)


class _Listed(msgspec.Struct, forbid_unknown_fields=True):
    benchmarks: tuple[Benchmark, ...]


def catalogue(file: Path = LIST) -> dict[str, Benchmark]:
    """Read all benchmarks by name, in their order."""
    found = msgspec.toml.decode(file.read_bytes(), type=_Listed)
    return {each.name: each for each in found.benchmarks}
