"""A pytest plugin that puts the extension built with sanitizers in the place of polyrank._native."""

import importlib.util
import os
import sys

_PATH = os.environ["POLYRANK_SANITIZED_NATIVE"]
_spec = importlib.util.spec_from_file_location("polyrank._native", _PATH)
if _spec is None or _spec.loader is None:
    raise ImportError(f"no extension module at {_PATH}")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
sys.modules["polyrank._native"] = _module


def pytest_report_header() -> str:
    """Say which extension the tests run."""
    from polyrank import _native

    return f"polyrank._native: {_native.__file__}"
