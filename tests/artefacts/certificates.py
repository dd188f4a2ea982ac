"""Certificates for tests, made with the openssl command."""

import dataclasses
import subprocess
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Authority:
    """A certificate authority in a folder of its own."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Its own certificate."""
        return self.folder / "ca.pem"

    def certificate(self, name: str) -> tuple[Path, Path]:
        """Return a certificate for 127.0.0.1 and localhost that it signed, and its key."""
        key, request, signed = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        (self.folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", f"/CN={name}", "-out", request)
        signing = ("-CA", self.ca, "-CAkey", self.folder / "ca.key", "-CAcreateserial", "-days", "2")
        _openssl("x509", "-req", "-in", request, *signing, "-extfile", self.folder / "names", "-out", signed)
        return signed, key


def make_authority(folder: Path) -> Authority:
    """Make an authority in a folder."""
    folder.mkdir()
    key, signed = folder / "ca.key", folder / "ca.pem"
    _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-subj", "/CN=ca", "-out", signed)
    return Authority(folder)


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
