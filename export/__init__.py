"""Export: a run directory to a bundle with one ONNX graph, and a bundle to a Triton model repository."""

try:
    import onnx as _onnx  # noqa: F401 (only to say which extra brings it)
except ImportError as err:
    from polyrank.errors import MissingExtraError

    raise MissingExtraError("export needs onnx; pip install 'polyrank[export,cpu]'") from err

from .bundle import Bundle
from .exporting import ExportOptions, export_onnx
from .live_check import LiveCheck, check_live
from .modules import export_module
from .remote import PublishedRemotely, publish_remote
from .repository import Published, publish
from .request_graph import RequestOptions
from .rollback import rollback
from .serving_options import ServingOptions
from .version_list import VersionInfo, list_versions

__all__ = [
    "Bundle",
    "ExportOptions",
    "LiveCheck",
    "Published",
    "PublishedRemotely",
    "RequestOptions",
    "ServingOptions",
    "VersionInfo",
    "check_live",
    "export_module",
    "export_onnx",
    "list_versions",
    "publish",
    "publish_remote",
    "rollback",
]
