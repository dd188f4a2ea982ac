"""Examples in docstrings run as they stand, and every public name has a docstring."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import polyrank

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(polyrank.__path__, "polyrank.")
    if not module.name.startswith("polyrank._") and ".backends." not in module.name
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_give_what_they_say(name: str) -> None:
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert results.failed == 0


def test_examples_are_found() -> None:
    encoder = doctest.testmod(importlib.import_module("polyrank.encoder"))
    fingerprint = doctest.testmod(importlib.import_module("polyrank.fingerprint"))
    assert encoder.attempted > 0
    assert fingerprint.attempted > 0


@pytest.mark.parametrize("name", polyrank.__all__[1:])
def test_public_name_has_a_docstring(name: str) -> None:
    assert inspect.getdoc(getattr(polyrank, name))
