"""Export: a run directory to a bundle with one ONNX graph, and a bundle to a Triton model repository."""

try:
    import onnx as _onnx  # noqa: F401 (only to say which extra brings it)
except ImportError as err:
    from polyrank.errors import MissingExtraError

    raise MissingExtraError("export needs onnx; pip install 'polyrank[export,cpu]'") from err

from .bundle import Bundle, ExportOptions, export_onnx
from .repository import Published, publish

__all__ = ["Bundle", "ExportOptions", "Published", "export_onnx", "publish"]
