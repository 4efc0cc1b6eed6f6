"""What a program does not use it does not load: every verb of every party starts a process of its own."""

import subprocess
import sys

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
