"""Nobody decides by the name of a statistic, a kind of model or a method but its own folder: what it needs, it asks."""

import ast

import pytest

from potluck.learning.models.kinds import MODELS
from potluck.learning.statistics.kinds import KINDS
from potluck.learning.training.methods import METHODS
from support.code import nodes, sources

FREE = {
    "core/asks.py": "the kinds of sum, some of which are called like tasks",
    "core/rounds.py": "rules of an enclave, one of which is a sum",
    "tee": "the same rules",
    "engines/spu": "the wire of the engine's programs, which knows no room",
}
"""Where words of the tables mean something else, and what."""
OWN = {
    "statistics.kind": ("learning/statistics/kinds",),
    "model.kind": ("learning/models/kinds", "learning/training/fits.py"),
    "training.method": ("learning/training",),
}
TABLES = {"statistics.kind": KINDS, "model.kind": MODELS, "training.method": METHODS}
ATTRIBUTES = {"statistics.kind": "kind", "model.kind": "kind", "training.method": "method"}


def decides_by(found, attribute, words):
    """Lines that compare such an attribute with one of the words, or look one of them up by it."""
    lines = []
    for node in found:
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        asks = any(isinstance(side, ast.Attribute) and side.attr == attribute for side in sides)
        texts = {one.value for side in sides for one in ast.walk(side) if isinstance(one, ast.Constant)}
        keys = (
            {one.value for one in node.keys if isinstance(one, ast.Constant)} if isinstance(node, ast.Dict) else set()
        )
        if (asks and texts & words) or (len(keys & words) > 1 and keys <= words):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("key", list(TABLES))
def test_nobody_decides_by_the_name_of_a_variant(key):
    words, found = set(TABLES[key].words()), []
    for name in sources():
        if not name.startswith((*OWN[key], *FREE)):
            found += [f"{name}:{line}" for line in decides_by(nodes(name), ATTRIBUTES[key], words)]
    assert found == []


def test_the_rule_finds_who_decides_by_a_name():
    def read(text):
        return ast.walk(ast.parse(text))

    assert decides_by(read('x = 1 if one.kind == "mean" else 2'), "kind", {"mean"}) == [1]
    assert decides_by(read('x = one.kind in ("mean", "sum")'), "kind", {"mean", "sum"}) == [1]
    assert decides_by(read('x = {"mean": 1, "sum": 2}[one.kind]'), "kind", {"mean", "sum"}) == [1]
    assert decides_by(read('x = one.kind == "other"'), "kind", {"mean"}) == []
