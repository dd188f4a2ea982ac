"""What every request to a server is made of: an address that can be one, and tensors of the wire contract."""

import math
import re
from typing import Any

from numpy.typing import NDArray

from polyrank.errors import ConfigError

_TYPES = {"int64": "INT64", "float32": "FP32"}

# gRPC takes a missing port for 443 and one above 65535 modulo 65536.
_URL = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")


def check_address(url: str, timeout_s: float) -> None:
    """Refuse what cannot be an address or a deadline.

    Raises:
        ConfigError: `url` is not `host:port`, or `timeout_s` is not above 0 and finite.
    """
    match = _URL.fullmatch(url)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ConfigError(f"url must be host:port of the server's gRPC endpoint, as in localhost:8001, got {url!r}")
    check_timeout(timeout_s)


def check_timeout(timeout_s: float) -> None:
    """Refuse what cannot be a deadline.

    Raises:
        ConfigError: it is not above 0 and finite.
    """
    if not (0 < timeout_s < math.inf):
        raise ConfigError(f"timeout_s must be above 0 and finite, got {timeout_s}")


def input_of(grpc: Any, name: str, tensor: NDArray[Any]) -> Any:
    """Return a tensor, int64 or float32, as tritonclient's `grpc` module sends it."""
    entry = grpc.InferInput(name, list(tensor.shape), _TYPES[tensor.dtype.name])
    entry.set_data_from_numpy(tensor)
    return entry
