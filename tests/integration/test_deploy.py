"""What the deployments tell Triton, and ask of it, in a real Triton."""

import re
import urllib.request
from pathlib import Path

import pytest
import yaml
from artefacts.deployments import queries
from integration.server_repository import add_model, ask, rows

from polyrank.serving import ModelControl
from polyrank.serving.deployment import FILES
from polyrank.serving.launch import Launch
from polyrank.serving.server import ServerConfig, serve

pytestmark = pytest.mark.triton

# Triton's documentation, "Metrics": those of a GPU are there where a GPU is.
OF_A_GPU = {"nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes"}
OF_PROMETHEUS = {"up"}


def compose_words() -> list[str]:
    command: list[str] = yaml.safe_load((FILES / "compose.yaml").read_text())["services"]["triton"]["command"]
    return command


def kubernetes_words() -> list[str]:
    deployment = yaml.safe_load((FILES / "kubernetes" / "deployment.yaml").read_text())
    words: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    return words


def options() -> dict[str, str]:
    """Return the options of metrics that the deployments give Triton."""
    words = [word.removeprefix("--").partition("=") for word in compose_words()]
    return {name: value for name, _, value in words if name == "metrics-config"}


def test_deployments_give_triton_the_same_words() -> None:
    assert compose_words() == [word.replace("/volume/models", "/models") for word in kubernetes_words()]


def test_words_of_the_deployments_serve_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_model(tmp_path)
    add_model(tmp_path, "other")
    command = Launch.command

    def deployed(launch: Launch) -> list[str]:
        """Add what differs in a container: where the repository and the backends lie, and the ports."""
        own = ("--backend-", "--http-", "--grpc-", "--metrics-")
        words = [word.replace("/models", str(tmp_path)) for word in compose_words()[1:]]
        return [str(launch.runtime.tritonserver), *words, *(word for word in command(launch) if word.startswith(own))]

    monkeypatch.setattr(Launch, "command", deployed)
    with serve(tmp_path) as server:
        for model in ("ranker", "other"):
            assert ask(server.grpc_url, rows(1, 1), model)["click"].item() == 1.5
        add_model(tmp_path, "later")
        with ModelControl(server.url) as control:
            control.load("later")
        assert ask(server.grpc_url, rows(2, 1), "later")["click"].item() == 2.5


def test_metrics_of_the_deployments_are_those_of_triton(tmp_path: Path) -> None:
    add_model(tmp_path)
    with serve(tmp_path, config=ServerConfig(triton_options=options())) as server:
        ask(server.grpc_url, rows(1, 3))
        with urllib.request.urlopen(server.metrics_url) as response:  # noqa: S310 (our own server)
            text = response.read().decode()
    given = set(re.findall(r"^(\w+)[{ ]", text, re.MULTILINE))
    asked = {name for query in queries().values() for name in re.findall(r"\b(nv_\w+|up)\b", query)}
    assert asked - given == OF_A_GPU | OF_PROMETHEUS
    assert len(asked & given) > 10
    assert 'nv_inference_request_summary_us{model="ranker",version="1",quantile="0.99"}' in text
    assert 'nv_inference_request_failure{model="ranker",reason="CANCELED",version="1"} 0' in text
