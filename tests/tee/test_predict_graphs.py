"""Scores by a graph in an enclave: those of plain scoring, behind a shut door; a hostile graph gets no room."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from msgspec.structs import replace

from potluck.core.errors import GraphError
from potluck.core.party import SERVER
from potluck.core.predicting import FEATURES, Columns
from potluck.core.rounds import Abort, Cause
from potluck.learning.data.files.cells import HeldCells
from potluck.learning.data.mixed import inputs as mixed
from potluck.learning.graph.batches import ROWS
from potluck.learning.graph.file import written
from potluck.learning.graph.schema import Special, Weight
from potluck.learning.models.graph_model import GraphModel
from potluck.learning.models.one_thread import one_thread
from potluck.parties.runners import enclave_graphs
from potluck.parties.runners.enclave_graphs import GRAPHS
from potluck.tee.host import program
from potluck.tee.predict import messages as p
from potluck.tee.predict.server import Scoring
from support.graph.door import digests
from support.graph.examples import v as V
from support.graph.modules import CASES
from support.graph.mutations import joined, parts
from support.graph.running import case, file, graph, network, node
from support.tee import predict_rig as rig
from support.tee.predict_rig import CLIENT, OWNER, Sat, beside, meeting, net, scorer, sent, stopped
from support.tee.rig import program as watched

pytestmark = pytest.mark.torch
TESTS = Path(__file__).parents[1]
TAKES_FLOATS = [one.name for one in CASES if all(given.dtype == "float32" for given in one.inputs.values())]


def columns(name: str, rows: int = 7, seed: int = 0) -> Columns:
    draw = np.random.default_rng(seed)
    kind = {"features": np.float64}
    return {
        one: draw.uniform(-1, 1, (rows, *shape.shape)).astype(kind.get(one, np.float32))
        for one, shape in case(name).inputs.items()
    }


def eager(name: str, given: Columns) -> np.ndarray:
    """What torch's own module makes of the rows, with no graph and nothing of ours."""
    module = case(name).make().eval()
    with torch.no_grad():
        return module(*(torch.from_numpy(given[one].astype(np.float32)) for one in case(name).inputs)).numpy()


def inside():
    return beside(scorer(graphs=GRAPHS))


@pytest.mark.parametrize(
    "name",
    [pytest.param(one, marks=[] if one in ("mlp", "cnn", "lora") else [pytest.mark.slow]) for one in TAKES_FLOATS],
)
def test_the_scores_are_those_of_torchs_own_module(name):
    given = columns(name)
    found = Sat(file(name)[0], given, enclave=inside()).scored()
    np.testing.assert_allclose(found.margins, eager(name, given), rtol=1e-5, atol=1e-6)
    assert found.bound is None
    assert "no bound" in found.notes[0]


@pytest.fixture(scope="module")
def real():
    made = Scoring(program("simulated", graphs=True))
    yield made
    made.close()


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("mlp", ROWS + 9),
        pytest.param("cnn", 3, marks=pytest.mark.slow),
        pytest.param("lora", 2, marks=pytest.mark.slow),
    ],
)
def test_the_real_process_gives_the_bits_of_plain_scoring(real, name, rows):
    """Of more rows than one batch too; the convolution is one that torch chooses by files of the machine."""
    given = columns(name, rows)
    found = Sat(file(name)[0], given, meeting(rows, run=name), real).scored()
    assert found.margins.tobytes() == plain(name, given).tobytes()


def plain(name, given):
    """What `potluck score` computes."""
    rows = np.arange(len(next(iter(given.values()))))
    cells = {one: HeldCells(values, rows) for one, values in given.items() if one != FEATURES}
    return GraphModel(network(name)).margins(mixed(given.get(FEATURES, np.zeros((len(rows), 0))), cells))


def grown_long():
    """The file of the small network, with its nodes over and over."""
    header, tensors = parts(file("mlp")[0])
    return joined(header | {"nodes": header["nodes"] * 2000}, tensors)


def drawn(nodes, output="y", **how):
    """A graph by hand without weights."""
    return written(graph({"features": ("float32", [5])}, nodes, output, **how), {})


def grown(times=2**25):
    """A row of five numbers becomes so many times as long, by operations that need no weight."""
    flat = node("reshape", V("features"), (Special(b=1), 5, 1), out="r")
    return flat, node("expand", V("r"), (Special(b=1), 5, times), out="e")


def not_a_number():
    made = network("mlp")
    name = made.graph.weights[0].name
    return written(made.graph, {**made.tensors, name: np.full_like(made.tensors[name], np.nan)})


def without_its_base():
    """A frozen weight lies in a base that the owner did not put in."""
    made = graph({"features": ("float32", [5])}, [node("mul", V("features"), V("w"), out="y")], "y")
    return written(replace(made, base="sha256:" + "0" * 64, weights=(Weight("w", "w", "float32", (5,), False),)), {})


def whole_numbers():
    made = node("cast", V("features"), Special(d="float32"), out="y")
    return written(graph({"features": ("int64", [5])}, [made], "y"), {})


HOSTILE = {
    "has 5368709120 numbers a row": lambda: drawn([*grown(2**30), node("mean", V("e"), (2,), out="y")]),
    "too much memory": lambda: drawn(
        [*grown(), node("add", V("e"), V("e"), out="f"), node("mean", V("f"), (2,), out="y")]
    ),
    "is no operation that graphs may use": lambda: drawn([node("system", V("features"), out="y")]),
    "mixes rows": lambda: drawn([node("mean", V("features"), (0,), True, out="y")]),
    "is no graph": lambda: b"\x80\x04K\x01.",
    "more or fewer bytes than its shape": lambda: file("mlp")[0][:-8],
    "it has 12000 nodes": grown_long,
    "rests on a base": without_its_base,
    "is no number": not_a_number,
    "takes other columns": lambda: file("lora")[0],
    "takes floats": whole_numbers,
    "makes a table": lambda: drawn([node("reshape", V("features"), (Special(b=1), 5, 1), out="y")]),
}
"""By what the reader says of it to whoever reads it at home. Made by the test, so that collecting exports nothing."""


@pytest.mark.parametrize("why", [pytest.param(one, marks=[pytest.mark.slow] * ("12000" in one)) for one in HOSTILE])
def test_a_hostile_graph_is_refused_before_there_is_room_for_anything(why, monkeypatch):
    """No tensor is made. Its owner is named, and nothing of rows or graph is said."""
    hostile = HOSTILE[why]()
    with pytest.raises(GraphError, match=why):
        GRAPHS.prepared(hostile, columns("mlp"))
    made = []
    for one in ("tensors", "outputs"):
        monkeypatch.setattr(enclave_graphs, one, lambda *given, one=one: made.append(one))
    found = []
    for seed in (0, 1):
        desks = Sat(hostile, columns("mlp", seed=seed), enclave=inside()).run()
        abort = desks[SERVER].abort
        found.append((abort.cause, abort.party, abort.step, abort.detail))
        assert desks[CLIENT].abort.cause is Cause.REFUSED
    assert found[0] == found[1] == (Cause.REFUSED, OWNER, p.MODEL, REFUSED)
    assert made == []


REFUSED = "its graph is none, is beyond the bounds, or takes other columns"


def test_the_control_is_let_in(monkeypatch):
    """What the hostile ones never reach."""
    made = []
    monkeypatch.setattr(enclave_graphs, "tensors", lambda _: made.append("tensors"))
    monkeypatch.setattr(enclave_graphs, "outputs", lambda *_: np.zeros((7, 1)))
    Sat(file("mlp")[0], columns("mlp"), enclave=inside()).scored()
    assert made == ["tensors"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.5])
def test_an_entry_that_is_no_number_is_refused_and_no_model_leaves(bad, monkeypatch):
    """At home; and by the enclave, where the client would send it all the same: the owner hears the cause alone."""
    given = columns("cnn")
    given["image"][3, 0, 2, 2] = bad
    sat = Sat(file("cnn")[0], given, enclave=inside())
    assert stopped(sat.run())[CLIENT][:2] == (Cause.RANGE, CLIENT)
    assert not sent(sat, p.ROWS)
    monkeypatch.setattr("potluck.tee.predict.client.check_columns", lambda *_: None)
    lying = Sat(file("cnn")[0], given, enclave=inside())
    desks = lying.run()
    assert (desks[SERVER].abort.cause, desks[SERVER].abort.party) == (Cause.RANGE, CLIENT)
    assert not sent(lying, p.MODEL)
    assert "entry" not in desks[OWNER].abort.detail


def test_rows_that_are_not_as_many_in_each_column_do_not_leave():
    given = {**columns("mlp"), "image": np.zeros((6, 1), np.float32)}
    sat = Sat(file("mlp")[0], given, enclave=inside())
    assert stopped(sat.run())[CLIENT][:2] == (Cause.REFUSED, CLIENT)
    assert not sent(sat, p.ROWS)


def test_layers_and_graphs_do_not_meet():
    """An enclave scores by one of them: the other's parcel is none that it reads."""
    for made, features, enclave in (
        (net(), rig.rows(), inside()),
        (file("mlp")[0], columns("mlp"), beside()),
    ):
        desks = Sat(made, features, enclave=enclave).run()
        assert (desks[SERVER].abort.cause, desks[SERVER].abort.party) == (Cause.MALFORMED, OWNER)


def test_a_score_that_overflows_is_for_the_client_to_hear_alone():
    """A refusal by the enclave would tell its host something of rows and weights together."""
    made = network("mlp")
    huge = {one.name: np.full_like(made.tensors[one.name], 3e38) for one in made.graph.weights}
    desks = Sat(written(made.graph, huge), columns("mlp"), enclave=inside()).run()
    assert desks[SERVER].abort is None
    assert stopped(desks) == {CLIENT: (Cause.RANGE, OWNER, "a score overflows, or is not a number")}


def test_nothing_of_a_graph_stays():
    room = scorer(graphs=GRAPHS)
    Sat(file("mlp")[0], columns("mlp"), enclave=beside(room)).scored()
    assert room._now is None
    assert enclave_graphs.program.cache_info().currsize == 0


def test_the_host_carries_sealed_bytes_alone():
    """Neither a weight nor an entry nor a word of the graph's header is in a letter."""
    given = columns("cnn")
    sat = Sat(file("cnn")[0], given, enclave=inside())
    sat.scored()
    whole = b"".join(body for _, _, _, body in sat.transcript.bodies)
    weights = [one.ravel()[:4].tobytes() for one in network("cnn").tensors.values()]
    for secret in (given["image"].ravel()[:4].tobytes(), b"conv2d", b"potluck graph", *weights):
        assert secret not in whole


@pytest.mark.slow
def test_nothing_is_loaded_once_the_door_is_shut():
    """In the real process: what torch has loaded before is what it needs, also of operations that no self-test ran."""
    enclave = Scoring(watched("with_graphs"))
    try:
        enclave.keys()
        before = enclave._call("modules")
        for name in ("cnn", "vit", "cnn3d"):
            Sat(file(name)[0], columns(name), meeting(run=name), enclave).scored()
        assert enclave._call("modules") == before
        assert "torch" in enclave._worker.versions
    finally:
        enclave.close()


def test_an_enclave_without_torch_does_not_start_and_says_what_to_install():
    python, *flags, code, word = program("simulated", graphs=True)
    enclave = Scoring([python, *flags, f"import sys; sys.modules['torch'] = None; {code}", word])
    with pytest.raises(Abort, match=r"torch is missing.*potluck\[networks\]") as stop:
        enclave.keys()
    assert stop.value.cause is Cause.ENGINE


@pytest.mark.slow
def test_every_operation_gives_behind_the_door_what_it_gives_before():
    code = f"import sys; sys.path.append({str(TESTS)!r}); from support.graph.door import shut_in; shut_in()"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stderr[-2000:]
    with one_thread():
        assert found.stdout.splitlines() == digests()
