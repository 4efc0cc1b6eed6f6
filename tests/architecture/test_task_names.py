"""Nobody asks for a task's name: what a task is stands in its folder and in one line of each of two tables."""

import ast
from collections.abc import Iterable

from potluck.core.asks import Kind
from potluck.core.traits import TRAITS
from potluck.tasks.catalog import TASKS
from support.code import nodes, sources
from support.places import SRC

WORDS = set(TRAITS.words())
ALLOWED = {
    "api/plan/plan.py": "the tables of a plan, some of which are called as tasks are",
    "tasks/catalog.py": "the table of tasks",
}
"""Files outside the tasks' folders that name tasks, and why. It may shrink."""


def named(found: Iterable[ast.AST]) -> list[int]:
    """Lines that compare something with a task's name, or list several of them."""
    lines = []
    for node in found:
        parts: list[ast.expr] = []
        if isinstance(node, ast.Compare) and "task" in ast.unparse(node.left):
            parts = [one for side in node.comparators for one in getattr(side, "elts", [side])]
        elif isinstance(node, ast.Dict):
            parts = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.Tuple | ast.Set | ast.List):
            parts = node.elts
        words = [one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if WORDS & set(words) and (isinstance(node, ast.Compare) or len(WORDS & set(words)) > 2):
            lines.append(node.lineno)
    return lines


def test_no_room_asks_for_a_tasks_name():
    seen = {}
    for name in sources():
        folder = name.split("/")[1] if name.startswith("tasks/") else ""
        lines = named(nodes(name))
        if lines and folder not in WORDS:
            seen[name] = lines
    assert seen.keys() == ALLOWED.keys(), seen


def test_the_rule_catches_a_name_in_a_comparison_and_in_a_list():
    def read(text: str) -> Iterable[ast.AST]:
        return ast.walk(ast.parse(text))

    assert named(read('if plan.task == "train":\n    pass')) == [1]
    assert named(read('if plan.task in ("predict", "align"):\n    pass')) == [1]
    assert named(read('ONCE = {"fit": 1, "predict": 2, "intersect": 3}')) == [1]
    assert named(read('if key == "predict":\n    pass')) == []


def test_every_task_has_its_facts_its_line_its_folder_and_its_kind_of_round():
    assert TASKS.keys() == set(TRAITS.words())
    for word in TASKS:
        assert (SRC / "tasks" / word / "task.py").is_file()
        assert TRAITS.of(word).kind in Kind
