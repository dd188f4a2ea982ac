"""`polyrank serve --locked-down` as it is typed, on a repository that cannot be written."""

import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import pytest
from artefacts import small_disks
from artefacts.certificates import make_authority
from artefacts.served import load_scores

from polyrank.errors import RequestError
from polyrank.serving import ClientOptions, ModelControl, Ranker, TlsFiles

pytestmark = pytest.mark.triton

READY = re.compile(r"ready: toy at grpc 127\.0\.0\.1:(\d+), http http://127\.0\.0\.1:(\d+), metrics http://\S+\n")


class Typed(NamedTuple):
    http_port: int
    urls: tuple[str, str]
    options: ClientOptions


@pytest.fixture(scope="module")
def typed(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Typed]:
    """Give the server that a command line starts, for all addresses of this machine."""
    folder = tmp_path_factory.mktemp("typed")
    authority = make_authority(folder / "authority")
    certificate, key = authority.certificate("server")
    with small_disks.mounted(folder / "disk", "64m") as disk:
        shutil.copytree(served / "repository" / "toy", disk / "models" / "toy")
        small_disks.remount(disk, "ro")
        command = [sys.executable, "-m", "polyrank", "serve", disk / "models", "--locked-down", "--host", "0.0.0.0"]  # noqa: S104
        ports = ["--http-port", "0", "--grpc-port", "0", "--metrics-port", "0"]
        words = [*command, "--tls-certificate", certificate, "--tls-key", key, *ports]
        with subprocess.Popen([*map(str, words)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            ready = READY.fullmatch(process.stdout.readline())
            assert ready is not None
            grpc, http = map(int, ready.groups())
            options = ClientOptions(tls=TlsFiles(ca=authority.ca), attempts=2)
            yield Typed(http, (f"http://127.0.0.1:{http}", f"grpcs://127.0.0.1:{grpc}"), options)
            process.send_signal(signal.SIGINT)


@pytest.mark.parametrize("protocol", [0, 1], ids=["http", "grpc"])
def test_models_answer(typed: Typed, served: Path, protocol: int) -> None:
    with Ranker(typed.urls[protocol], "toy", options=typed.options) as ranker:
        found = ranker.score(pq.read_table(served / "rows.parquet"))["click"].to_numpy()
    np.testing.assert_allclose(found, load_scores(served / "scores.npz")["click"], atol=1e-5)


@pytest.mark.parametrize("protocol", [0, 1], ids=["http", "grpc"])
def test_nobody_has_its_key(typed: Typed, protocol: int) -> None:
    with ModelControl(typed.urls[protocol], options=typed.options) as control:
        for change in (control.load, control.unload):
            with pytest.raises(RequestError, match=r"the server asks for a key \(This (API|protocol) is restricted"):
                change("toy")
        assert control.serves("toy", 1)


def test_http_listens_at_127_0_0_1_alone(typed: Typed) -> None:
    other = "127.0.0.2"  # of this machine too, as any address of its network is
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((other, typed.http_port), timeout=5.0)
    socket.create_connection((other, int(typed.urls[1].rpartition(":")[2])), timeout=5.0).close()
