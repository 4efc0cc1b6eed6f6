"""The file of a graph: what the strict reader takes, and the faults that it refuses, by name, before it allocates."""

import hashlib
import json
import os
import struct

import msgspec
import numpy as np
import pytest
import torch
from safetensors.numpy import load as theirs
from safetensors.numpy import save as their_file

from potluck.api.graph.make import graph as make_file
from potluck.core.errors import GraphError, UsageError
from potluck.learning.graph.check import check
from potluck.learning.graph.file import MAGIC, MOST_BYTES, parsed, read, write, written
from potluck.learning.graph.interpreter import forward, program, tensors
from potluck.learning.graph.make.make import frozen, made
from potluck.learning.graph.schema import Special
from potluck.learning.graph.tensors import digest, packed, unpacked
from support.graph.modules import CASES
from support.graph.mutations import joined, parts
from support.graph.running import case as case_of
from support.graph.running import file, graph, node, same

pytestmark = pytest.mark.torch
V = Special(v="x")
W = Special(v="w")
LINEAR = graph({"x": ("float32", [3])}, [node("linear", V, W, out="y")], "y", {"w": ("float32", [2, 3])})
TENSOR = np.arange(6, dtype=np.float32).reshape(2, 3)


def good():
    return written(LINEAR, {"w": TENSOR})


def changed(**fields):
    header, tensors = parts(good())
    return joined(header | fields, tensors)


@pytest.mark.parametrize(
    "case",
    [pytest.param(one, marks=[pytest.mark.slow] * (one.name in ("decoder", "resnet18")), id=one.name) for one in CASES],
)
def test_what_is_written_is_read_and_written_again_in_the_same_bytes(case):
    data, network = file(case.name)
    again = parsed(data, "again")
    assert (again.digest, again.weights, again.graph) == (network.digest, network.weights, network.graph)
    assert written(again.graph, again.tensors) == data
    for name, parameter in case.make().named_parameters():
        if name in again.tensors:
            assert again.tensors[name].tobytes() == parameter.detach().numpy().tobytes()


def test_a_base_is_read_within_the_bound_of_every_file_of_a_graph(tmp_path):
    base = tmp_path / "base.safetensors"
    base.touch()
    os.truncate(base, MOST_BYTES + 1)
    with pytest.raises(UsageError, match=f"is larger than {MOST_BYTES} bytes"):
        make_file(torch.nn.Linear(3, 1), {"x": [3]}, tmp_path / "net.graph", base=base)
    assert not (tmp_path / "net.graph").exists()


def test_frozen_weights_of_the_same_numbers_are_each_their_own_tensor_of_the_base(tmp_path):
    """Fresh layer norms hold ones and zeros, all of them. A base that has less of these than the module gives some."""
    norms = torch.nn.LayerNorm(3), torch.nn.LayerNorm(3)
    module = torch.nn.Sequential(norms[0], torch.nn.Linear(3, 3), norms[1], torch.nn.Linear(3, 1))
    for norm in norms:
        norm.requires_grad_(False)
    make_file(module, {"x": [3]}, tmp_path / "one.graph", base=tmp_path / "base")
    one = read(tmp_path / "one.graph", tmp_path / "base")
    left = [(weight.name, weight.tensor) for weight in one.graph.weights]
    frozen = {"0.weight", "0.bias", "2.weight", "2.bias"}
    assert {tensor for name, tensor in left if name in frozen} == frozen
    assert [tensor for name, tensor in left if name in frozen] == [name for name, _ in left if name in frozen]
    write(tmp_path / "few", packed({"scale": np.ones(3, np.float32)}))
    make_file(module, {"x": [3]}, tmp_path / "two.graph", base=tmp_path / "few")
    two = read(tmp_path / "two.graph", tmp_path / "few")
    assert [each.tensor for each in two.graph.weights if each.name in ("0.weight", "2.weight")] == ["scale", "2.weight"]
    assert {name: held.tolist() for name, held in tensors(two).items()} == {
        name: held.tolist() for name, held in tensors(one).items()
    }


def test_a_file_on_disk_is_never_written_over(tmp_path):
    path = tmp_path / "net.graph"
    write(path, good())
    assert read(path).digest == parsed(good(), "x").digest
    with pytest.raises(UsageError, match="there already"):
        write(path, good())


def test_digests_part_structure_from_weights():
    first = parsed(good(), "x")
    other = parsed(written(LINEAR, {"w": TENSOR + 1}), "x")
    assert first.digest == other.digest
    assert first.weights != other.weights
    frozen = msgspec.structs.replace(LINEAR.weights[0], train=False)
    third = parsed(written(msgspec.structs.replace(LINEAR, weights=(frozen,)), {"w": TENSOR}), "x")
    assert third.digest != first.digest  # which weights train is structure
    assert third.weights == first.weights


def test_constants_are_structure():
    adding = graph(
        {"x": ("float32", [3])}, [node("add", V, Special(v="c"), out="y")], "y", None, {"c": ("float32", [3])}
    )
    first, second = (parsed(written(adding, {"c": np.full(3, one, np.float32)}), "x") for one in (1, 2))
    assert first.digest != second.digest
    assert first.weights == second.weights


FAULTS = {
    "nothing": (b"", "is no graph"),
    "another file": (b"PK\x03\x04" * 20, "is no graph"),
    "another version's mark": (MAGIC.replace(b"1", b"2") + good()[16:], "is no graph"),
    "cut off in the header": (good()[:60], "its header says"),
    "cut off in the tensors": (good()[:-1], "more or fewer bytes"),
    "bytes after the tensors": (good() + b"\0", "left over after"),
    "a huge header": (MAGIC + struct.pack("<Q", 2**40) + good()[24:], "its header says 1099511627776 bytes"),
    "a header that is no JSON": (MAGIC + struct.pack("<Q", 4) + b"{'a'" + good()[24:], "no JSON"),
    "a header that is no UTF-8": (MAGIC + struct.pack("<Q", 4) + b'"\xff\xff"', "no JSON"),
    "a deep header": (MAGIC + struct.pack("<Q", 200_000) + b"[" * 200_000, "no JSON"),
    "a number that is none": (changed(version=1).replace(b'"version":1', b'"version":NaN'), "its header says|no JSON"),
    "another format": (changed(format="onnx"), "does not fit"),
    "another version": (changed(version=2), "does not fit"),
    "a field that nobody knows": (changed(code="import os"), "does not fit"),
    "a field that is missing": (
        joined({k: v for k, v in parts(good())[0].items() if k != "nodes"}, b""),
        "does not fit",
    ),
    "spelt in another way": (
        joined(dict(reversed(parts(good())[0].items())), parts(good())[1]),
        "spelt in another way",
    ),
    "a base that is no hash": (changed(base="../../etc/passwd"), "base is no hash"),
    "a base that holds nothing": (changed(base="sha256:" + "0" * 64), "lacks no weight"),
    "no input": (changed(inputs=[]), "0 inputs"),
    "an input without a batch": (
        changed(inputs=[{"name": "x", "dtype": "float32", "shape": [3]}]),
        "rows of the batch",
    ),
    "two batches": (changed(inputs=[{"name": "x", "dtype": "float32", "shape": ["b", "b"]}]), "rows of the batch"),
    "an input that nothing uses": (
        changed(inputs=[{"name": n, "dtype": "float32", "shape": ["b", 3]} for n in "xz"]),
        'nothing uses "z"',
    ),
    "an input of another type": (
        changed(inputs=[{"name": "x", "dtype": "float16", "shape": ["b", 3]}]),
        "does not fit",
    ),
    "an input of another size": (
        changed(inputs=[{"name": "x", "dtype": "float32", "shape": ["b", 4]}]),
        "weight has to be",
    ),
    "a name that rewrites a screen": (
        changed(inputs=[{"name": "x\x1b[2J", "dtype": "float32", "shape": ["b", 3]}]),
        "letters that are not seen",
    ),
    "a huge input": (changed(inputs=[{"name": "x", "dtype": "float32", "shape": ["b", 2**30]}]), "numbers a row"),
    "an axis of no length": (changed(inputs=[{"name": "x", "dtype": "float32", "shape": ["b", 0]}]), "cannot be"),
    "nine axes": (changed(inputs=[{"name": "x", "dtype": "float32", "shape": ["b"] + [1] * 8}]), "cannot be"),
    "no node": (changed(nodes=[], output="x"), "0 nodes"),
    "an output that nothing makes": (changed(output="z"), "nothing uses what it makes|nothing makes its output"),
    "an output that is an input": (changed(output="x"), "nothing uses"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_a_file_is_refused_by_name(name):
    data, words = FAULTS[name]
    with pytest.raises(GraphError, match=words) as error:
        parsed(data, "net.graph")
    assert error.value.where.startswith("net.graph")
    assert "\x1b" not in str(error.value)


def nodes(*more, **fields):
    said = {"op": "linear", "args": [{"v": "x"}, {"v": "w"}], "kw": {}, "out": ["y"]} | fields
    return changed(nodes=[said, *more])


RELU = {"op": "relu", "args": [{"v": "y"}], "kw": {}, "out": ["z"]}
NODES = {
    "an operation that is none": (nodes(op="system"), "node 1.*is no operation"),
    "torch's own name": (nodes(op="aten.linear.default"), "is no operation"),
    "a file": (nodes(op="from_file"), "is no operation"),
    "a branch": (nodes(op="cond"), "is no operation"),
    "a value from nowhere": (nodes(args=[{"v": "q"}, {"v": "w"}]), "nothing above makes"),
    "a value of its own": (nodes(args=[{"v": "y"}, {"v": "w"}]), "nothing above makes"),
    "a value of a later node": (
        changed(nodes=[RELU, {"op": "linear", "args": [{"v": "x"}, {"v": "w"}], "kw": {}, "out": ["y"]}], output="z"),
        "nothing above makes",
    ),
    "a name twice": (nodes({**RELU, "out": ["y"]}), "named twice"),
    "the name of a weight": (nodes(out=["w"]), "named twice"),
    "a name with a line break": (nodes(out=["y\nz"]), "is no name"),
    "more results than there are": (nodes(out=["y", "z"]), "makes 1 values, and names 2"),
    "a node that nothing uses": (nodes(RELU), "nothing uses what it makes"),
    "too many arguments": (nodes(args=[{"v": "x"}, {"v": "w"}, None, None]), "takes 3 arguments"),
    "too few arguments": (nodes(args=[{"v": "x"}]), "lacks the argument weight"),
    "an argument twice": (nodes(kw={"weight": {"v": "w"}}), "has the argument weight twice"),
    "an argument that nobody knows": (nodes(kw={"out": {"v": "x"}}), 'no argument "out"'),
    "an argument that says two things": (nodes(args=[{"v": "x", "b": 1}, {"v": "w"}]), "one thing"),
    "an argument that says nothing": (nodes(args=[{}, {"v": "w"}]), "spelt in another way|one thing"),
    "a number for a value": (nodes(args=[{"v": "x"}, 3]), "weight has to be a value"),
    "the batch for a number": (
        nodes({"op": "mul", "args": [{"v": "y"}, {"b": 1}], "kw": {}, "out": ["z"]}),
        "has to be a value",
    ),
    "more nodes than there may be": (
        changed(nodes=[{**RELU, "args": [{"v": f"y{i}"}], "out": [f"y{i + 1}"]} for i in range(4_001)]),
        "4001 nodes",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_a_fault_of_a_node_is_refused_by_name(name):
    data, words = NODES[name]
    with pytest.raises(GraphError, match=words):
        parsed(data, "net.graph")


LONG = "x" * 100_000
SHOUTS = (
    changed(**{LONG: 1}),
    changed(output=LONG),
    changed(base=LONG),
    changed(inputs=[{"name": LONG, "dtype": "float32", "shape": ["b", 3]}]),
    nodes(op=LONG),
    nodes(args=[{"v": LONG}, {"v": "w"}]),
    nodes(kw={LONG: 1}),
    nodes(out=[LONG]),
    nodes(args=[{"v": "x"}, {"d": LONG}]),
)


@pytest.mark.parametrize("data", SHOUTS, ids=range(len(SHOUTS)))
def test_a_long_name_makes_no_long_message(data):
    with pytest.raises(GraphError) as error:
        parsed(data, "net.graph")
    assert len(str(error.value)) < 600


def weights(**fields):
    return changed(weights=[{"name": "w", "tensor": "w", "dtype": "float32", "shape": [2, 3], "train": True} | fields])


def with_tensors(*parts_of):
    header, _ = parts(good())
    return joined(header, b"".join(parts_of))


def raw(header, data=b"\0" * 24):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return with_tensors(struct.pack("<Q", len(text)), text, data)


def entry(begin=0, end=24, shape=(2, 3), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}


TENSORS = {
    "another type": (raw({"w": entry(end=48, dtype="F64")}, b"\0" * 48), "the tensor is float64"),
    "another shape": (weights(shape=[3, 2]), "weight has to be"),
    "a tensor that is not there": (weights(tensor="v"), 'no tensor "v"'),
    "a frozen weight without a base": (weights(tensor="v", train=False), 'no tensor "v"'),
    "a weight of whole numbers": (weights(dtype="int64"), "a weight is of floats"),
    "a huge weight": (weights(shape=[2**20, 2**20]), "numbers a row|numbers in weights"),
    "a tensor that nothing names": (
        raw({"w": entry(), "v": entry(24, 28, (1,))}, b"\0" * 28),
        'nothing names the tensor "v"',
    ),
    "overlapping tensors": (raw({"w": entry(), "v": entry(20, 28, (2,))}, b"\0" * 28), "overlap"),
    "a gap": (raw({"w": entry(4, 28)}, b"\0" * 28), "left over"),
    "a tensor beyond the end": (raw({"w": entry()}, b"\0" * 20), "more or fewer bytes"),
    "offsets the wrong way round": (raw({"w": entry(24, 0)}), "overlap|more or fewer"),
    "negative offsets": (raw({"w": entry(-24, 0)}), "is not described"),
    "a shape that overflows": (raw({"w": entry(shape=(2**40, 2**40))}), "more or fewer bytes"),
    "a type that no graph has": (raw({"w": entry(dtype="BF16")}), "is of BF16"),
    "a key twice": (raw(b'{"w":%s,"w":%s}' % ((json.dumps(entry()).encode(),) * 2)), "has a key twice"),
    "a field that nobody knows": (raw({"w": entry() | {"path": "/etc/passwd"}}), "is not described"),
    "no table": (raw([]), "is no table"),
    "a shape of nothing that cannot be": (
        raw({"w": entry(), "v": entry(24, 24, (0, 2**47, 2**47))}),
        "a shape that cannot be",
    ),
    "notes that no digest covers": (raw({"__metadata__": {"a": "b"}, "w": entry()}), "has notes"),
    "a huge header of tensors": (with_tensors(struct.pack("<Q", 2**50), b"{}"), "header of its tensors says"),
    "no header of tensors": (with_tensors(b"\0\0"), "cut off"),
    "no number": (written(LINEAR, {"w": TENSOR * np.nan}), "no number"),
    "infinity": (written(LINEAR, {"w": TENSOR + np.inf}), "no number"),
}


@pytest.mark.parametrize("name", TENSORS)
def test_a_fault_of_the_tensors_is_refused_by_name(name):
    data, words = TENSORS[name]
    with pytest.raises(GraphError, match=words):
        parsed(data, "net.graph")


def test_a_key_of_the_header_twice_is_refused():
    header, tensors = parts(good())
    text = json.dumps(header, separators=(",", ":")).replace('"output":"y"', '"output":"x","output":"y"').encode()
    with pytest.raises(GraphError, match="has a key twice: 'output'"):
        parsed(MAGIC + struct.pack("<Q", len(text)) + text + tensors, "net.graph")


def test_a_constant_may_be_minus_infinity_as_masks_are_and_nothing_else():
    adding = graph(
        {"x": ("float32", [3])}, [node("add", V, Special(v="c"), out="y")], "y", None, {"c": ("float32", [3])}
    )
    assert parsed(written(adding, {"c": np.array([0, -np.inf, 1], np.float32)}), "x")
    signalling = np.array([0x7FA00000], np.uint32).view(np.float32)[0]
    for bad in (np.inf, np.nan, signalling):
        with pytest.raises(GraphError, match="no number"):
            parsed(written(adding, {"c": np.array([0, bad, 1], np.float32)}), "x")


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in (
        (tmp_path / "pipe", "is no file"),
        (tmp_path, "is no file|cannot be read"),
        (tmp_path / "no", "No"),
    ):
        with pytest.raises(UsageError, match=words):
            read(path)


def test_memory_and_arithmetic_are_bounded_before_anything_is_made():
    wide = [node("expand", Special(v="x"), (Special(b=1), 2**14, 2**14), out="y0")]
    wide += [node("add", Special(v=f"y{i}"), Special(v=f"y{i}"), out=f"y{i + 1}") for i in range(3)]
    with pytest.raises(GraphError, match="too much memory or arithmetic"):
        check(graph({"x": ("float32", [1, 1])}, wide, "y3"))
    many = [node("permute", V, (0, 2, 1), out="t")]
    many += [node("matmul", V, Special(v="t"), out="y")]
    with pytest.raises(GraphError, match=r"numbers a row|too much memory"):
        check(graph({"x": ("float32", [2**15, 2])}, many, "y"))
    parts_ = node("unbind", V, 1, out=("y",))
    with pytest.raises(GraphError, match="makes more than"):
        check(graph({"x": ("float32", [2**27])}, [parts_], "y"))


def test_tensors_are_those_of_the_safetensors_library():
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b.c": np.array([True, False]),
        "d": np.array(3, dtype=np.int64),
        "e": np.linspace(0, 1, 5),
    }
    for name, one in theirs(packed(arrays)).items():
        assert one.dtype == arrays[name].dtype
        assert np.array_equal(one, arrays[name])
    found = unpacked(their_file(arrays, metadata={"format": "pt"}), "x", notes=True)
    assert set(found) == set(arrays)
    for name, one in found.items():
        assert one.shape == arrays[name].shape
        assert np.array_equal(one, arrays[name])


def test_frozen_weights_may_lie_in_a_base_that_is_known_by_its_hash(tmp_path):
    case = case_of("lora")
    base = frozen(case.make())
    data, network = made(case.make(), case.inputs, base)
    assert len(data) < len(file("lora")[0])
    (tmp_path / "net.graph").write_bytes(data)
    (tmp_path / "base").write_bytes(base)
    alone, whole = read(tmp_path / "net.graph"), read(tmp_path / "net.graph", tmp_path / "base")
    assert set(alone.missing) == {"0.base.weight", "0.base.bias", "2.base.weight", "2.base.bias"}
    assert alone.graph.base == f"sha256:{hashlib.sha256(base).hexdigest()}"
    assert (alone.digest, alone.weights) == (whole.digest, whole.weights)
    with pytest.raises(GraphError, match="weights of its base are missing"):
        tensors(alone)
    given = {"features": torch.randn(5, 6, generator=torch.Generator().manual_seed(1))}
    other = file("lora")[1]
    ours = forward(program(whole.checked), tensors(whole), given)
    assert same(ours, forward(program(other.checked), tensors(other), given))
    (tmp_path / "base").write_bytes(packed({name: one + 1 for name, one in unpacked(base, "x").items()}))
    with pytest.raises(GraphError, match="another base"):
        read(tmp_path / "net.graph", tmp_path / "base")
    assert network.missing == ()


def test_a_digest_parts_what_it_is_made_of():
    assert digest(b"ab", b"c") != digest(b"a", b"bc")
