"""No module needs itself, by whatever way it imports: at the top, within a function, or for the type checker alone."""

import ast
from graphlib import CycleError, TopologicalSorter

from support.code import nodes, sources


def module(path):
    """The name of a file's module: `a/b.py` is potluck.a.b."""
    return "potluck." + path.removesuffix(".py").replace("/", ".") if path != "__init__.py" else "potluck"


def imported(found, known):
    """The modules among `known` that these nodes name, and no package above them: that loads nothing of ours."""
    named = set()
    for node in found:
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= (below & known) | ({node.module} if below - known else set())
    return named & known


def ring(arrows):
    """The modules of one ring of arrows, or none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_module_needs_itself():
    known = {module(path).removesuffix(".__init__"): path for path in sources()}
    arrows = {name: imported(nodes(path), known.keys()) for name, path in known.items()}
    assert sum(map(len, arrows.values())) > 2000
    assert ring(arrows) == []


def test_the_rule_sees_imports_for_the_type_checker_and_within_functions():
    one = ast.walk(ast.parse("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from potluck.b import B\n"))
    two = ast.walk(ast.parse("def load():\n    from potluck import a\n    return a\n"))
    known = {"potluck.a", "potluck.b"}
    arrows = {"potluck.a": imported(one, known), "potluck.b": imported(two, known)}
    assert set(ring(arrows)) == known
