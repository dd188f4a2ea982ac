"""`polyrank schema`: what an editor needs to know of a schema."""

import argparse

from .output import say


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb: one sub-command for each thing to do with a schema."""
    parser = subparsers.add_parser("schema", help="print the JSON Schema of schema.toml")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    editor = actions.add_parser("json", help="print the JSON Schema of schema.toml, for editors")
    editor.set_defaults(run=run_json)


def run_json(_: argparse.Namespace) -> int:
    """Print the JSON Schema."""
    from polyrank.inspection import editor_text

    say(editor_text(), end="")
    return 0
