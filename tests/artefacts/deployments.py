"""What the files of serving/deploy say."""

import importlib.resources
import json
from pathlib import Path
from typing import Any

import yaml

from polyrank.serving.deployment import FILES


class Loader(yaml.SafeLoader):
    """Reads Docker Compose's `!reset`, which takes away what an earlier file gave."""


Loader.add_constructor("!reset", lambda _loader, _node: [])


def compose_schema() -> Any:
    """Return the JSON Schema of the Compose specification."""
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return json.loads(vendored.read_text())


def read(file: str, folder: Path = FILES) -> Any:
    """Return what a file of the deployments says."""
    return yaml.load((folder / file).read_text(), Loader=Loader)  # noqa: S506 (a safe loader with one more tag)


def queries() -> dict[str, str]:
    """Return every query of the dashboard, the rules and the adapter, as Prometheus gets it."""
    dashboard = json.loads((FILES / "grafana/dashboards/polyrank.json").read_text())
    found = {
        f"{panel['title']} {target['refId']}": target["expr"]
        for panel in dashboard["panels"]
        for target in panel["targets"]
    }
    for rule in read("prometheus/rules.yaml")["groups"][0]["rules"]:
        found[rule.get("alert") or rule["record"]] = rule["expr"]
    (adapted,) = read("kubernetes/adapter-values.yaml")["rules"]["custom"]
    found["series of the adapter"] = adapted["seriesQuery"]
    found["metric of the adapter"] = adapted["metricsQuery"]
    places = {"$__rate_interval": "1m", "$model": "ranker", "<<.LabelMatchers>>": 'pod="a"', "<<.GroupBy>>": "pod"}
    for place, value in places.items():
        found = {name: query.replace(place, value) for name, query in found.items()}
    return found
