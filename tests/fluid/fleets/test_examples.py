"""The examples in the docstrings give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import fluid.fleets

MODULES = ["fluid.integer", *(f"fluid.fleets.{m.name}" for m in pkgutil.iter_modules(fluid.fleets.__path__))]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
