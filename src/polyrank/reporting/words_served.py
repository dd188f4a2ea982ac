"""The summary of what is served: whether it is what was trained, and how fast it answers."""

from collections.abc import Iterator

from . import facts
from .blocks import Sentence
from .bringing import EXPORT, LOADTEST
from .numerals import brief, count, joined, numeral, rounded, tiny
from .records import Load, LoadTest
from .sources import Bundle, Sources


def is_served_alike(sources: Sources) -> Iterator[Sentence]:
    """Say how far exported graphs are from the trained model, and whether all is of the run."""
    bundles = sources.of_main().bundles
    if not bundles:
        of = f" of run {brief(sources.main_id)}" if sources.bundles and sources.main_id else ""
        yield Sentence(f"Not known: no bundle{of} was given.", command=EXPORT)
    for bundle in bundles:
        yield parity_sentence(bundle)
    strangers = sources.strangers()
    if strangers:
        names = joined(map(brief, strangers))
        runs = joined(dict.fromkeys(run.run_id for run in sources.runs)) if sources.runs else sources.main_id
        verb = "is" if len(strangers) == 1 else "are"
        yield Sentence(f"{names} {verb} of another training than {brief(runs or '')}.", "warning")


def parity_sentence(bundle: Bundle) -> Sentence:
    """Say what the evidence of a bundle is worth."""
    parity = bundle.parity
    largest = facts.worst(parity)
    versions = joined(dict.fromkeys((parity.onnxruntime, *(other.onnxruntime for other in parity.verified))))
    text = (
        f"{brief(bundle.name)} differs from the trained model by {tiny(largest.difference)} at most (limit "
        f"{tiny(parity.tolerance)}; {largest.task}, rows “{brief(largest.rows)}”, {largest.batch_size:,} at once) over "
        f"{count(len(facts.counted(parity)), 'comparison')} in ONNX Runtime {versions}"
    )
    if parity.losses:
        lost = max(parity.losses, key=lambda each: each.loss)
        text += f"; with smaller numbers {lost.task} loses most, {numeral(lost.loss)} of its {lost.metric}"
    return Sentence(f"{text}.", "good" if facts.holds(parity) else "warning")


def load_held(sources: Sources) -> Iterator[Sentence]:
    """Say which rates a server held, and with which latency."""
    if not sources.loads:
        yield Sentence("Not known: not measured.", command=LOADTEST)
    for each in sources.loads:
        yield from _load_sentences(each.found)


def _load_sentences(test: LoadTest) -> Iterator[Sentence]:
    what = f"{brief(test.model)}, {test.request}"
    held = sorted((load for load in test.loads if load.holds), key=lambda load: load.rate)
    if held:
        yield Sentence(f"{what}: {_told(held[0])}" + (f"; {_told(held[-1])}." if len(held) > 1 else "."), "good")
    failed = [load for load in test.loads if not load.holds]
    if failed:
        rates = joined(f"{load.rate:,.0f}" for load in sorted(failed, key=lambda load: load.rate))
        yield Sentence(f"{what}: not held at {rates} requests a second.", "plain" if held else "warning")
    if test.highest_rate is not None and test.p99_ms is not None:
        yield Sentence(
            f"{what}: the highest rate with a p99 within {rounded(test.p99_ms)} ms is {test.highest_rate:,.0f} "
            "requests a second.",
            "plain" if test.highest_rate > 0 else "warning",
        )


def _told(load: Load) -> str:
    return f"at {load.rate:,.0f} requests a second p50 {rounded(load.p50_ms)} ms and p99 {rounded(load.p99_ms)} ms"
