"""The schemas that come with the data sets."""

from importlib import resources


def schema_text(name: str) -> str:
    """Return the TOML text of the shipped schema `name`, such as `storefront`."""
    return resources.files(__package__).joinpath("schemas", f"{name}.toml").read_text(encoding="utf-8")
