"""What is served: evidence that it is what was trained, and its latency."""

from collections.abc import Iterator

from polyrank.reporting import facts
from polyrank.reporting.blocks import Block, Gallery, Heading, Section, Table, Words
from polyrank.reporting.bringing import EXPORT, LOADTEST
from polyrank.reporting.numerals import brief, change, numeral, tiny
from polyrank.reporting.pictures.loads import load_picture, loads_table
from polyrank.reporting.pictures.parity import parity_picture
from polyrank.reporting.records import LoadTest, Parity
from polyrank.reporting.sources import Bundle, Sources
from polyrank.reporting.words_served import parity_sentence


def parity_section(sources: Sources) -> Section:
    """Tell how far graphs are from the trained model, and what smaller numbers cost."""
    blocks = [block for bundle in sources.bundles for block in _proven(bundle)]
    nothing = Words("No bundle was given:", command=EXPORT)
    return Section("parity", "Whether it is served as it was trained", tuple(blocks) or (nothing,))


def _proven(bundle: Bundle) -> Iterator[Block]:
    signature = bundle.signature
    sentence = parity_sentence(bundle)
    yield Heading(brief(bundle.name))
    yield Words(sentence.text, sentence.tone)
    kind = "one user with many items" if signature.request is not None else "rows"
    target = f"Triton {signature.triton}" if signature.triton else f"ONNX Runtime {signature.onnxruntime or 'unnamed'}"
    published = "" if bundle.record is None else f" Published {bundle.record.published:%Y-%m-%d %H:%M} UTC."
    yield Words(
        f"A graph over {kind} of run {brief(signature.run_id)}, for {target}, opset {signature.opset}, with "
        f"{signature.precision}.{published}"
    )
    yield Gallery((parity_picture(bundle),))
    yield _versions(bundle.parity)
    if bundle.parity.losses:
        yield _losses(bundle.parity)


def _versions(parity: Parity) -> Table:
    proofs = [("as exported", parity)]
    proofs += [("verified too", other) for other in parity.verified]
    proofs += [] if parity.exact is None else [("before numbers became smaller", parity.exact)]
    rows = tuple(
        (
            what,
            each.onnxruntime,
            f"{len(facts.counted(each)):,}",
            tiny(facts.worst(each).difference),
            tiny(each.tolerance),
            "within" if facts.holds(each) else "beyond",
        )
        for what, each in proofs
        if each.differences
    )
    return Table("Comparisons", ("graph", "ONNX Runtime", "comparisons", "largest", "limit", ""), rows)


def _losses(parity: Parity) -> Table:
    rows = tuple(
        (each.task, each.metric, numeral(each.before), numeral(each.after), change(each.loss), numeral(each.error))
        for each in parity.losses
    )
    return Table("What smaller numbers cost", ("task", "metric", "before", "after", "loss", "standard error"), rows)


def load_section(sources: Sources) -> Section:
    """Tell of latency against load."""
    blocks = [block for each in sources.loads for block in _loaded(each.found)]
    nothing = Words("Not measured:", command=LOADTEST)
    return Section("load", "How fast it answers", tuple(blocks) or (nothing,))


def _loaded(test: LoadTest) -> Iterator[Block]:
    version = "" if test.version is None else f" version {brief(test.version)}"
    yield Words(f"{brief(test.model)}{version} of run {brief(test.run_id)}, {test.request}.")
    picture = load_picture(test)
    yield loads_table(test) if picture is None else Gallery((picture,))
    reasons = list(dict.fromkeys(reason for load in test.loads for reason in load.errors))
    for reason in reasons:
        yield Words(f"Error: {brief(reason)}", "warning")
