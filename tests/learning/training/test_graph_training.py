"""Plans that name a graph: sites train it by the interpreter, as torch would, and every protection gives one model."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from torch.nn import functional

import potluck
from potluck.api.results.outcome import summary
from potluck.core.errors import GraphError, PlanError, UsageError
from potluck.core.plan import bare, canonical, digest
from potluck.core.seeded import generator
from potluck.learning.data.table import read
from potluck.learning.data.target import goal_of
from potluck.learning.graph import chosen
from potluck.learning.graph.batches import rows_at_once
from potluck.learning.graph.chosen import MOST_PATTERNS
from potluck.learning.graph.interpreter import memory
from potluck.learning.loops import build
from potluck.learning.models.forms import form_of
from potluck.learning.models.graph_model import GraphModel
from potluck.learning.models.graphs import LEAST_ROOM, needed, trained_of
from potluck.learning.models.model import Model
from potluck.learning.models.model import model as built
from potluck.tasks.catalog import task_of
from support.graph import trained as drawn
from support.learning.sums import run

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def graphs(tmp_path_factory):
    """By name: graph files, made once."""
    folder = tmp_path_factory.mktemp("graphs")
    modules = {
        "binary": drawn.mlp(), "number": drawn.mlp(), "classes": drawn.mlp(3), "drop": drawn.mlp(drop=0.5),
        "labels": drawn.mlp(2),
        "convolution": drawn.convolution(), "wide": drawn.mlp(features=5),
    }  # fmt: skip
    sizes = {"wide": 5}
    return {name: drawn.made(module, folder / f"{name}.graph", sizes.get(name, 2)) for name, module in modules.items()}


def site_tables(plan, kind):
    return {name: read(frame, plan.spec, name) for name, frame in drawn.frames(kind=kind).items()}


def by_torch(kind, plan, tables, mu=0.0):
    """FedAvg of the same module by torch's own autograd and nothing of ours but the public shuffles."""
    module = drawn.mlp(drawn.TARGETS[kind][2])
    common = {name: one.detach().double() for name, one in module.named_parameters()}
    for step in range(2):
        changes, total = [], 0
        for table in tables.values():
            x = torch.tensor(table.features[~table.test], dtype=torch.float32)
            y = torch.tensor(table.target[~table.test], dtype=torch.float32)
            with torch.no_grad():
                for name, one in module.named_parameters():
                    one.copy_(common[name])
            order = generator(0, "average", step, 0).permutation(len(y))
            for start in range(0, len(y), 16):
                some = order[start : start + 16]
                out = module(x[some])
                if kind == "binary":
                    loss = functional.binary_cross_entropy_with_logits(out[:, 0], y[some])
                elif kind == "classes":
                    loss = functional.cross_entropy(out, y[some].long())
                elif kind == "labels":
                    loss = torch.nn.BCEWithLogitsLoss()(out, y[some])
                else:
                    loss = functional.mse_loss(out[:, 0], y[some]) / 2
                pull = 0.01 / (len(y) * len(tables)) / 2
                loss = loss + sum(pull * one.pow(2).sum() for one in module.parameters() if one.dim() > 1)
                far = {name: one - common[name].float() for name, one in module.named_parameters()}
                loss = loss + sum(mu / 2 * one.pow(2).sum() for one in far.values())
                module.zero_grad()
                loss.backward()
                with torch.no_grad():
                    for one in module.parameters():
                        one -= 0.2 * one.grad
            changes.append((len(y), {name: one.detach().double() for name, one in module.named_parameters()}))
            total += len(y)
        common = {name: sum(rows * one[name] for rows, one in changes) / total for name in common}
    return common


@pytest.mark.parametrize(
    ("kind", "mu"),
    [
        ("binary", 0.0),
        pytest.param("classes", 0.0, marks=pytest.mark.slow),
        pytest.param("number", 0.0, marks=pytest.mark.slow),
        ("labels", 0.0),
        ("binary", 1.5),
    ],
)
def test_a_graph_is_trained_as_torch_trains_its_module(graphs, kind, mu):
    plan = drawn.plan(graphs[kind], kind)
    if mu:
        plan = plan.set("training.local", "prox").set("training.mu", mu)
    tables = site_tables(plan, kind)
    network = run(build(plan.spec), tables).model.graph.network
    for name, one in by_torch(kind, plan, tables, mu).items():
        np.testing.assert_allclose(network.tensors[name], one.numpy(), rtol=0, atol=2e-6)
        assert network.tensors[name].dtype == np.float32


@pytest.mark.slow
def test_every_protection_gives_the_same_model(graphs, tmp_path):
    """One of a convolution, one with dropout: the same bytes whoever adds up."""
    frames = drawn.frames()
    for name in ("convolution", "drop"):
        found = {
            word: potluck.run(
                drawn.plan(graphs[name], scheme=word), frames, out=tmp_path / f"{name}-{word}", ledger=tmp_path / "l"
            )
            for word in ("clear", "mask", "tee")
        }
        files = {word: (tmp_path / f"{name}-{word}" / "model.graph").read_bytes() for word in found}
        assert len(set(files.values())) == 1
        assert len({one.document["model"]["digest"] for one in found.values()}) == 1
        assert files["clear"] != graphs[name].read_bytes()  # it has learnt


@pytest.mark.slow
@pytest.mark.parametrize(("word", "engine"), [("he", "he_engine"), ("share", "mpc_engine")])
def test_protections_with_engines_give_the_same_model_too(graphs, tmp_path, request, word, engine):
    request.getfixturevalue(engine)
    frames = drawn.frames()
    digests = {
        one: potluck.run(
            drawn.plan(graphs["convolution"], scheme=one, training={"rounds": 1}),
            frames, out=tmp_path / one, ledger=tmp_path / "l",
        ).document["model"]["digest"]
        for one in ("clear", word)
    }  # fmt: skip
    assert len(set(digests.values())) == 1


def test_a_model_file_is_read_back_and_scores_alike(graphs, tmp_path):
    frames = drawn.frames(kind="classes")
    done = potluck.run(drawn.plan(graphs["classes"], "classes"), frames, out=tmp_path / "run", ledger=tmp_path / "l")
    model = Model.read(tmp_path / "run" / "model.json")
    assert model.digest() == done.document["model"]["digest"]
    assert done.document["metrics"]["federated"]["rows"] == sum(one.sum() for one in _held(frames, graphs))
    scores = model.scores(frames["a"])
    module = drawn.mlp(3).eval()
    with torch.no_grad():
        for name, one in module.named_parameters():
            one.copy_(torch.from_numpy(np.array(model.graph.network.tensors[name])))
        x = torch.tensor(frames["a"][["x", "z"]].to_numpy(), dtype=torch.float32)
        expected = torch.softmax(module(x).double(), 1).numpy()
    np.testing.assert_allclose(scores, expected, atol=1e-7)
    file = tmp_path / "run" / "model.graph"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UsageError, match="not the graph that the model file names"):
        Model.read(tmp_path / "run" / "model.json")


def _held(frames, graphs):
    spec = drawn.plan(graphs["classes"], "classes").spec
    return [read(frame, spec, name).test for name, frame in frames.items()]


def test_dropout_draws_by_the_plans_public_seed(graphs):
    def weights(name, **training):
        plan = drawn.plan(graphs[name], training={"rounds": 1, **training})
        return run(build(plan.spec), site_tables(plan, "binary")).model.graph.content

    torch.manual_seed(1)
    first = weights("drop")
    torch.manual_seed(2)
    assert weights("drop") == first
    assert weights("drop", seed=1) != first
    state = torch.get_rng_state()
    weights("drop")
    assert torch.equal(torch.get_rng_state(), state)  # the program's own draws are left as they were


def test_frozen_weights_do_not_move(graphs):
    plan = drawn.plan(graphs["binary"], model={"trainable": ["4.*", "1.weigh?"]})
    before = plan.spec.network
    after = run(build(plan.spec), site_tables(plan, "binary")).model.graph.network
    moved = {name for name, one in after.tensors.items() if (one != before.tensors[name]).any()}
    assert moved == {"4.weight", "4.bias", "1.weight"}
    block = next(build(plan.spec).lead()).blocks[0]
    assert block.size == 8 + 1 + 8


def test_a_plans_hash_pins_the_graph_and_not_its_path(graphs, tmp_path):
    first = drawn.plan(graphs["binary"])
    (tmp_path / "moved.graph").write_bytes(graphs["binary"].read_bytes())
    assert drawn.plan(tmp_path / "moved.graph").hash == first.hash
    others = [drawn.plan(graphs["drop"]), drawn.plan(graphs["binary"], model={"trainable": ["4.*"]})]
    assert len({first.hash, *(one.hash for one in others)}) == 3
    assert str(tmp_path).encode() not in canonical(first.spec)
    assert b"content" not in canonical(first.spec)
    assert digest(bare(first.spec)) == digest(first.spec)
    assert "content" not in first.values()


@pytest.mark.parametrize(
    ("name", "kind", "model", "training", "said"),
    [
        ("wide", "binary", {}, {}, r"takes float32 \[b, 5\], and the plan has 2 features"),
        ("classes", "binary", {}, {}, r"makes \[b, 3\], and the target has two sides"),
        ("binary", "classes", {}, {}, r"makes \[b, 1\], and the target has 3 classes"),
        ("binary", "binary", {"trainable": ["7.*"]}, {}, r'model.trainable: "7\.\*" matches no weight'),
        ("binary", "binary", {"trainable": []}, {}, "model.trainable: names nothing"),
        ("binary", "binary", {"layers": [3]}, {}, "stands instead of layers"),
        ("binary", "binary", {"kind": "logistic"}, {}, "a logistic model has no graph"),
        ("binary", "binary", {"digest": "sha256:" + 64 * "0"}, {}, "model.digest: is not that of model.graph"),
        ("binary", "binary", {}, {"method": "newton"}, "a network is not trained by newton"),
        ("binary", "binary", {}, {"range": 0.1}, "begins beyond training.range"),
        ("binary", "binary", {}, {"batch": 10**9}, "a batch of 1000000000 rows may take"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(graphs, name, kind, model, training, said):
    with pytest.raises(PlanError, match=said):
        drawn.plan(graphs[name], kind, model=model, training=training).require()


def test_a_graph_that_is_not_here_or_none_is_refused_by_name(graphs, tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        drawn.plan(tmp_path / "gone.graph")
    (tmp_path / "none.graph").write_bytes(b"\x80\x04K\x01.")
    with pytest.raises(GraphError, match="is no graph"):
        drawn.plan(tmp_path / "none.graph")
    layers = drawn.tables("x", model={"trainable": ["a"]})
    del layers["model"]["graph"]
    with pytest.raises(PlanError, match="names weights of a graph, and there is none"):
        potluck.Plan(**layers).require()


def test_a_graph_has_no_coefficients(graphs, tmp_path):
    done = potluck.run(drawn.plan(graphs["binary"]), drawn.frames(), out=tmp_path / "run", ledger=tmp_path / "l")
    with pytest.raises(UsageError, match="no coefficients"):
        done.model.summary()


def test_a_run_goes_on_from_an_earlier_runs_model(graphs, tmp_path):
    """Two rounds and then two more are four, where nothing is drawn anew: one batch a round, no shuffle that counts."""
    frames, whole = drawn.frames(), {"batch": 1000, "rate": 0.5}
    first = drawn.plan(graphs["number"], "number", training=whole)
    frames = drawn.frames(kind="number")
    done = potluck.run(first, frames, out=tmp_path / "first", ledger=tmp_path / "l")
    start = {"start": str(tmp_path / "first" / "model.json")}
    again = drawn.plan(graphs["number"], "number", model=start, training=whole)
    assert again.require() == first.require()
    assert again.hash != first.hash
    assert str(tmp_path).encode() not in canonical(again.spec)
    begun = next(build(again.spec).lead()).state
    assert bytes(begun) == done.model.graph.network.tensors["0.weight"].astype("<f8").tobytes() + bytes(begun)[8 * 16 :]
    later = potluck.run(again, frames, out=tmp_path / "later", ledger=tmp_path / "l").model
    four = potluck.run(
        drawn.plan(graphs["number"], "number", training=whole | {"rounds": 4}),
        frames, out=tmp_path / "four", ledger=tmp_path / "l",
    ).model  # fmt: skip
    for name, one in four.graph.network.tensors.items():
        np.testing.assert_allclose(later.graph.network.tensors[name], one, rtol=0, atol=1e-6)


def test_columns_that_a_pattern_matches_go_into_a_graph_and_on_from_a_model(graphs, tmp_path):
    """What a pattern stands for is known when files are read: only then is it compared."""
    by_name = potluck.run(drawn.plan(graphs["binary"]), drawn.frames(), out=tmp_path / "run", ledger=tmp_path / "l")
    spread = {"kind": "number", "low": -1, "high": 1}

    def patterned(graph, columns, **model):
        tables = drawn.tables(graph, model=model)
        tables["data"]["columns"] = columns | {"y": tables["data"]["columns"]["y"]}
        return potluck.Plan(**tables)

    def ran(plan, rows, name):
        return potluck.run(plan, rows, out=tmp_path / name, ledger=tmp_path / "l").model

    frames, named = drawn.frames(), {"x": "v1", "z": "v2"}
    renamed = {name: one.rename(columns=named) for name, one in frames.items()}
    first = ran(patterned(graphs["binary"], {"v*": spread}), renamed, "first")
    assert first.graph.content == by_name.model.graph.content
    start = str(tmp_path / "first" / "model.json")
    again = ran(patterned(graphs["binary"], {"v*": spread}, start=start), renamed, "again")
    straight = ran(patterned(graphs["binary"], {"v1": spread, "v2": spread}, start=start), renamed, "straight")
    assert again.graph.content == straight.graph.content != first.graph.content
    others = {name: one.rename(columns={"v1": "v0"}) for name, one in renamed.items()}
    with pytest.raises(PlanError, match=r"model\.start: was trained on other columns"):
        ran(patterned(graphs["binary"], {"v*": spread}, start=start), others, "others")
    with pytest.raises(PlanError, match=r"model\.graph: it takes float32 \[b, 5\], and the plan has 2 features"):
        ran(patterned(graphs["wide"], {"v*": spread}), renamed, "wide")


@pytest.mark.slow
def test_a_run_goes_on_from_a_model_of_another_protection(graphs, tmp_path):
    """A model file names none: the same two rounds more, whatever protected the first two, and these."""
    frames, found = drawn.frames(), set()
    for before, after in (("mask", "clear"), ("clear", "tee"), ("tee", "mask")):
        folder = tmp_path / f"{before}-{after}"
        potluck.run(drawn.plan(graphs["binary"], scheme=before), frames, out=folder, ledger=tmp_path / "l")
        plan = drawn.plan(graphs["binary"], scheme=after, model={"start": str(folder / "model.json")})
        found.add(potluck.run(plan, frames, out=folder / "on", ledger=tmp_path / "l").model.digest())
    assert len(found) == 1


def test_a_start_of_another_graph_or_other_columns_is_refused_by_name(graphs, tmp_path):
    potluck.run(drawn.plan(graphs["binary"]), drawn.frames(), out=tmp_path / "run", ledger=tmp_path / "l")
    start = {"start": str(tmp_path / "run" / "model.json")}
    assert drawn.plan(graphs["binary"], model=start).require() is not None  # the control
    with pytest.raises(PlanError, match=r"model.start: is of another graph than model\.graph\. hint"):
        drawn.plan(graphs["drop"], model=start)
    with pytest.raises(PlanError, match=r"another graph than model\.graph: 0\.weight is \[8, 2\] and \[8, 5\]"):
        drawn.plan(graphs["wide"], model=start)
    tables = drawn.tables(graphs["binary"], model=start)
    tables["data"]["columns"]["x"] = {"kind": "number", "low": -2, "high": 1}
    with pytest.raises(PlanError, match=r"model\.start: was trained on other columns"):
        potluck.Plan(**tables).require()
    tables = drawn.tables(graphs["binary"], model=start)
    tables["data"]["target"]["positive"] = ["0"]
    with pytest.raises(PlanError, match=r"model\.start: was trained to predict another target"):
        potluck.Plan(**tables).require()
    layers = drawn.tables("x", model=start)
    del layers["model"]["graph"]
    with pytest.raises(PlanError, match=r"model\.start: is a network of a graph"):
        potluck.Plan(**layers).require()
    with pytest.raises(UsageError, match="no such model file"):
        drawn.plan(graphs["binary"], model={"start": str(tmp_path / "gone.json")})


def test_a_summary_of_a_graph_says_what_it_is_made_of(graphs, tmp_path, capsys):
    done = potluck.run(drawn.plan(graphs["binary"]), drawn.frames(), out=tmp_path / "run", ledger=tmp_path / "l")
    found = summary(tmp_path / "run")
    assert found.document()["weights"] == done.model.graph.network.weights
    assert [one["name"] for one in found.document()["layers"]] == ["0", "1", "4"]


class Compared(torch.nn.Module):
    """A weight that only a comparison sees."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.level, self.line = torch.nn.Parameter(torch.ones(1)), torch.nn.Linear(2, 1)

    def forward(self, x):
        return torch.where((x.mean(1, keepdim=True) * self.level) > 0, self.line(x), 2 * self.line(x))


def test_a_weight_that_gets_no_gradient_is_told_where_it_alone_would_train(tmp_path):
    path = drawn.made(Compared(), tmp_path / "net.graph")
    (error,) = drawn.plan(path, model={"trainable": ["level"]}).problems()[0]
    assert error.startswith("model.trainable: no gradient comes to what it names")
    for names in (["*"], ["line.*"]):  # the control: beside others it stays as it is
        found = potluck.run(drawn.plan(path, model={"trainable": names}), drawn.frames()).model.graph.network.tensors
        assert found["level"].tolist() == [1.0]


def test_patterns_of_what_trains_are_few_and_names_as_many_as_there_are(graphs, monkeypatch):
    few = drawn.plan(graphs["binary"], model={"trainable": [f"*{i}*" for i in range(MOST_PATTERNS + 1)]})
    monkeypatch.setattr(chosen, "fnmatchcase", None)  # nothing is compared
    (error,) = few.problems()[0]
    monkeypatch.undo()
    assert error.startswith("model.trainable: has 33 patterns, 32 are the most")
    names = [one.name for one in drawn.plan(graphs["binary"]).spec.network.graph.weights]
    named = drawn.plan(graphs["binary"], model={"trainable": names}).spec
    assert trained_of(named) == trained_of(drawn.plan(graphs["binary"]).spec)


def test_rows_are_scored_within_what_the_policy_was_asked_for(tmp_path):
    wide = torch.nn.Sequential(torch.nn.Linear(2, 50_000), torch.nn.Linear(50_000, 1))
    plan = drawn.plan(drawn.made(wide, tmp_path / "net.graph"), training={"batch": 2}).spec
    whole = built(plan, np.zeros(form_of(plan, goal_of(plan), 2).size)).graph
    assert whole.most == max(needed(plan), LEAST_ROOM)
    rows = rows_at_once(whole.network, whole.most)
    assert 2 <= rows < rows_at_once(whole.network, GraphModel(whole.network).most)
    assert memory(whole.network.checked, rows) <= whole.most
    assert whole.margins(np.zeros((rows + 3, 2))).shape == (rows + 3, 1)


def test_what_a_graph_without_noise_can_give_away_is_said_before_anybody_agrees(graphs):
    plan = drawn.plan(graphs["binary"], scheme="mask")
    said = "a graph can be made so that a sum tells of a single row"
    assert any(said in line for line in potluck.check(plan).warnings)
    assert said in task_of(plan.spec).exact(plan.spec)
    layers = potluck.Plan(**{**drawn.tables("", scheme="mask"), "model": {"kind": "network"}})
    assert not any(said in line for line in potluck.check(layers).warnings)
    assert said not in task_of(layers.spec).exact(layers.spec)
