"""A proposed schema as TOML, with its reasons as comments."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from polyrank.schema import Schema

from .proposing import Proposal


def proposal_text(proposal: Proposal, name: str, source: str) -> str:
    """Return the text of schema.toml, which `Schema.load` reads.

    Raises:
        SchemaError: a column's name is not possible in a schema.
    """
    text = "\n".join(_lines(proposal, name, source)) + "\n"
    Schema.from_toml(text)
    return text


def _lines(proposal: Proposal, name: str, source: str) -> Iterator[str]:
    yield f"# Proposed by polyrank schema infer from {_quoted(source)}, {proposal.rows:,} rows: to be read and edited."
    yield f"name = {_quoted(name)}"
    if proposal.time is None:
        yield "# No column looks like a time, with one in every row: rows are split at random."
    else:
        column, unit, reason = proposal.time
        yield f"time = {_quoted(column)}  # {reason}"
        yield f"time_unit = {_quoted(unit)}"
    if proposal.group is not None:
        column, reason = proposal.group
        yield f"group = {_quoted(column)}  # {reason}"
    for part, entries in (("features", proposal.features), ("tasks", proposal.tasks)):
        for value, reason in entries:
            yield from ("", f"# {_plain(reason)}", f"[[{part}]]", *_keys(value))
    if proposal.left_out:
        yield from ("", "# Left out:")
    for column, reason in proposal.left_out:
        yield f"# {_quoted(column)}: {_plain(reason)}"


def _keys(value: msgspec.Struct) -> Iterator[str]:
    """Write a struct, without what is as it is by default."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(value)}
    items = msgspec.to_builtins(value)
    for key in ("name", *(key for key in items if key != "name")):
        if key in ("name", "kind", "side") or items[key] not in (defaults[key], (), [], None):
            yield f"{key} = {_written(items[key])}"


def _written(item: Any) -> str:
    if isinstance(item, str):
        return _quoted(item)
    if isinstance(item, list | tuple):
        return f"[{', '.join(map(_written, item))}]"
    return f"{item:_}" if isinstance(item, int) else str(item)


def _quoted(text: str) -> str:
    """Write a TOML string, whose escapes are those of JSON, and which takes no DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(reason: str) -> str:
    """Return a reason fit for a comment, which takes no control characters."""
    return "".join(character if character.isprintable() else "?" for character in reason)
