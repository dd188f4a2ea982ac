import pytest

from polyrank.errors import ExportError
from polyrank.export.releases import LATEST, resolve_target, target_of, target_of_onnxruntime

# ONNX Runtime of each Triton container, from its release notes; newest opset and IR version that each loads, as
# benchmarks/onnxruntime_limits.py finds them.
RELEASES = {
    "26.07": ("1.27.0", 26, 13),
    "26.06": ("1.24.4", 25, 13),
    "26.05": ("1.24.4", 25, 13),
    "26.04": ("1.24.4", 25, 13),
    "26.03": ("1.24.2", 25, 13),
    "26.02": ("1.24.1", 25, 13),
    "26.01": ("1.23.2", 23, 11),
    "25.12": ("1.23.2", 23, 11),
    "25.11": ("1.23.2", 23, 11),
    "25.10": ("1.23.1", 23, 11),
    "25.09": ("1.23.0", 23, 11),
    "25.08": ("1.23.0", 23, 11),
    "25.07": ("1.22.0", 22, 10),
    "25.06": ("1.22.0", 22, 10),
    "25.05": ("1.22.0", 22, 10),
    "25.04": ("1.21.0", 22, 10),
    "25.03": ("1.21.0", 22, 10),
    "25.02": ("1.20.1", 21, 10),
    "25.01": ("1.20.1", 21, 10),
    "24.12": ("1.20.1", 21, 10),
    "24.11": ("1.19.2", 21, 10),
    "24.10": ("1.19.2", 21, 10),
    "24.09": ("1.19.2", 21, 10),
}


@pytest.mark.parametrize("release", RELEASES)
def test_release_carries_its_onnxruntime(release: str) -> None:
    target = target_of(release)
    assert (target.onnxruntime, target.max_opset, target.max_ir_version) == RELEASES[release]


@pytest.mark.parametrize("release", RELEASES)
def test_graph_stays_within_what_a_release_loads(release: str) -> None:
    target = target_of(release)
    assert target.opset <= target.max_opset
    assert target.ir_version <= target.max_ir_version


def test_default_is_the_newest_release() -> None:
    assert next(iter(RELEASES)) == LATEST


@pytest.mark.parametrize("release", ["26.7", "", "latest", "24.08", "26.08", "2.51.0"])
def test_unknown_release_lists_all_known_ones(release: str) -> None:
    with pytest.raises(ExportError) as caught:
        target_of(release)
    assert str(caught.value) == f"triton release {release!r} is unknown; known are {', '.join(RELEASES)}"


@pytest.mark.parametrize(("version", "limits"), [("1.20", (21, 10)), ("1.24.4", (25, 13)), ("1.32", (28, 14))])
def test_onnxruntime_decides_what_is_loaded(version: str, limits: tuple[int, int]) -> None:
    target = target_of_onnxruntime(version)
    assert (target.max_opset, target.max_ir_version) == limits
    assert (target.triton, target.onnxruntime) == (None, version)


@pytest.mark.parametrize("version", ["1.18", "2.0", "1", "latest", "1.24.4.1", ""])
def test_unknown_onnxruntime_lists_all_known_ones(version: str) -> None:
    with pytest.raises(ExportError, match=r"^ONNX Runtime '.*' is unknown; known are 1\.32, 1\.31, .*, 1\.20, 1\.19$"):
        target_of_onnxruntime(version)


def test_release_and_onnxruntime_exclude_one_another() -> None:
    with pytest.raises(ExportError, match=r"^triton '25\.05' and onnxruntime '1\.22' exclude one another: name one of"):
        resolve_target("25.05", "1.22")


@pytest.mark.parametrize(
    ("triton", "onnxruntime", "name"),
    [
        (None, None, "Triton 26.07 (ONNX Runtime 1.27.0)"),
        ("25.05", None, "Triton 25.05 (ONNX Runtime 1.22.0)"),
        (None, "1.22", "ONNX Runtime 1.22"),
    ],
)
def test_target_is_named_as_it_was_chosen(triton: str | None, onnxruntime: str | None, name: str) -> None:
    assert resolve_target(triton, onnxruntime).name == name
