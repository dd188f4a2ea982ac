"""`polyrank inspect`: what an ONNX file holds, and where its time goes."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import ConfigError

from .output import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyrank.export.inspecting import Inspection, Interface

MAX_ROWS = 100_000
SHOWN = 12
"""So many weights, and nodes, at most are shown."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("inspect", help="say what an ONNX file holds, and where its time goes")
    parser.add_argument("model", type=Path, help="the ONNX file, a bundle, or a version in a model repository")
    parser.add_argument("--rows", type=int, default=100, help="rows to profile at once (default 100)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Inspect, and print."""
    import msgspec

    from polyrank.export.inspecting import inspect

    if not 1 <= args.rows <= MAX_ROWS:
        raise ConfigError(f"--rows must be in [1, {MAX_ROWS:,}], got {args.rows}")
    found = inspect(args.model, rows=args.rows)
    if args.json:
        say(msgspec.json.format(msgspec.json.encode(found)).decode())
    else:
        say("\n".join(_lines(found)))
    return 0


def _lines(found: "Inspection") -> "Iterator[str]":
    sizes = ", ".join(f"{name} {size:,} bytes" for name, size in found.files.items())
    yield f"{found.path}: {sizes}; opset {found.opset}, IR version {found.ir_version}, by {found.producer or 'unknown'}"
    yield from _signature_lines(found)
    for title, values in (("input", found.inputs), ("output", found.outputs)):
        yield from (f"{title:<8}{_interface(value)}" for value in values)
    total = sum(weight.size_bytes for weight in found.weights)
    yield f"{len(found.weights)} weights of {total:,} bytes, {sum(found.operators.values())} nodes"
    for weight in found.weights[:SHOWN]:
        kind = "table" if weight.is_table else "weight"
        yield f"{kind:<8}{weight.size_bytes:>14,}  {weight.name} {weight.dtype} {list(weight.shape)}"
    total_us = sum(node.time_us for node in found.nodes)
    yield f"{found.rows} rows take {total_us:,.0f} µs in {len(found.nodes)} nodes, on one thread:"
    for node in found.nodes[:SHOWN]:
        yield f"{node.share:>7.1%}{node.time_us:>10,.1f} µs  {node.operator} {node.name}"


def _signature_lines(found: "Inspection") -> "Iterator[str]":
    signature = found.signature
    if signature is None:
        yield "no Polyrank signature"
        return
    target = f"Triton {signature.triton}" if signature.triton else f"ONNX Runtime {signature.onnxruntime}"
    schema = signature.schema
    yield (
        f"schema {schema.name!r}: {len(schema.features)} features, {len(schema.tasks)} tasks; run {signature.run_id}, "
        f"for {target}, {signature.precision}"
    )


def _interface(value: "Interface") -> str:
    return f"{value.name} {value.dtype} [{', '.join(map(str, value.shape))}]"
