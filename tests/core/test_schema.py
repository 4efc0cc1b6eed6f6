"""A struct that two threads read for the first time at once crashed the process: readers go through `readable`."""

import ast
import subprocess
import sys

from support.code import nodes, sources

READERS = """
import sys, threading, types
import msgspec
from potluck.core.schema import readable

sys.setswitchinterval(1e-6)
for number in range(60):
    module = types.ModuleType(f"made{number}")
    sys.modules[module.__name__] = module
    lines = ["import msgspec", "class A0(msgspec.Struct):", "    x: int"]
    for n in range(1, 8):
        lines += [f"class A{n}(msgspec.Struct):", "    x: int", f"    y: 'list[A{n - 1}] | None' = None"]
    exec("\\n".join(lines), module.__dict__)
    start = threading.Barrier(4)

    def read(kind):
        start.wait()
        msgspec.json.decode(b'{"x": 1, "y": []}', type=readable(kind))

    threads = [threading.Thread(target=read, args=(module.__dict__[f"A{7 - n % 2}"],)) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
"""


def test_threads_may_read_a_type_for_the_first_time_at_once():
    done = subprocess.run([sys.executable, "-c", READERS], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def root(node):
    """The name that an expression begins with."""
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return getattr(node, "id", "")


def reads(found):
    """Calls of the library that read something as a type, each with that type."""
    for node in found:
        if not (isinstance(node, ast.Call) and root(node.func) == "msgspec"):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        kinds = [one.value for one in node.keywords if one.arg == "type"]
        kinds += node.args[1:2] if name in ("decode", "convert") else node.args[:1] if name == "Decoder" else []
        if name in ("decode", "convert", "Decoder") and kinds:
            yield node.lineno, kinds[0]


def test_every_struct_is_read_through_it():
    found = {path: list(reads(nodes(path))) for path, text in sources().items() if "msgspec" in text}
    assert found.pop("core/schema.py")
    assert found.pop("core/strict.py")  # reads no struct by it
    bare = [(path, line) for path, calls in found.items() for line, kind in calls if not through(kind)]
    assert bare == []


def through(kind):
    return ast.unparse(kind).startswith("readable(")
