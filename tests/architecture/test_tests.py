"""Rules of the tests themselves: what they share has one place, and none leans on another."""

import ast
import os
import re
from functools import cache
from pathlib import Path

from support.places import ROOT, SRC, TESTS

APART = {"typing"}
"""Folders whose files are read and not run."""


@cache
def files() -> list[Path]:
    return sorted(path.relative_to(TESTS) for path in TESTS.rglob("*.py"))


def test_what_tests_share_stands_in_support():
    loose = [path for path in files() if path.parts[0] not in {"support", *APART} and path.name != "conftest.py"]
    assert [str(path) for path in loose if not path.name.startswith("test_")] == []


def test_no_test_changes_where_modules_are_found_or_takes_from_another_test():
    for path in files():
        if path.parts[0] == "support":
            continue
        text = (TESTS / path).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)) if re.search(r"\bsys\b.*\bpath\b|\btest_\w+ import", text) else ():
            if isinstance(node, ast.Attribute) and node.attr == "path":
                assert ast.unparse(node) != "sys.path", path
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").rpartition(".")[2].startswith("test_"), path


def test_folders_of_tests_have_the_names_of_rooms():
    others = {"architecture", "attacks", "bench", "docs", "guides", "processes", "support", "typing"}
    assert {path.parts[0] for path in files()} - others - {"conftest.py"} <= {one.name for one in SRC.iterdir()}


def test_no_folder_has_more_than_thirty_files():
    for top in (TESTS, SRC, ROOT / "bench"):
        for folder, _, names in os.walk(top):
            assert sum(name.endswith(".py") for name in names) <= 30, folder
