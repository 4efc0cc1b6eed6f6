"""Nobody decides by the name of a statistic, a kind of model or a method but its own folder: what it needs, it asks."""

import ast
from pathlib import Path

import pytest

import potluck
from potluck.learning.models.kinds import MODELS
from potluck.learning.statistics.kinds import KINDS
from potluck.learning.training.methods import METHODS

SRC = Path(potluck.__file__).parent
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


def decides_by(tree, attribute, words):
    """Lines that compare such an attribute with one of the words, or look one of them up by it."""
    found = []
    for node in ast.walk(tree):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        asks = any(isinstance(side, ast.Attribute) and side.attr == attribute for side in sides)
        texts = {one.value for side in sides for one in ast.walk(side) if isinstance(one, ast.Constant)}
        keys = (
            {one.value for one in node.keys if isinstance(one, ast.Constant)} if isinstance(node, ast.Dict) else set()
        )
        if (asks and texts & words) or (len(keys & words) > 1 and keys <= words):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("key", list(TABLES))
def test_nobody_decides_by_the_name_of_a_variant(key):
    words, found = set(TABLES[key].words()), []
    for path in sorted(SRC.rglob("*.py")):
        name = path.relative_to(SRC).as_posix()
        if not name.startswith((*OWN[key], *FREE)):
            found += [
                f"{name}:{line}" for line in decides_by(ast.parse(path.read_text("utf-8")), ATTRIBUTES[key], words)
            ]
    assert found == []


def test_the_rule_finds_who_decides_by_a_name():
    assert decides_by(ast.parse('x = 1 if one.kind == "mean" else 2'), "kind", {"mean"}) == [1]
    assert decides_by(ast.parse('x = one.kind in ("mean", "sum")'), "kind", {"mean", "sum"}) == [1]
    assert decides_by(ast.parse('x = {"mean": 1, "sum": 2}[one.kind]'), "kind", {"mean", "sum"}) == [1]
    assert decides_by(ast.parse('x = one.kind == "other"'), "kind", {"mean"}) == []
