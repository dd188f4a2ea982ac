"""The JSON Schema of schema.toml: up to date, and of one mind with `Schema.load` about files."""

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from polyrank.__main__ import main
from polyrank.errors import SchemaError
from polyrank.schema import Schema

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "schema.schema.json"
SHIPPED = sorted([*(ROOT / "train" / "datasets" / "schemas").glob("*.toml"), ROOT / "examples/kuairand/schema.toml"])
TASK = {"name": "click", "kind": "binary", "label": "is_click"}
AGE = {"name": "age", "kind": "numeric"}
WRONG: dict[str, Any] = {
    "no name": {"features": [AGE], "tasks": [TASK]},
    "unknown key": {"name": "x", "features": [AGE], "tasks": [TASK], "colour": 1},
    "unknown kind": {"name": "x", "features": [{"name": "age", "kind": "number"}], "tasks": [TASK]},
    "key of another kind": {"name": "x", "features": [AGE | {"num_buckets": 5}], "tasks": [TASK]},
    "no max_length": {"name": "x", "features": [{"name": "a", "kind": "bag", "dtype": "text"}], "tasks": [TASK]},
    "no by": {"name": "x", "features": [{"name": "a", "kind": "neighbors", "of": "b"}], "tasks": [TASK]},
    "text for a number": {"name": "x", "features": [AGE], "tasks": [TASK | {"weight": "1"}]},
    "unknown side": {"name": "x", "features": [AGE | {"side": "shop"}], "tasks": [TASK]},
}


def test_file_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "json"]) == 0
    assert capsys.readouterr().out == FILE.read_text(), "run: polyrank schema json > docs/schema.schema.json"


def test_file_is_a_json_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(FILE.read_text()))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_schema_validates(path: Path) -> None:
    jsonschema.validate(tomllib.loads(path.read_text()), json.loads(FILE.read_text()))


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_mistake_is_marked_and_refused(wrong: dict[str, Any], toml: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(wrong, json.loads(FILE.read_text()))
    with pytest.raises(SchemaError):
        Schema.from_toml(toml(wrong))


@pytest.fixture
def toml() -> Any:
    import tomli_w

    return tomli_w.dumps
