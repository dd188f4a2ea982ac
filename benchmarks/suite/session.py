"""A run of many benchmarks, from the first to the pages."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from . import comparing, pages, running, wanting
from .catalogue import Benchmark
from .running import FailedError, Outcome


@dataclasses.dataclass(frozen=True, kw_only=True)
class Session:
    """Runs benchmarks one after another.

    Attributes:
        folder: where they leave what they find; what is there already is taken from there.
        given: folders of data, by the words of commands that ask for them.
        quick: with small sizes.
    """

    folder: Path
    given: Mapping[str, Path]
    quick: bool = False

    def run(self, chosen: Iterable[Benchmark]) -> tuple[list[tuple[Benchmark, Outcome]], int]:
        """Run benchmarks; return what those found that ended well, and how many did not."""
        self.folder.mkdir(parents=True, exist_ok=True)
        found, failed = [], 0
        for benchmark in chosen:
            if reason := wanting.lacking(benchmark, self.given):
                print(f"{benchmark.name}: left out, {reason}", flush=True)
                continue
            try:
                found.append((benchmark, self._one(benchmark)))
            except FailedError as err:
                print(err, flush=True)
                failed += 1
        return found, failed

    def forget(self, found: Sequence[tuple[Benchmark, Outcome]]) -> None:
        """Remove what is kept, so that the next run measures anew."""
        for benchmark, _ in found:
            self._kept(benchmark).unlink(missing_ok=True)

    def write(self, found: Sequence[tuple[Benchmark, Outcome]]) -> None:
        """Put tables and pictures in their places, and what is computed of them."""
        for page, text in comparing.renewed(found).items():
            pages.write(page, text)
            print(f"{page} is renewed")
        for benchmark, _ in found:
            if benchmark.picture:
                pages.copy(wanting.files_of(benchmark, self.folder)["picture"], benchmark.picture)
                print(f"{benchmark.picture} is renewed")
        subprocess.run([sys.executable, "benchmarks/scale.py", "--write"], cwd=pages.ROOT, check=True)

    def _one(self, benchmark: Benchmark) -> Outcome:
        files = wanting.files_of(benchmark, self.folder)
        paths = {**self.given, **files}
        if "demo" in benchmark.asked:
            paths["demo"] = wanting.demo(self.folder / "demo")
        command = wanting.words(benchmark, paths, quick=self.quick)
        if outcome := running.kept(self._kept(benchmark), command):
            print(f"{benchmark.name}: kept from {outcome.machine.date}", flush=True)
            return outcome
        expected = "" if self.quick else f" (about {benchmark.minutes:g} min)"
        print(f"{benchmark.name}{expected} ...", end="", flush=True)
        outcome = running.run(benchmark, command, files)
        print(f" {outcome.seconds:,.0f} s", flush=True)
        comparing.checked(benchmark, outcome)
        if not self.quick:  # of which nothing is kept
            running.refuse_edited(benchmark, outcome)
        running.keep(self._kept(benchmark), outcome)
        return outcome

    def _kept(self, benchmark: Benchmark) -> Path:
        return self.folder / f"{benchmark.name}.json"
