"""Metrics that the dashboard, the rules and the autoscaler ask for are those that Triton gives."""

import re
import urllib.request
from pathlib import Path

import pytest
import yaml
from artefacts.deployments import queries
from integration.server_repository import add_model, ask, rows

from polyrank.serving.deployment import FILES
from polyrank.serving.server import ServerConfig, serve

pytestmark = pytest.mark.triton

# Triton's documentation, "Metrics": those of a GPU are there where a GPU is.
OF_A_GPU = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes"}
OF_PROMETHEUS = {"up"}


def options() -> dict[str, str]:
    """Return the options of metrics that the deployments give Triton."""
    command = yaml.safe_load((FILES / "compose.yaml").read_text())["services"]["triton"]["command"]
    words = [word.removeprefix("--").partition("=") for word in command]
    return {name: value for name, _, value in words if name == "metrics-config"}


def test_metrics_of_the_deployments_are_those_of_triton(tmp_path: Path) -> None:
    add_model(tmp_path)
    with serve(tmp_path, config=ServerConfig(triton_options=options())) as server:
        ask(server.url, rows(1, 3))
        with urllib.request.urlopen(server.metrics_url) as response:  # noqa: S310 (our own server)
            text = response.read().decode()
    given = set(re.findall(r"^(\w+)[{ ]", text, re.MULTILINE))
    asked = {name for query in queries().values() for name in re.findall(r"\b(nv_\w+|up)\b", query)}
    assert asked - given == OF_A_GPU | OF_PROMETHEUS
    assert len(asked & given) > 10
    assert 'nv_inference_request_summary_us{model="ranker",version="1",quantile="0.99"}' in text
    assert 'nv_inference_request_failure{model="ranker",reason="CANCELED",version="1"} 0' in text
