"""How verbs call a server, where that takes more than its address."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from polyrank.serving import ClientOptions


def add_client(parser: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """Describe the option."""
    parser.add_argument("--client", type=Path, metavar="TOML", help="client.toml: keys and TLS files for the server")


def client_options(args: argparse.Namespace) -> "ClientOptions":
    """Read the file; the defaults without one.

    Raises:
        ConfigError: as `ClientOptions.load`.
    """
    from polyrank.serving import ClientOptions

    return ClientOptions() if args.client is None else ClientOptions.load(args.client)
