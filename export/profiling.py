"""Where a graph spends its time: ONNX Runtime's own profile, by operator and by node."""

import collections
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from numpy.typing import NDArray

from polyrank.errors import MissingExtraError

RUNS, WARM_UP = 50, 5


class NodeTime(msgspec.Struct, frozen=True, kw_only=True):
    """Time of a node of the graph as ONNX Runtime runs it, after its optimisations.

    Attributes:
        name: of the node; fused ones have names of ONNX Runtime's making.
        operator: its kind.
        time_us: of a call, in microseconds, on average.
        share: of the time of all nodes.
    """

    name: str
    operator: str
    time_us: float
    share: float


def profile(model: Path, inputs: Mapping[str, NDArray[Any]]) -> tuple[NodeTime, ...]:
    """Run a graph 50 times on one core, and return the nodes that take longest first.

    Raises:
        MissingExtraError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as err:
        raise MissingExtraError("profiling needs onnxruntime; pip install 'polyrank[export,cpu]'") from err
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 3, 1
        options.enable_profiling, options.profile_file_prefix = True, str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        for _ in range(WARM_UP + RUNS):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return _by_node(events)


def _by_node(events: list[dict[str, Any]]) -> tuple[NodeTime, ...]:
    times: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            times[event["name"].removesuffix("_kernel_time"), event["args"]["op_name"]].append(event["dur"])
    means = {key: sum(durations[WARM_UP:]) / max(1, len(durations) - WARM_UP) for key, durations in times.items()}
    total = sum(means.values()) or 1.0
    found = [
        NodeTime(name=name, operator=operator, time_us=mean, share=mean / total)
        for (name, operator), mean in means.items()
    ]
    return tuple(sorted(found, key=lambda node: -node.time_us))
