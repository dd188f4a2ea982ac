"""The JSON Schema of schema.toml, by which an editor completes keys and marks mistakes."""

import json
from typing import Any

import msgspec

from polyrank.schema import Schema

_NULL = {"type": "null"}


def editor_schema() -> dict[str, Any]:
    """Return the JSON Schema of what `Schema.load` reads; rules that join two keys are left to `Schema.load`."""
    known: dict[str, Any] = _for_toml(msgspec.json.schema(Schema))
    return {"title": "Polyrank schema", **known}


def editor_text() -> str:
    """Return `editor_schema` as the text of a file."""
    return json.dumps(editor_schema(), indent=2) + "\n"


def _for_toml(node: Any) -> Any:
    """Leave nulls out, which TOML does not have, and put descriptions on one line."""
    if isinstance(node, list):
        return [_for_toml(item) for item in node]
    if not isinstance(node, dict):
        return " ".join(node.split()) if isinstance(node, str) else node
    node = {key: value for key, value in node.items() if (key, value) != ("default", None)}
    choices = [choice for choice in node.get("anyOf", ()) if choice != _NULL]
    if len(choices) == 1:
        del node["anyOf"]
        node |= choices[0]
    elif choices:
        node["anyOf"] = choices
    return {key: _for_toml(value) for key, value in node.items()}
