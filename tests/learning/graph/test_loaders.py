"""Every published way to run code by a model's file, tried on the reader of graphs: each is refused, and nothing runs.

The routes are those of torch's own files (.pt2: pickled constants and example inputs, the fall-back to
`weights_only=False`, sympy expressions, operators by name), and of others' formats: ONNX (files by path, CVE-2025-51480
and CVE-2026-34445), Keras (layers of code, CVE-2025-1550, -8747, -9906, -9905) and transformers (a config that names
code, CVE-2026-4372).
"""

import builtins
import io
import json
import os
import pickle
import zipfile

import pytest
import torch
from torch import nn

from potluck.core.errors import GraphError, PotluckError
from potluck.learning.graph.file import parsed, read, written
from potluck.learning.graph.interpreter import program
from support.graph.examples import v
from support.graph.mutations import joined, parts
from support.graph.running import graph, node

pytestmark = pytest.mark.torch
GOOD = written(graph({"x": ("float32", [3])}, [node("relu", v("x"), out="y")], "y"), {})
SHELL = "__import__('os').mkdir('ran')"


class Payload:
    """What runs as soon as it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.fixture(autouse=True)
def room(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def zipped(**files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


def saved():
    """A whole program, as `torch.export.save` writes it."""
    out = io.BytesIO()
    torch.export.save(torch.export.export(nn.Linear(3, 1).eval(), (torch.ones(2, 3),)), out)
    return out.getvalue()


def torch_saved():
    out = io.BytesIO()
    torch.save({"w": Payload()}, out)
    return out.getvalue()


FILES = {
    "a pickle": lambda: pickle.dumps(Payload()),
    "torch.save, read with weights_only=False": torch_saved,
    "a program of torch.export": saved,
    "pickled example inputs": lambda: zipped(archive__data__sample_inputs__model_pt=torch_saved()),
    "pickled constants": lambda: zipped(archive__data__constants__c_pt=torch_saved(), archive__version="0"),
    "a Keras archive": lambda: zipped(config_json=json.dumps({"module": "os", "class_name": "mkdir"})),
    "an ONNX model whose tensors lie elsewhere": lambda: b"\x08\x0a:\x1f\x0a\x08location\x12\x13../../../etc/passwd",
    "a config that names code": lambda: json.dumps({"auto_map": {"AutoModel": "evil.Model"}}).encode(),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_format_is_no_graph_wherever_it_stands(name, room):
    data = FILES[name]()
    for place, found in (("the file", data), ("behind the mark", GOOD[:24] + data), ("the tensors", GOOD[:-8] + data)):
        path = room / place
        path.write_bytes(found)
        with pytest.raises(GraphError):
            read(path)
    with pytest.raises(PotluckError):
        read(room / "the file", base=room / "the file")
    assert not (room / "ran").exists()


def test_the_payload_runs_where_it_is_loaded(room):
    """The control."""
    torch.load(io.BytesIO(torch_saved()), weights_only=False)
    assert (room / "ran").exists()


OPERATORS = (
    *("os.system", "posix.system", "builtins.eval", "builtins.exec", "subprocess.Popen", "_operator.attrgetter"),
    *("torch.ops.aten.from_file.default", "from_file", "aten.from_file", "torch.load", "torch.hub.load"),
    *("torch.ops.higher_order.cond", "cond", "while_loop", "wrap_with_set_grad_enabled", "triton_kernel_wrapper"),
    *("torch.ops.evil.run.default", "evil::run", "prims.device_put", "call_torchbind", "torch.classes.evil.Run"),
    *("relu.__class__", "relu\x00", "../relu", "__import__", "Lambda", "tf.py_function", SHELL),
)


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_by_name_is_none_but_those_of_the_table(name, room):
    header, tensors = parts(GOOD)
    header["nodes"][0]["op"] = name
    with pytest.raises(GraphError, match="is no operation that graphs may use"):
        parsed(joined(header, tensors), "net")
    assert not (room / "ran").exists()


EXPRESSIONS = (
    {"as_expr": {"expr_str": SHELL, "hint": None}},
    {"as_sym_int": {"as_name": SHELL}},
    {"as_custom_obj": {"name": "c", "class_fqn": "evil.Run"}},
    {"as_operator": "torch.ops.evil.run"},
    {"as_graph": {"name": "sub", "graph": {}}},
    {"expr_str": SHELL},
    {"v": SHELL},
    {"d": SHELL},
    {"t": SHELL},
    {"b": SHELL},
    SHELL,
)


@pytest.mark.parametrize("given", EXPRESSIONS, ids=range(len(EXPRESSIONS)))
def test_an_expression_in_place_of_an_argument_is_never_read_as_one(given, room, monkeypatch):
    """torch's reader gives such texts to sympy, which evaluates them."""
    for word in ("eval", "exec", "compile"):
        monkeypatch.setattr(builtins, word, lambda *args, **kwargs: pytest.fail("something was evaluated"))
    header, tensors = parts(GOOD)
    for fields in ({"args": [given]}, {"args": [[given]]}, {"args": [{"v": "x"}], "kw": {"inplace": given}}):
        changed = {**header, "nodes": [{**header["nodes"][0], **fields}]}
        with pytest.raises(GraphError):
            parsed(joined(changed, tensors), "net")
    for shape in (["b", given], [given, 3]):
        changed = {**header, "inputs": [{**header["inputs"][0], "shape": shape}]}
        with pytest.raises(GraphError):
            parsed(joined(changed, tensors), "net")
    assert not (room / "ran").exists()


PATHS = ("../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "https://broker.example/base", "sha256:../../passwd")


@pytest.mark.parametrize("path", PATHS)
def test_a_path_or_an_address_is_no_base(path):
    header, tensors = parts(GOOD)
    with pytest.raises(GraphError, match="base is no hash"):
        parsed(joined({**header, "base": path}, tensors), "net")


def test_a_field_that_names_code_is_no_field():
    header, tensors = parts(GOOD)
    for name in ("auto_map", "module", "class_name", "module_call_graph", "custom_objects", "opset_import"):
        with pytest.raises(GraphError, match="does not fit"):
            parsed(joined({**header, name: "evil.Model"}, tensors), "net")


def test_the_graph_itself_runs():
    """The control: what is refused above is refused for what was put into it."""
    network = parsed(GOOD, "net")
    assert program(network.checked).steps
