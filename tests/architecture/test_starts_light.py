"""What a program does not use it does not load: every verb of every party starts a process of its own."""

import subprocess
import sys

import pytest

HEAVY = {"scipy", "pandas", "pyarrow", "sklearn", "torch", "sqlalchemy", "dp_accounting"}


@pytest.mark.parametrize(
    "module",
    ["potluck.api.local.check", "potluck.api.local.run", "potluck.api.network.site", "potluck.api.network.server"],
)
def test_the_libraries_of_single_tasks_are_loaded_by_those_tasks(module):
    code = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"numpy", "potluck"} <= loaded  # the control
    assert loaded & HEAVY == set()
