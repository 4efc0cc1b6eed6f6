"""Rules of the house that no type checker knows."""

import ast
import subprocess
import sys
from collections.abc import Iterable

from support.code import nodes, sources, tree

HALVES = {"give", "open", "assist", "lead", "join", "query", "respond", "relay"}


def generators(found: Iterable[ast.AST]) -> set[str]:
    """Names of functions in this file that yield exchanges."""
    return {
        node.name
        for node in found
        if isinstance(node, ast.FunctionDef)
        and isinstance(node.returns, ast.Subscript)
        and ast.unparse(node.returns).startswith(("Half[", "Generator[Exchange"))
    }


def bare_calls(found: Iterable[ast.AST], names: set[str]) -> list[int]:
    """Lines where a half is called as a statement of its own: nothing would be sent, and mypy is silent."""
    lines = []
    for node in found:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            func = node.value.func
            name = func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "")
            thread = isinstance(func, ast.Attribute) and name == "join"  # halves called join are functions
            if name in names and not thread:
                lines.append(node.lineno)
    return lines


def test_no_half_is_called_without_yield_from():
    every = set().union(*(generators(nodes(path)) for path, text in sources().items() if "yield" in text))
    assert every >= {"give", "open"}
    for path in sources():
        assert bare_calls(nodes(path), every - {"open"}) == [], path


def test_the_rule_catches_a_forgotten_yield_from():
    text = "def tell(x) -> Half[None]:\n    yield x\ndef half(x) -> Half[None]:\n    tell(x)\n    yield x\n"
    bad = list(ast.walk(ast.parse(text)))
    assert bare_calls(bad, generators(bad)) == [4]


def test_no_file_or_function_is_too_long():
    for path, text in sources().items():
        assert len(text.splitlines()) <= 350, path
        for node in nodes(path):
            if isinstance(node, ast.FunctionDef):
                words = node.body[0].value if isinstance(node.body[0], ast.Expr) else node  # what is said of it is free
                said = (words.end_lineno or 0) - words.lineno if isinstance(words, ast.Constant) else 0
                assert (node.end_lineno or 0) - node.lineno - said < 75, f"{path}: {node.name}"


def test_nothing_is_pickled_or_evaluated():
    banned = {"pickle", "cPickle", "dill", "marshal", "shelve", "eval", "exec"}
    for path in sources():
        for node in nodes(path):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            names += [node.func.id] if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else []
            assert not banned & set(names), f"{path}:{node.lineno}"
            # YAML can make any object: by its safe loader, and what that gives, alone.
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml":
                assert node.attr in {"parse", "load", "CSafeLoader", "YAMLError"} or node.attr.endswith("Event"), path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "yaml.load":
                assert [ast.unparse(word.value) for word in node.keywords] == ["loader"], path


def test_whoever_catches_everything_raises_it_again():
    for path in sources():
        for node in nodes(path):
            if isinstance(node, ast.ExceptHandler) and ast.unparse(node.type or ast.Name("")) in (
                "",
                "Exception",
                "BaseException",
            ):
                # The exceptions are the last edges: the command line's, and those of a site and of an office and its
                # runs, which outlive a bug.
                last = node.body[-1]
                office = ("api/network/office/office.py", "api/network/office/hall.py")
                edge = path in ("cli/door.py", "parties/runners/site.py", *office)
                assert edge or (isinstance(last, ast.Raise) and last.exc is None), path


def test_every_module_says_what_it_is():
    for path in sources():
        assert ast.get_docstring(tree(path)), path


def test_public_names_have_docstrings():
    missing = [
        f"{path}: {node.name}"
        for path in sources()
        for node in tree(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert missing == []


def test_importing_the_door_is_quick_because_rooms_load_lazily():
    code = "import sys, potluck; print(sorted({'torch','pandas','dp_accounting','scipy','sklearn'} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def _prints(source: str) -> list[str]:
    """What a file prints with, past the one terminal on which no letter acts."""
    names = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
    return sorted(names & {"print", "Console", "rich.print", "escape", "Text.from_markup", "sys.stdout.write"})


def test_nothing_is_printed_past_the_terminal():
    for path, text in sources().items():
        if path.startswith("cli/") and path not in ("cli/door.py", "cli/terminal.py"):
            assert _prints(text) == [], path
    assert _prints("from rich.console import Console\nConsole().print('x')") == ["Console"]
