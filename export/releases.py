"""Which ONNX Runtime each Triton release carries, and so which opset and file format it loads."""

import dataclasses
import re

from polyrank.errors import ExportError

OPSET = 20
"""What the graph is built for: the newest operator set that no operator of ours needs to leave behind."""

IR_VERSION = 10


@dataclasses.dataclass(frozen=True)
class Target:
    """An ONNX Runtime to export for.

    Attributes:
        triton: Triton release, year.month; None where the ONNX Runtime was named itself.
        onnxruntime: the version that loads the graph.
        max_opset: newest operator set that version loads.
        max_ir_version: newest ONNX file format that version loads.
    """

    triton: str | None
    onnxruntime: str
    max_opset: int
    max_ir_version: int

    @property
    def name(self) -> str:
        """What the graph is exported for, in words."""
        runtime = f"ONNX Runtime {self.onnxruntime}"
        return runtime if self.triton is None else f"Triton {self.triton} ({runtime})"

    @property
    def opset(self) -> int:
        """Operator set to export."""
        return min(OPSET, self.max_opset)

    @property
    def ir_version(self) -> int:
        """ONNX file format to write."""
        return min(IR_VERSION, self.max_ir_version)


# From Triton's release notes ("ONNX Runtime x.y.z" of each container).
_ONNXRUNTIME_BY_RELEASE = {
    "26.07": "1.27.0",
    **dict.fromkeys(("26.06", "26.05", "26.04"), "1.24.4"),
    "26.03": "1.24.2",
    "26.02": "1.24.1",
    **dict.fromkeys(("26.01", "25.12", "25.11"), "1.23.2"),
    "25.10": "1.23.1",
    **dict.fromkeys(("25.09", "25.08"), "1.23.0"),
    **dict.fromkeys(("25.07", "25.06", "25.05"), "1.22.0"),
    **dict.fromkeys(("25.04", "25.03"), "1.21.0"),
    **dict.fromkeys(("25.02", "25.01", "24.12"), "1.20.1"),
    **dict.fromkeys(("24.11", "24.10", "24.09"), "1.19.2"),
}

# Newest operator set and IR version that each loads; found by benchmarks/onnxruntime_limits.py.
_NEWEST_LOADED = {
    "1.19": (21, 10),
    "1.20": (21, 10),
    "1.21": (22, 10),
    "1.22": (22, 10),
    "1.23": (23, 11),
    "1.24": (25, 13),
    **dict.fromkeys(("1.25", "1.26", "1.27", "1.28", "1.29", "1.30", "1.31"), (26, 13)),
    "1.32": (28, 14),
}

LATEST = max(_ONNXRUNTIME_BY_RELEASE)


def resolve_target(triton: str | None = None, onnxruntime: str | None = None) -> Target:
    """Return what to export for: a Triton release or a version of ONNX Runtime; the newest release of neither.

    Raises:
        ExportError: both are named, or the one that is named is unknown.
    """
    if onnxruntime is None:
        return target_of(LATEST if triton is None else triton)
    if triton is not None:
        raise ExportError(f"triton {triton!r} and onnxruntime {onnxruntime!r} exclude one another: name one of them")
    return target_of_onnxruntime(onnxruntime)


def target_of(release: str) -> Target:
    """Look a Triton release up.

    Raises:
        ExportError: the release is not in the table; the message lists those that are.
    """
    if release not in _ONNXRUNTIME_BY_RELEASE:
        known = ", ".join(sorted(_ONNXRUNTIME_BY_RELEASE, reverse=True))
        raise ExportError(f"triton release {release!r} is unknown; known are {known}")
    version = _ONNXRUNTIME_BY_RELEASE[release]
    return Target(release, version, *_NEWEST_LOADED[_minor(version)])


def target_of_onnxruntime(version: str) -> Target:
    """Look an ONNX Runtime up, by `major.minor` or `major.minor.patch`.

    Raises:
        ExportError: its limits are not in the table; the message lists those that are.
    """
    if not re.fullmatch(r"[0-9]+\.[0-9]+(\.[0-9]+)?", version) or _minor(version) not in _NEWEST_LOADED:
        known = ", ".join(sorted(_NEWEST_LOADED, reverse=True))
        raise ExportError(f"ONNX Runtime {version!r} is unknown; known are {known}")
    return Target(None, version, *_NEWEST_LOADED[_minor(version)])


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])
