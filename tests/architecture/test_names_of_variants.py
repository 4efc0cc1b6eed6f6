"""Nobody decides by the name of a variant but its own folder: what others need of it, they ask."""

import ast
from functools import cache

import pytest

from potluck.core.schemes import SCHEMES
from potluck.core.traits import TRAITS
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.source import SOURCES
from potluck.learning.models.kinds import MODELS
from potluck.learning.statistics.kinds import KINDS
from potluck.learning.training.methods import METHODS
from potluck.learning.training.optimizer import OPTIMIZERS
from potluck.tasks.catalog import TASKS
from potluck.tasks.predict.scorers import SCORERS
from potluck.tasks.sums.protections import PROTECTIONS
from support.code import nodes, sources
from support.places import SRC

TABLES = {one.key: one for one in (KINDS, MODELS, METHODS, OPTIMIZERS, COLUMNS, SOURCES, SCHEMES, TRAITS)}
ATTRIBUTES = {
    "statistics.kind": ("kind",),
    "model.kind": ("kind",),
    "training.method": ("method",),
    "training.optimizer": ("optimizer",),
    "data.columns.kind": ("kind",),
    "data.source": ("source",),
    "protect.with": ("scheme", "protect"),
    "task": ("task",),
}
"""What holds a word of each table, wherever it is compared."""
OWN = {
    "statistics.kind": ("learning/statistics/kinds",),
    "model.kind": ("learning/models/kinds", "learning/training/methods.py"),
    "training.method": ("learning/training",),
    "training.optimizer": ("learning/training",),
    "data.columns.kind": ("learning/data/kinds",),
    "data.source": ("learning/data/sources", "owner/source.py"),
    "protect.with": ("tasks/sums/protections.py", "tasks/predict/scorers.py"),
    "task": ("tasks/catalog.py", *(f"tasks/{word}/" for word in TASKS.words())),
}
FREE = {
    "core/asks.py": "the kinds of sum, some of which are called like tasks",
    "core/rounds.py": "rules of an enclave, one of which is a sum",
    "tee": "the same rules",
    "engines/spu": "the wire of the engine's programs, which knows no room",
    "api/plan/plan.py": "the tables of a plan, some of which are called as tasks are",
}
"""Where words of the tables mean something else, and what: at most ten."""


@cache
def choices(name):
    """Those nodes of a file that may be looked at: comparisons, tables and lists."""
    return [
        node for node in nodes(name) if isinstance(node, ast.Compare) or hasattr(node, "keys") or hasattr(node, "elts")
    ]


def decides_by(found, attributes, words):
    """Lines that compare such an attribute or name with one of the words, have several words as a table's keys, or list
    more than two."""
    lines = []
    for node in found:
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        asks = any(getattr(side, "attr", getattr(side, "id", "")) in attributes for side in sides)
        parts = (one for side in sides for one in ast.walk(side)) if asks else ()
        texts = {one.value for one in parts if isinstance(one, ast.Constant)}
        keys = {one.value for one in getattr(node, "keys", []) if isinstance(one, ast.Constant)}
        listed = {one.value for one in getattr(node, "elts", []) if isinstance(one, ast.Constant)}
        if (asks and texts & words) or (len(keys & words) > 1 and keys <= words) or len(listed & words) > 2:
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize("key", list(TABLES))
def test_nobody_decides_by_the_name_of_a_variant(key):
    words, found = set(TABLES[key].words()), []
    for name in sources():
        if not name.startswith((*OWN[key], *FREE)):
            found += [f"{name}:{line}" for line in decides_by(choices(name), ATTRIBUTES[key], words)]
    assert found == []


def test_there_are_few_exceptions_each_with_a_reason_and_a_place():
    assert len(FREE) <= 10
    assert all((SRC / place).exists() and why for place, why in FREE.items())
    assert all((SRC / place).exists() for places in OWN.values() for place in places)


def test_the_rule_finds_who_decides_by_a_name():
    def found(code, words=frozenset({"mean", "sum"})):
        return decides_by(ast.walk(ast.parse(code)), ("kind",), words)

    assert found('x = 1 if one.kind == "mean" else 2') == [1]
    assert found('x = one.kind in ("mean", "sum")') == [1]
    assert found('x = kind == "mean"') == [1]
    assert found('x = {"mean": 1, "sum": 2}[one.kind]') == [1]
    assert found('x = one.kind == "other"') == []
    assert found('x = {"mean": 1}') == []
    assert found('x = ["mean", "sum", "count"]', {"mean", "sum", "count"}) == [1]


def test_every_task_has_its_facts_its_line_its_folder_and_its_kind_of_round():
    assert set(TASKS.words()) == set(TRAITS.words())
    for word in TASKS.words():
        assert (SRC / "tasks" / word / "task.py").is_file()
        assert TRAITS.of(word).kind is not None


def test_nobody_but_the_catalog_and_the_task_itself_imports_from_its_folder():
    """So that nobody names its outcome: what others need of it is in `tasks.spec`."""
    found = []
    for path in sources():
        for node in nodes(path):
            of = (node.module or "").split(".") if isinstance(node, ast.ImportFrom) else []
            if of[:2] == ["potluck", "tasks"] and of[2:3] and of[2] in TASKS.words():
                found += [path] if not path.startswith(f"tasks/{of[2]}/") else []
    assert set(found) == {"tasks/catalog.py"}


@pytest.mark.parametrize("rows", [TASKS, PROTECTIONS, SCORERS], ids=lambda rows: rows.key)
def test_a_word_that_is_taken_is_refused_by_every_table_of_tasks_and_protections(rows):
    word = rows.words()[0]
    with pytest.raises(ValueError, match="already"):
        rows.register(word, rows.of(word))
