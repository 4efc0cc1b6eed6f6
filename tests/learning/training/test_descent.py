"""Networks by `gradient`: the opened sum is the gradient on the pooled rows, steps are those of torch's optimizers, and
every protection gives the same bytes."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from torch import nn
from torch.nn import functional

import potluck
from potluck.core.asks import Kind
from potluck.core.errors import DataError, PlanError
from potluck.core.rounds import Abort, Cause
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.models import forms, graphs
from potluck.learning.models.model import Model
from potluck.learning.training import rates
from potluck.learning.views import opened
from potluck.secret.random import system
from potluck.tasks.tie import by_order
from support.graph import trained as drawn
from support.learning.sums import gridded, run

pytestmark = pytest.mark.torch


def picture():
    """A small CNN with a GroupNorm, of two features as a picture."""
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Unflatten(1, (1, 1, 2)), nn.Conv2d(1, 4, (1, 3), padding=(0, 1)), nn.GroupNorm(2, 4), nn.ReLU(),
        nn.Flatten(), nn.Linear(8, 1),
    )  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    modules = {
        "binary": drawn.mlp(), "number": drawn.mlp(), "classes": drawn.mlp(3), "drop": drawn.mlp(drop=0.5),
        "picture": picture(),
    }  # fmt: skip
    return {name: drawn.made(module, folder / f"{name}.graph") for name, module in modules.items()}


def plan(files, name, kind="binary", scheme="clear", model=None, data=None, **training):
    keys = {"method": "gradient", "rounds": 3, "rate": 0.2, **training}
    made = drawn.tables(files[name] if name else "x", kind, scheme, model, keys)
    made["training"] = keys
    made["data"] |= data or {}
    if not name:
        made["model"] = {"kind": "network", "layers": [4], "l2": 0.01}
    return potluck.Plan(**made)


def tables_of(plan, kind="binary", rows=60):
    return {name: read(frame, plan.spec, name) for name, frame in drawn.frames(rows, kind).items()}


def pooled(tables):
    x = np.concatenate([one.features[one.train] for one in tables.values()])
    y = np.concatenate([one.target[one.train] for one in tables.values()])
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def total_loss(kind, out, y):
    if kind == "binary":
        return functional.binary_cross_entropy_with_logits(out[:, 0], y, reduction="sum")
    if kind == "classes":
        return functional.cross_entropy(out, y.long(), reduction="sum")
    return functional.mse_loss(out[:, 0], y, reduction="sum") / 2


@pytest.mark.parametrize("kind", ["binary", "classes", "number"])
def test_the_opened_sum_is_torchs_gradient_on_the_pooled_rows(files, kind):
    one = plan(files, kind, kind)
    tables, task = tables_of(one, kind), build(one.spec)
    ask = next(task.lead())
    found = gridded(ask, task, tables)
    step = found.grid.parts[0].step
    x, y = pooled(tables)
    module = drawn.mlp(drawn.TARGETS[kind][2])
    total_loss(kind, module(x), y).backward()
    wanted = torch.cat([part.grad.reshape(-1) for part in module.parameters()]).double().numpy()
    np.testing.assert_allclose(found.part("gradient").values, wanted, rtol=0, atol=3 * step + 1e-5)
    assert np.abs(wanted).max() > 1
    assert found.part("rows").values.sum() == len(y)


@pytest.mark.parametrize(
    ("word", "make"),
    [
        ("sgd", lambda held: torch.optim.SGD(held, lr=0.05)),
        ("momentum", lambda held: torch.optim.SGD(held, lr=0.05, momentum=0.9)),
        ("adam", lambda held: torch.optim.Adam(held, lr=0.05)),
    ],
)
def test_steps_are_those_of_torchs_optimizer_on_the_pooled_rows(files, word, make):
    one = plan(files, "binary", optimizer=word, rate=0.05, rounds=12)
    tables = tables_of(one)
    network = run(build(one.spec), tables, grid=True).model.graph.network
    module, (x, y) = drawn.mlp(), pooled(tables)
    steps = make(module.parameters())
    for _ in range(12):
        steps.zero_grad()
        pull = sum(part.pow(2).sum() for part in module.parameters() if part.dim() > 1)
        ((total_loss("binary", module(x), y) + 0.01 / 2 * pull) / len(y)).backward()
        steps.step()
    for name, part in module.named_parameters():
        np.testing.assert_allclose(network.tensors[name], part.detach().numpy(), rtol=0, atol=2e-5)


@pytest.mark.parametrize("expected", [None, 100])
def test_rows_of_one_class_are_refused_by_name_whatever_is_expected(expected):
    one = plan(None, "", **({"expected_rows": expected} if expected else {}))
    tables = {name: replace(table, target=np.ones(table.rows)) for name, table in tables_of(one).items()}
    with pytest.raises(DataError, match="has one class"):
        run(build(one.spec), tables, grid=True)


def test_layers_are_trained_alike():
    one = plan(None, "", rounds=4, optimizer="adam", rate=0.1)
    tables = tables_of(one)
    found = run(build(one.spec), tables, grid=True).model.weights
    form = forms.form_of(one.spec, build(one.spec)._method.goal, 2)
    (x, y), held = pooled(tables), []
    x, y = x.double(), y.double()
    x = torch.tensor(np.concatenate([table.features[table.train] for table in tables.values()]))
    start = form.initial()
    for at, shape in ((0, (2, 4)), (8, (4,)), (12, (4, 1)), (16, (1,))):
        held.append(torch.tensor(start[at : at + int(np.prod(shape))].reshape(shape), requires_grad=True))
    steps = torch.optim.Adam(held, lr=0.1)
    for _ in range(4):
        steps.zero_grad()
        out = torch.relu(x @ held[0] + held[1]) @ held[2] + held[3]
        pull = held[0].pow(2).sum() + held[2].pow(2).sum()
        ((total_loss("binary", out, y) + 0.01 / 2 * pull) / len(y)).backward()
        steps.step()
    wanted = torch.cat([part.detach().reshape(-1) for part in held]).numpy()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-7)
    assert np.abs(found - start).max() > 0.1


@pytest.mark.slow
def test_every_protection_gives_the_same_bytes(files, tmp_path):
    """Of a CNN in batches, looked at and ended early; `he` and `share` in the slow test."""
    digests = {word: digest_of(files, word, tmp_path) for word in ("clear", "mask", "tee")}
    assert len(set(digests.values())) == 1


def digest_of(files, word, tmp_path, **keys):
    training = {
        "optimizer": "adam",
        "rate": 0.05,
        "warmup": 1,
        "schedule": "cosine",
        "expected_rows": 240,
        "batch": 120,
    }
    looks = {"evaluate_every": 2, "stop": {"metric": "loss", "patience": 1}}
    split = {"split": {"test": 0.1, "validation": 0.1}}
    one = plan(files, "picture", scheme=word, data=split, **training | looks | keys)
    done = potluck.run(one, drawn.frames(rows=100), out=tmp_path / word, ledger=tmp_path / "l")
    assert len(done.document["history"]) >= 1
    assert Model.read(tmp_path / word / "model.json").digest() == done.document["model"]["digest"]
    return done.document["model"]["digest"]


@pytest.mark.slow
@pytest.mark.parametrize(("word", "engine"), [("he", "he_engine"), ("share", "mpc_engine")])
def test_protections_with_engines_give_the_same_bytes_too(files, tmp_path, request, word, engine):
    request.getfixturevalue(engine)
    assert digest_of(files, word, tmp_path, rounds=2) == digest_of(files, "clear", tmp_path, rounds=2)


def test_a_run_that_is_replayed_from_its_opened_sums_gives_the_same_bytes(files):
    """Whatever the round: so it is after a crash, with an optimizer's state and batches drawn anew."""
    one = plan(files, "drop", optimizer="yogi", rounds=4, batch=120, expected_rows=240, iterates="averaged")
    tables, task = tables_of(one, rows=100), build(one.spec)
    lead, answers, asked = task.lead(), [], []
    ask = next(lead)
    try:
        while True:
            asked.append(bytes(ask.state))
            answers.append(gridded(ask, task, tables))
            ask = lead.send(answers[-1])
    except StopIteration as stop:
        whole = stop.value.model.digest()
    assert len(set(asked)) == len(asked) == 5
    for killed in range(1, 5):
        again, state = build(one.spec).lead(), []
        ask = next(again)
        for known in answers[:killed]:
            state.append(bytes(ask.state))
            ask = again.send(known)
        try:
            while True:
                state.append(bytes(ask.state))
                ask = again.send(gridded(ask, build(one.spec), tables))
        except StopIteration as stop:
            assert stop.value.model.digest() == whole
        assert state == asked


def test_a_run_goes_on_from_an_earlier_runs_model(files, tmp_path):
    first = plan(files, "number", "number", rounds=2)
    done = potluck.run(first, drawn.frames(kind="number"), out=tmp_path / "first", ledger=tmp_path / "l")
    start = {"start": str(tmp_path / "first" / "model.json")}
    again = plan(files, "number", "number", model=start, rounds=2)
    begun = np.concatenate([one.reshape(-1) for one in done.model.graph.network.tensors.values()])
    assert (np.frombuffer(next(build(again.spec).lead()).state) == begun).all()
    later = run(build(again.spec), tables_of(again, "number"), grid=True).model.graph.network.tensors
    four = plan(files, "number", "number", rounds=4)
    whole = run(build(four.spec), tables_of(four, "number"), grid=True).model.graph.network.tensors
    for name, one in whole.items():
        np.testing.assert_allclose(later[name], one, rtol=0, atol=1e-6)


def test_frozen_weights_are_in_no_sum(files):
    one = plan(files, "binary", model={"trainable": ["4.*"]})
    assert next(build(one.spec).lead()).blocks[0].size == 8 + 1
    after = run(build(one.spec), tables_of(one)).model.graph.network
    moved = {name for name, part in after.tensors.items() if (part != one.spec.network.tensors[name]).any()}
    assert moved == {"4.weight", "4.bias"}


def test_a_site_stops_where_its_sum_is_beyond_the_range(files):
    one = plan(files, "binary", range=1e-3)
    tables, task = tables_of(one), build(one.spec)
    ask = next(task.lead())
    with pytest.raises(Abort, match="a summed gradient is beyond") as found:
        [*task.contribute(ask, tables["a"], system)]
    assert found.value.cause is Cause.RANGE
    assert ask.blocks[0].high == 1e-3 * 100
    assert ask.blocks[0].units == 3


def test_a_site_goes_through_rows_in_parts_that_fit_its_memory(files, tmp_path, monkeypatch):
    wide = drawn.made(nn.Sequential(nn.Linear(2, 100_000), nn.Linear(100_000, 1)), tmp_path / "wide.graph")
    one = plan({"wide": wide}, "wide").spec
    assert graphs.at_once(one.network) == graphs.FEWEST_AT_ONCE == graphs.rows_held(one)
    small = plan(files, "binary").spec
    assert graphs.at_once(small.network) == 1024
    assert graphs.needed(small) <= graphs.LEAST_ROOM
    tables, task = tables_of(plan(files, "binary")), build(small)
    ask = next(task.lead())
    seen = []
    plain = forms.GraphForm._made
    monkeypatch.setattr(
        forms.GraphForm,
        "_made",
        lambda self, held, batch, x, y: seen.append(len(batch.rows)) or plain(self, held, batch, x, y),
    )
    monkeypatch.setattr(graphs, "at_once", lambda network: 16)
    whole = [next(iter(build(small).contribute(ask, tables["a"], system))).values for _ in range(2)]
    assert (whole[0] == whole[1]).all()
    rows = int(tables["a"].train.sum())
    assert seen == 2 * [*(rows // 16 * [16]), *([rows % 16] if rows % 16 else [])]
    at_a_time = next(iter(task.contribute(ask, tables["a"], system))).values
    np.testing.assert_allclose(whole[0], at_a_time, rtol=1e-4, atol=1e-4)


def test_what_a_batch_is_over_follows_from_the_rows_alone(files):
    one = plan(files, "number", "number", batch=120, expected_rows=240).spec
    tables = tables_of(plan(files, "number", "number"), "number", 100)
    ask = next(build(one).lead())
    assert ask.kind is Kind.TRAIN
    found = next(iter(build(one).contribute(ask, tables["a"], system))).values[0]
    assert found[-1] == tables["a"].train.sum()  # the count says nothing of which rows were drawn
    everything = next(iter(build(plan(files, "number", "number").spec).contribute(ask, tables["a"], system))).values[0]
    assert (found[:-1] != everything[:-1]).any()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"batch": 10}, "training.expected_rows: rows are drawn with the chance"),
        ({"batch": 10, "expected_rows": 9}, r"training.batch: 10 is more than training.expected_rows \(9\)"),
    ],
)
def test_a_batch_that_is_no_share_of_all_rows_is_refused_by_name(files, keys, said):
    with pytest.raises(PlanError, match=said):
        plan(files, "binary", **keys).require()


def test_nothing_is_recommended_and_defaults_are_small_steps(files):
    made = {word: plan(files, "binary", optimizer=word).spec for word in ("sgd", "adam")}
    assert rates.advice(made["sgd"]) is rates.advice(made["adam"]) is None
    assert [rates.usual_rate(one) for one in made.values()] == [0.1, 0.01]


def test_owners_are_told_what_gradients_of_few_rows_give_away(files):
    one = plan(files, "binary", batch=10, expected_rows=100).spec
    assert "of training rows that a public seed draws" in opened(one)
    assert "a network's gradient of few rows can give the rows themselves away" in opened(one)
    assert by_order(one)
