"""The files of serving/deploy against the schemas of those who read them."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import jsonschema
import kubernetes_validate
import promql_parser
import pytest
import yaml
from artefacts.deployments import compose_schema, queries, read

from polyrank.serving.deployment import FILES

KUBERNETES_VERSIONS = ("1.29", "1.37")
MANIFESTS = sorted(
    file
    for file in (FILES / "kubernetes").glob("*.yaml")
    if file.name not in ("kustomization.yaml", "adapter-values.yaml")
)


@pytest.mark.parametrize("file", ["compose.yaml", "compose.cpu.yaml"])
def test_compose_file_follows_its_specification(file: str) -> None:
    jsonschema.validate(read(file), compose_schema())


def test_schema_of_compose_refuses_what_it_does_not_know() -> None:
    with pytest.raises(jsonschema.ValidationError, match="imagine"):
        jsonschema.validate({"services": {"triton": {"imagine": "x"}}}, compose_schema())


def test_compose_listens_on_this_machine_alone() -> None:
    ports = [port for service in read("compose.yaml")["services"].values() for port in service["ports"]]
    assert len(ports) == 5
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_cpu_override_takes_the_gpu_away() -> None:
    where = ("services", "triton", "deploy", "resources", "reservations")
    base, override = read("compose.yaml"), read("compose.cpu.yaml")
    for key in where:
        base, override = base[key], override[key]
    assert base["devices"][0]["capabilities"] == ["gpu"]
    assert override == {"devices": []}


def test_every_mounted_file_of_compose_is_there() -> None:
    mounts = [
        volume for name in ("prometheus", "grafana") for volume in read("compose.yaml")["services"][name]["volumes"]
    ]
    bound = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert len(bound) == 3
    assert all((FILES / path).is_dir() for path in bound)


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.name)
def test_manifest_follows_the_schema_of_kubernetes(file: Path, version: str) -> None:
    for document in yaml.safe_load_all(file.read_text()):
        kubernetes_validate.validate(document, version, strict=True)


def test_schema_of_kubernetes_refuses_what_it_does_not_know() -> None:
    service = next(yaml.safe_load_all((FILES / "kubernetes/service.yaml").read_text()))
    service["spec"]["imagine"] = 1
    with pytest.raises(kubernetes_validate.ValidationError, match="imagine"):
        kubernetes_validate.validate(service, KUBERNETES_VERSIONS[0], strict=True)


def test_kustomization_lists_every_manifest() -> None:
    assert sorted(read("kubernetes/kustomization.yaml")["resources"]) == [file.name for file in MANIFESTS]


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
@pytest.mark.parametrize(("folder", "gpus"), [("kubernetes", 1), ("kubernetes-cpu", 0)])
def test_kubectl_builds_the_manifests(folder: str, gpus: int) -> None:
    done = subprocess.run(["kubectl", "kustomize", str(FILES / folder)], capture_output=True, text=True, check=True)
    assert done.stdout.count("nvidia.com/gpu") == gpus
    assert "image: nvcr.io/nvidia/tritonserver:26.07-py3" in done.stdout
    assert {each["kind"] for each in yaml.safe_load_all(done.stdout)} == {
        "Deployment",
        "HorizontalPodAutoscaler",
        "PersistentVolumeClaim",
        "PodDisruptionBudget",
        "Service",
    }


def test_selectors_find_the_pods() -> None:
    pods = read("kubernetes/deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    services = list(yaml.safe_load_all((FILES / "kubernetes/service.yaml").read_text()))
    budget = read("kubernetes/disruption-budget.yaml")
    selectors = [*(each["spec"]["selector"] for each in services), budget["spec"]["selector"]["matchLabels"]]
    assert [selector.items() <= pods.items() for selector in selectors] == [True] * 3


def test_autoscaler_scales_on_the_metric_of_the_adapter() -> None:
    (metric,) = read("kubernetes/autoscaler.yaml")["spec"]["metrics"]
    (rule,) = read("kubernetes/adapter-values.yaml")["rules"]["custom"]
    assert metric["pods"]["metric"]["name"] == rule["name"]["as"]


@pytest.mark.parametrize("name", queries())
def test_query_is_promql(name: str) -> None:
    assert promql_parser.parse(queries()[name]) is not None


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    panels = json.loads((FILES / "grafana/dashboards/polyrank.json").read_text())["panels"]
    places = [panel["gridPos"] for panel in panels]
    cells = [(x, y) for place in places for x in range(place["x"], place["x"] + place["w"]) for y in [place["y"]]]
    assert len(cells) == len(set(cells)) == 8 * len(panels)
    assert len({panel["id"] for panel in panels}) == len(panels) == 12


def test_dashboard_uses_the_data_source_that_is_provided() -> None:
    (source,) = read("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    text = (FILES / "grafana/dashboards/polyrank.json").read_text()
    assert set(re.findall(r'"type": "prometheus",\s*"uid": "(\w+)"', text)) == {source["uid"]}
