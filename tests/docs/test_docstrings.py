"""What the library says of itself runs as it stands, and has the form that a reference is made of."""

import doctest
import inspect
import sys
from importlib.util import find_spec

import griffe
import pytest

import potluck

LONG = {"FederatedClassifier", "FederatedRegressor", "Model", "attack", "audit", "export", "graph", "simulate", "tune"}
"""Whose examples take seconds."""
NEEDS = {"graph": "torch", "export": "onnx"}


def examples(name):
    """Of an exported name, and of what it has."""
    found = getattr(potluck, name)
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [one for one in finder.find(found, name, sys.modules[found.__module__], globs={}) if one.examples]


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.slow] if one in LONG else []) for one in potluck.__all__]
)
def test_an_example_of_each_name_runs_and_gives_what_it_says(name):
    """In an empty folder: what an example reads, it wrote."""
    if name in NEEDS and find_spec(NEEDS[name]) is None:
        pytest.skip(f"needs {NEEDS[name]}")
    said = []
    found = examples(name)
    assert found
    for one in found:
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(one, out=said.append)
    assert "".join(said) == ""


@pytest.mark.parametrize("name", [one for one in potluck.__all__ if inspect.isfunction(getattr(potluck, one))])
def test_each_argument_of_a_function_and_each_error_is_a_section_of_its_own(name):
    function = getattr(potluck, name)
    sections = griffe.Docstring(inspect.getdoc(function), parser="google").parse(warnings=False)
    said = {one.kind.value: one.value for one in sections}
    assert [one.name for one in said["parameters"]] == list(inspect.signature(function).parameters)
    assert {"raises", "examples"} <= set(said)
    assert all(one.annotation in dir(potluck.core.errors) or one.annotation == "Abort" for one in said["raises"])
    if inspect.signature(function).return_annotation is not None:
        assert "returns" in said
