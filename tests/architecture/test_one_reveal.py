"""A release has one maker: nothing can be shown that did not come through it, with its noise inside."""

import ast
from collections.abc import Iterable

import pytest

from support.code import nodes, sources

MAKER = "dp/reveal.py"
CALLERS = {
    "tasks/sums/halves.py",
    "tasks/sums/together.py",
    "tasks/sums/usefulness/rehearsal.py",
    "simulation/rounds.py",
    "audits/promises/scene.py",
}
"""The driver's server half, the same task where one party holds all rows, and on made-up rows what
`check` rehearses, a simulation, and audits."""


def calls(found: Iterable[ast.AST], name: str) -> list[int]:
    """Lines where `name` is called, under that name or as an attribute."""
    return [
        node.lineno
        for node in found
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) == name
    ]


def aliases(found: Iterable[ast.AST], name: str) -> list[str]:
    """Other names that an import gives to `name`."""
    return [
        alias.asname
        for node in found
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == name and alias.asname not in (None, name)
    ]


def test_only_reveal_makes_a_release():
    assert [name for name in sources() if calls(nodes(name), "Release")] == [MAKER]


def test_reveal_is_called_by_the_driver_and_once_a_function():
    found = {name: len(calls(nodes(name), "reveal")) for name in sources() if calls(nodes(name), "reveal")}
    assert set(found) <= CALLERS
    assert all(count == 1 for count in found.values())


def test_only_the_journal_recalls_a_release():
    assert [name for name in sources() if calls(nodes(name), "recalled")] == ["parties/runners/journal.py"]


@pytest.mark.parametrize("name", ["Release", "reveal", "Settled", "Guarded"])
def test_nobody_hides_a_stage_behind_another_name(name):
    assert [path for path in sources() if aliases(nodes(path), name)] == []


def test_only_the_privacy_of_a_sum_settles_and_guards():
    for stage in ("Settled", "Guarded", "Bounded"):
        makers = {path for path in sources() if calls(nodes(path), stage)}
        assert {path for path in makers if not path.startswith("testing/")} <= {"dp/mechanism.py", *ZEROS[stage]}, stage


ZEROS: dict[str, set[str]] = {
    "Settled": set(),
    "Bounded": set(),
    "Guarded": {"tasks/sums/estimate.py", "api/network/preview.py", "audits/aggregation/survivors.py"},
}
"""`potluck check` rehearses a round on zeros, `site preview` with zeros for the others, and an attack plays one."""


def test_the_rule_finds_a_second_maker():
    assert calls(ast.walk(ast.parse("x = stages.Release(a, b, c)\ny = Release(a, b, c)")), "Release") == [1, 2]
    assert aliases(ast.walk(ast.parse("from potluck.core.stages import Release as R")), "Release") == ["R"]
