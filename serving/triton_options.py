"""Options of Triton that a server's configuration gives: TLS, and whatever else a user wants of Triton's own."""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path

import msgspec

from polyrank.arguments import instance, text
from polyrank.errors import ConfigError
from polyrank.reasons import system_reason

_KEY = re.compile(r"[a-z][a-z0-9-]*")
_OURS = {
    "model-repository": "REPOSITORY",
    "model-store": "REPOSITORY",
    "load-model": "--model",
    "http-port": "--http-port",
    "grpc-port": "--grpc-port",
    "metrics-port": "--metrics-port",
    "http-address": "--host",
    "grpc-address": "--host",
    "metrics-address": "--host",
    "log-file": "--log-file",
    "log-verbose": "--log-verbose",
    "exit-timeout-secs": "--grace-s",
    "allow-gpu-metrics": "--accelerator",
    "grpc-use-ssl": "--tls-certificate",
    "grpc-server-cert": "--tls-certificate",
    "grpc-server-key": "--tls-key",
    "grpc-use-ssl-mutual": "--tls-ca",
    "grpc-root-cert": "--tls-ca",
}
"""What has an option of ours, by Triton's name."""
_FIXED = {
    *("model-control-mode", "backend-directory", "disable-auto-complete-config", "strict-model-config"),
    *("allow-http", "allow-grpc", "allow-metrics", "log-info", "exit-on-error", "help"),
}
"""What the embedded server rests on."""


class ServerTls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the gRPC endpoint proves who it is, and asks clients to. Triton has no TLS for HTTP.

    Attributes:
        certificate: PEM file of the server's certificate, with those between it and the root after it.
        key: PEM file of its private key, without a passphrase.
        ca: PEM file of the authorities whose clients are let in; None lets in all.
    """

    certificate: Path
    key: Path
    ca: Path | None = None

    def __post_init__(self) -> None:
        for name in ("certificate", "key"):
            instance(name, getattr(self, name), Path, "a pathlib.Path")
        instance("ca", self.ca, Path | None, "a pathlib.Path or None")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(self.certificate, self.key, password="")
            if self.ca is not None:
                context.load_verify_locations(self.ca)
        except (OSError, ValueError) as err:  # what `ssl` raises is an OSError too
            names = ", ".join(str(each) for each in (self.certificate, self.key, self.ca) if each is not None)
            reason = system_reason(err) if isinstance(err, OSError) else str(err).lower()
            raise ConfigError(f"tls files {names} cannot be used: {reason}; give PEM files that fit together") from err

    @property
    def files(self) -> dict[str, Path]:
        """The files by the name of the attribute, those that there are."""
        files = {"certificate": self.certificate, "key": self.key}
        return {name: file.absolute() for name, file in (files | ({"ca": self.ca} if self.ca else {})).items()}


def tls_words(files: Mapping[str, Path]) -> list[str]:
    """Return Triton's options for the files of a `ServerTls`, as they lie where Triton runs."""
    own = [f"--grpc-server-cert={files['certificate']}", f"--grpc-server-key={files['key']}"]
    if "ca" not in files:
        return ["--grpc-use-ssl=true", *own]
    return ["--grpc-use-ssl-mutual=true", *own, f"--grpc-root-cert={files['ca']}"]


def check_options(options: Mapping[str, str]) -> None:
    """Refuse options of Triton that the server sets itself.

    Args:
        options: Values by name, as `http-thread-count`.

    Raises:
        ConfigError: A name is none, or one of those, or a value is no text.
    """
    for name, value in options.items():
        text("the name of a triton option", name)
        text(f"triton option {name}", value)
        if not _KEY.fullmatch(name):
            raise ConfigError(
                f"triton option {name!r} must be a name such as http-thread-count, without leading dashes"
            )
        if name in _OURS:
            raise ConfigError(f"triton option {name} is set by the server itself; use {_OURS[name]}")
        if name in _FIXED or "shm-region-prefix-name" in value:
            raise ConfigError(f"triton option {name} is set by the server itself, which rests on it; leave it out")


def option_words(options: Mapping[str, str]) -> list[str]:
    """Return options as words of Triton's command line."""
    return [f"--{name}={value}" for name, value in options.items()]
