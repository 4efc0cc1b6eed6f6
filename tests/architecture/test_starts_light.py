"""What a program does not use it does not load: every verb of every party starts a process of its own."""

import subprocess
import sys

import pytest

HEAVY = {"scipy", "pandas", "pyarrow", "sklearn", "torch", "sqlalchemy", "dp_accounting"}


MODULES = (
    "api.local.check",
    "api.local.run",
    "api.network.site",
    "api.network.server",
    "api.graph.make",
    "api.graph.show",
)


def test_the_libraries_of_single_tasks_are_loaded_by_those_tasks():
    code = f"""
import importlib, sys
for name in {MODULES}:
    importlib.import_module(f"potluck.{{name}}")
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"numpy", "potluck"} <= loaded  # the control
    assert loaded & HEAVY == set()


LIGHT = {
    "cli": {"numpy", "asyncio"},
    "cli.site.log": {"asyncio", "potluck.tasks", "potluck.learning"},
    "cli.site.join": {"asyncio", "potluck.tasks", "potluck.learning"},
    "cli.site.budget": {"asyncio", "potluck.tasks", "potluck.parties"},
    "cli.federation": {"asyncio", "potluck.tasks", "potluck.learning"},
}
"""What verbs that only look, or only sign, do not load."""


@pytest.mark.parametrize("name", LIGHT)
def test_a_verb_that_runs_nothing_loads_no_room_that_does(name):
    code = f"import sys, potluck.{name}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"potluck.{name}" in loaded
    assert loaded & LIGHT[name] == set()
