"""The Java of examples/java asks a real server, and gets what the client that encodes rows itself is answered."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from artefacts.runs import make_run

from polyrank.encoder import Encoder
from polyrank.export import ExportOptions, ServingOptions, export_onnx, publish
from polyrank.schema import Schema
from polyrank.serving import Ranker, Server, serve

SOURCE = Path(__file__).parents[2] / "examples" / "java" / "Score.java"
SCHEMA = Schema.from_toml("""
name = "kuairand"
features = [
  { name = "user_id", kind = "categorical", dtype = "int64", num_buckets = 90 },
  { name = "video_id", kind = "categorical", dtype = "int64", num_buckets = 90 },
  { name = "history", kind = "bag", max_length = 20, shares = "video_id" },
  { name = "tags", kind = "bag", dtype = "text", max_length = 3, num_buckets = 90 },
  { name = "duration_ms", kind = "numeric", transform = ["log1p", "standardize"], mean = 10.0, std = 1.0 },
  { name = "tab", kind = "categorical", dtype = "int64", num_buckets = 90 },
]
tasks = [
  { name = "click", kind = "binary", label = "is_click" },
  { name = "long_view", kind = "binary", label = "long_view" },
]
""")
"""Of the features of examples/kuairand those that the program sends, and one that it does not."""

ROWS = [
    {"user_id": 46, "history": [349, 12], "video_id": 7051, "tags": ["29"], "duration_ms": 65666},
    {"user_id": 46, "history": [349, 12], "video_id": 3325, "tags": ["39", "11"], "duration_ms": 56900},
    {"user_id": 46, "history": [349, 12], "video_id": 120, "tags": None, "duration_ms": None},
]
"""What the program sends."""

pytestmark = [
    pytest.mark.triton,
    pytest.mark.skipif(
        shutil.which("javac") is None, reason="a JDK of 17 or newer is missing: apt-get install default-jdk-headless"
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("java")
    make_run(folder / "run", SCHEMA, sample=Encoder(SCHEMA).encode([row | {"tab": 1} for row in ROWS] * 40))
    bundle = export_onnx(folder / "run", out=folder / "bundle", options=ExportOptions(requests=None))
    publish(bundle, folder / "models", name="ranker", options=ServingOptions(raw=True, threads=1, warm_up=(1,)))
    with serve(folder / "models") as running:
        yield running


def java(url: str, model: str) -> subprocess.CompletedProcess[str]:
    """Run the source as it is, without a build."""
    command = ["java", str(SOURCE), url.removeprefix("http://"), model, "long_view"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_scores_are_those_of_the_client(server: Server) -> None:
    with Ranker(server.url, "ranker") as ranker:
        expected = ranker.score([row | {"tab": None} for row in ROWS])["long_view"].to_numpy()
    done = java(server.url, "ranker_raw")
    assert done.returncode == 0, done.stderr
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose([float(line) for line in done.stdout.split()], expected, rtol=1e-6, atol=1e-6)


def test_refusal_of_the_server_is_told(server: Server) -> None:
    done = java(server.url, "nobody_raw")
    assert (done.returncode, done.stdout) == (1, "")
    told = r"no scores of nobody_raw at \S+: \{\"error\":\"Request for unknown model: 'nobody_raw' .*\"\}\n"
    assert re.fullmatch(told, done.stderr)


def test_server_that_does_not_answer_is_told() -> None:
    done = java("127.0.0.1:9", "ranker_raw")
    told = "no scores of ranker_raw at 127.0.0.1:9: no server answers\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", told)
