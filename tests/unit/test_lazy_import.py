"""`import polyrank` costs a client next to nothing, and every public name is there when it is asked for."""

import importlib
import subprocess
import sys

import pytest

import polyrank

HEAVY = ("torch", "onnx", "onnxruntime", "onnxscript", "pyarrow", "numpy", "pandas", "safetensors", "tritonclient")
ROOMS = (
    "polyrank.spark",
    "polyrank.serving",
    "polyrank.encoder",
    "polyrank.fingerprint",
    "polyrank.schema",
    "polyrank.signature",
)


def loaded_by(statement: str) -> list[str]:
    code = f"import sys; {statement}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()


def import_ms() -> float:
    code = "import time; start = time.perf_counter(); import polyrank; print(1e3 * (time.perf_counter() - start))"
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def test_import_loads_no_heavy_library() -> None:
    assert not set(HEAVY) & set(loaded_by("import polyrank"))


def test_import_takes_less_than_150_ms() -> None:
    assert min(import_ms() for _ in range(5)) < 150.0


@pytest.mark.parametrize("room", ROOMS)
def test_client_rooms_load_neither_torch_nor_onnx(room: str) -> None:
    assert not {"torch", "onnx", "onnxscript", "onnxruntime", "safetensors"} & set(loaded_by(f"import {room}"))


def test_spark_is_loaded_when_it_is_used() -> None:
    assert not {"pyspark", "pandas", "pyarrow"} & set(loaded_by("import polyrank.spark"))


def test_command_line_loads_no_heavy_library_before_a_verb() -> None:
    assert not {"torch", "onnx", "pyarrow"} & set(loaded_by("import polyrank.__main__"))


@pytest.mark.parametrize("name", polyrank.__all__)
def test_public_name_resolves(name: str) -> None:
    assert getattr(importlib.import_module("polyrank"), name) is not None


def test_public_names_are_listed_before_they_load() -> None:
    code = "import polyrank; print(dir(polyrank) == sorted(polyrank.__all__) and 'fit' not in vars(polyrank))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_resolved_name_is_kept() -> None:
    assert polyrank.Schema is polyrank.Schema
    assert vars(polyrank)["Schema"] is polyrank.Schema


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'polyrank' has no attribute 'trian'$"):
        polyrank.trian  # noqa: B018
