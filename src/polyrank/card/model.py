"""Model details: what it is, what it answers, what it reads."""

from collections.abc import Iterator
from typing import Any

from polyrank.features import (
    BagFeature,
    BucketizedFeature,
    Feature,
    HashedFeature,
    NeighborsFeature,
    NumericFeature,
    PooledFeature,
    SequenceFeature,
    SharingFeature,
    VectorFeature,
)
from polyrank.features.keys import Side
from polyrank.schema import columns_for
from polyrank.tasks import (
    BinaryTask,
    CountTask,
    MulticlassTask,
    OrdinalTask,
    RegressionTask,
    Task,
    kind_of,
)

from .facts import Facts
from .markdown import code, listed, section, table

UNKNOWN = "not recorded"
_LAYERED = ("interaction", "normalization", "dropout")


def model_lines(facts: Facts) -> Iterator[str]:
    """Give the section."""
    rows = [(name, value) for name, value in _details(facts) if value]
    yield from section("Model details", table(("what", "value"), rows))
    yield from section(
        "Tasks", table(("task", "kind", "answer", "label", "observed", "weight"), _tasks(facts)), level=3
    )
    becomes = "what it becomes" if facts.module is None else "what the module is given"
    features = table(("feature", "kind", "side", "columns", becomes), _features(facts))
    yield from section("Features", features, level=3)


def _details(facts: Facts) -> Iterator[tuple[str, str]]:
    signature, record = facts.signature, facts.record
    config: dict[str, Any] = {} if record is None else record.config.get("model", {})
    yield "model", code(signature.schema.name)
    yield "run", code(signature.run_id)
    yield "made by", f"Polyrank {signature.polyrank}"
    yield "graph over", "rows" if signature.request is None else "one user with many items"
    yield "architecture", _architecture(facts, config)
    yield "layers", _layers(config)
    yield "calibration", code(config["calibration"]) if "calibration" in config else ""
    yield "started from", "" if record is None or record.warm_start is None else f"run {code(record.warm_start.run_id)}"
    yield "exported for", _target(facts)
    yield "format", f"ONNX, operator set {signature.opset}, IR version {signature.ir_version}"
    yield "size", ", ".join(f"{code(name)} {size:,} bytes" for name, size in facts.sizes.items())
    yield "numbers", str(signature.precision)
    hashing = signature.hashing
    yield "hashing", f"{code(hashing.name)} version {hashing.version}, seed {hashing.seed}"


def _architecture(facts: Facts, config: dict[str, Any]) -> str:
    if facts.module is not None:
        return f"{code(facts.module)}, trained elsewhere"
    return code(config["architecture"]) if "architecture" in config else UNKNOWN


def _layers(config: dict[str, Any]) -> str:
    if not config:
        return ""
    widths = {name: ", ".join(map(str, config.get(f"{name}_dims", ()))) or "none" for name in ("hidden", "tower")}
    shown = [f"hidden widths {widths['hidden']}", f"tower widths {widths['tower']}"]
    return "; ".join(shown + [f"{name} {code(config[name])}" for name in _LAYERED if name in config])


def _target(facts: Facts) -> str:
    triton, onnxruntime = facts.signature.triton, facts.signature.onnxruntime
    runtime = "" if onnxruntime is None else f"ONNX Runtime {onnxruntime}"
    return runtime if triton is None else f"Triton {triton}" + (f" ({runtime})" if runtime else "")


def _tasks(facts: Facts) -> Iterator[tuple[str, ...]]:
    for task in facts.signature.schema.tasks:
        observed = "where the label is not null"
        if task.when is not None:
            observed = f"where {code(task.when)} is 1"
        yield code(task.name), kind_of(task), answer_of(task), code(task.label), observed, f"{task.weight:g}"


def answer_of(task: Task) -> str:
    """Say what the answer to a task is."""
    match task:
        case BinaryTask():
            return "probability that the label is 1"
        case RegressionTask(transform="log1p"):
            return "number in units of the label, learned as its log1p"
        case RegressionTask():
            return "number in units of the label"
        case CountTask():
            return "expected number of events"
        case OrdinalTask():
            return f"expected level, from {task.levels[0]:g} to {task.levels[-1]:g}"
        case MulticlassTask():
            return f"probability of each of {task.num_classes} classes"


def _features(facts: Facts) -> Iterator[tuple[str, ...]]:
    for feature in facts.signature.schema.features:
        kind = str(type(feature).__struct_config__.tag)
        columns = listed(columns_for([feature])) or "none: made of the logs"
        becomes = _becomes(feature) if facts.module is None else _given(feature)
        yield code(feature.name), kind, side_of(feature), columns, becomes


def _given(feature: Feature) -> str:
    """Say what a module that was trained elsewhere gets of a feature; what it makes of it, nobody here knows."""
    if isinstance(feature, HashedFeature):
        values = "ids" if isinstance(feature, SharingFeature) and feature.identity else "fingerprints"
        return f"{values}, up to {feature.max_length}" if isinstance(feature, PooledFeature) else values[:-1]
    return f"{feature.dim} numbers" if isinstance(feature, VectorFeature) else "a number"


def side_of(feature: Feature) -> Side:
    """Return whom a feature tells of."""
    return feature.side or "context"


def _becomes(feature: Feature) -> str:
    match feature:
        case NumericFeature():
            return f"a number after {', '.join(feature.transform)}" if feature.transform else "a number"
        case BucketizedFeature():
            return f"one of {len(feature.boundaries or ()) + 1} buckets, a vector of {feature.embedding_dim} numbers"
        case VectorFeature():
            size = feature.dim if feature.projection is None else feature.projection
            return f"{feature.dim} numbers" + ("" if size == feature.dim else f", projected to {size}")
        case NeighborsFeature():
            return f"{feature.k} values that others engaged with too, from the table of {code(feature.of)}"
        case _:
            return _rows(feature) + _pooled(feature)


def _rows(feature: HashedFeature) -> str:
    if feature.table != feature.name:
        return f"rows of the table of {code(feature.table)}"
    each = ", one for each id" if isinstance(feature, SharingFeature) and feature.identity else ""
    return f"a table of {feature.num_buckets:,} rows of {feature.embedding_dim} numbers{each}"


def _pooled(feature: HashedFeature) -> str:
    if not isinstance(feature, PooledFeature):
        return ""
    weighed = ", weighed" if isinstance(feature, BagFeature) and feature.num_weights else ""
    newest = "the newest " if isinstance(feature, SequenceFeature) else ""
    return f"; {newest}{feature.max_length} values at most, pooled by {feature.pooling}{weighed}"
