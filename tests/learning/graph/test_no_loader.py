"""Nothing that can be made to run code reads a graph: no loader of torch's, no way from a file to a name of Python."""

import ast

from support.code import nodes, sources

ROOM = "learning/graph/"
SITE = [path for path in sources() if path.startswith(ROOM) and not path.startswith(f"{ROOM}make/")]
LOADERS = {"load", "jit", "export", "package", "hub", "onnx", "load_state_dict", "from_file"}


def attributes(path):
    return {node.attr for node in nodes(path) if isinstance(node, ast.Attribute)}


def test_what_reads_and_runs_a_graph_uses_no_loader_of_torch():
    assert len(SITE) > 15
    for path in SITE:
        assert attributes(path) & LOADERS == set(), path


def test_names_of_a_file_reach_no_attribute_but_those_of_the_table():
    """getattr is called with torch's own dtypes and the table's operators alone."""
    found = [
        (path, ast.unparse(node))
        for path in SITE
        for node in nodes(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "importlib.import_module", "__import__")
    ]
    assert sorted(found) == [
        (f"{ROOM}interpreter.py", "getattr(loaded, value.dtype)"),
        (f"{ROOM}steps.py", "getattr(getattr(loaded.ops.aten, name), overload)"),
        (f"{ROOM}steps.py", "getattr(loaded, given.d)"),
        (f"{ROOM}steps.py", "getattr(loaded.ops.aten, name)"),
    ]


def test_the_rule_sees_a_loader():
    """The control: what makes graphs exports."""
    assert "export" in attributes(f"{ROOM}make/exported.py")
