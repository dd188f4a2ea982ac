"""What is wrong in a TOML file, where, and what may stand there instead."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from polyrank import arguments
from polyrank.decoding import decode_toml
from polyrank.errors import ConfigError
from polyrank.reasons import system_reason
from polyrank.spelling import suggestion

Struct = TypeVar("Struct", bound=msgspec.Struct)

_STEP = re.compile(r"\.([^.\[\]]+)|\[(?:\d+|\.\.\.)\]")
_OTHERS = ((inspect.IntType, "a whole number"), (inspect.BoolType, "true, false"))
_MANY = 12
"""More keys than this are not listed, where none is like the one that is wrong."""


def load_toml(path: str | Path, kind: type[Struct], what: str) -> Struct:
    """Read a TOML file of a struct, called `what` when it cannot be read.

    Raises:
        ConfigError: `path` is none; the file cannot be read, is not TOML, or holds a wrong key or value.
    """
    try:
        return decode_toml(arguments.path("path", path).read_bytes(), kind)
    except OSError as err:
        raise ConfigError(f"cannot read {what} {path}: {system_reason(err)}") from err
    except msgspec.ValidationError as err:
        # A range check of ours arrives wrapped; its own message already says where.
        message = str(err.__cause__) if isinstance(err.__cause__, ConfigError) else located_message(err, kind)
        raise ConfigError(f"{path}: {message}") from err
    except msgspec.DecodeError as err:
        raise ConfigError(f"{path}: not valid TOML: {err}") from err


def located_message(err: msgspec.ValidationError, kind: type) -> str:
    """Turn msgspec's "Expected `int`, got `str` - at `$.a`" into "$.a: expected int, got str", with what there is.

    Args:
        err: of decoding a `kind`.
        kind: a struct.
    """
    message = str(err).replace("`", "")
    body, _, path = message.partition(" - at ")
    found = list(_types_at(kind, path))
    wrong_type = re.fullmatch(r"Expected .*, got (.*)", body)
    if wrong_type and any(isinstance(each, inspect.LiteralType) for each in found):
        return f"{path}: expected {_values(found, path)}, got {wrong_type[1]}"
    return f"{path or '$'}: {body[:1].lower()}{body[1:]}{_offered(body, found, path)}"


def _offered(body: str, found: list[Any], path: str) -> str:
    """Say what may stand there: keys like an unknown one, or the values of a choice."""
    unknown = re.fullmatch(r"Object contains unknown field (.*)", body)
    if unknown:
        names = sorted({field.encode_name for each in found if _is_struct(each) for field in each.fields})
        if unknown[1] in names:
            return "; another kind has it"
        return suggestion(unknown[1], names) or (f"; there are {', '.join(names)}" if len(names) <= _MANY else "")
    missing = re.fullmatch(r"Object missing required field (.*)", body)
    if missing:
        return f"; write `{missing[1]} = ...` there"
    if re.fullmatch(r"Invalid (?:enum )?value '(.*)'", body):
        values = _values(found, path)
        return f"; expected {values}" if values else ""
    return ""


def _values(found: list[Any], path: str) -> str:
    """Name the values of a choice, and what else may stand beside them; nothing where there is no choice."""
    values = [str(value) for each in found for value in getattr(each, "values", ())]
    values = values or [str(each.tag) for each in found if _is_struct(each) and path.endswith(f".{each.tag_field}")]
    others = [name for kind, name in _OTHERS if any(isinstance(each, kind) for each in found)]
    offered = list(dict.fromkeys([*others, *(f"'{value}'" for value in values)]))
    return " or ".join([", ".join(offered[:-1]), *offered[-1:]]) if len(offered) > 1 else "".join(offered)


def _types_at(kind: type, path: str) -> Iterator[Any]:
    """Yield the types that may stand at a path such as `$.features[0].kind`."""
    found = list(_alternatives(inspect.type_info(kind)))
    for step in _STEP.finditer(path):
        inner = [part for each in found for part in _inside(each, step[1])]
        # The tag of a union is no field: its structs know it.
        found = inner or [each for each in found if _is_struct(each)]
    yield from found


def _inside(kind: Any, name: str | None) -> Iterator[Any]:
    if name is None:
        item = getattr(kind, "item_type", None)
        items = getattr(kind, "item_types", ()) if item is None else (item,)
        for each in items:
            yield from _alternatives(each)
    elif _is_struct(kind):
        for field in kind.fields:
            if field.encode_name == name:
                yield from _alternatives(field.type)
    elif isinstance(kind, inspect.DictType):
        yield from _alternatives(kind.value_type)


def _alternatives(kind: Any) -> Iterator[Any]:
    if isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _alternatives(each)
    else:
        yield kind


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, inspect.StructType)
