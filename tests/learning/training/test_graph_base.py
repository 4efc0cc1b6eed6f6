"""Frozen weights that each site holds: a graph rests on a base by its hash, which is never sent."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

from torch import nn

import potluck
from potluck.core.errors import GraphError, PlanError, Refused, UsageError
from potluck.learning.models.model import Model
from potluck.parties.admission import graphs
from support.graph import trained as drawn
from support.graph.resting import rest
from support.parties import across, scene
from support.parties.across import Across, quick

pytestmark = pytest.mark.torch


def adapted():
    """A frozen body, and a low-rank adapter beside it that trains."""
    module = drawn.mlp()
    for one in module.parameters():
        one.requires_grad_(False)
    return _Adapted(module)


class _Adapted(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body, self.down, self.up = body, nn.Linear(2, 2, bias=False), nn.Linear(2, 1)
        nn.init.zeros_(self.up.weight)

    def forward(self, features):
        return self.body(features) + self.up(self.down(features))


@pytest.fixture(scope="module")
def resting(tmp_path_factory):
    """A folder with the graph, its base in models/, and the base's hash."""
    return rest(adapted(), 2, tmp_path_factory.mktemp("resting"))


def planned(folder, base, monkeypatch, **model):
    monkeypatch.chdir(folder)
    return drawn.plan("net.graph", model={"base": base, **model})


def test_a_graph_trains_on_a_base_that_lies_beside_the_plan(resting, tmp_path, monkeypatch):
    folder, base = resting
    plan = planned(folder, base, monkeypatch)
    done = potluck.run(plan, drawn.frames(), out=tmp_path / "run", ledger=tmp_path / "l")
    held = (tmp_path / "run" / "model.graph").read_bytes()
    whole = drawn.made(adapted(), tmp_path / "whole.graph")  # the same network with all of its weights in the file
    other = potluck.run(drawn.plan(whole), drawn.frames(), out=tmp_path / "whole", ledger=tmp_path / "l")
    for name in ("down.weight", "up.weight", "up.bias"):
        np.testing.assert_array_equal(done.model.graph.network.tensors[name], other.model.graph.network.tensors[name])
    body = done.model.graph.network.tensors["body.0.weight"].tobytes()
    assert body not in held
    assert body in (tmp_path / "whole" / "model.graph").read_bytes()  # the control
    model = Model.read(tmp_path / "run" / "model.json")
    frame = drawn.frames()["a"]
    np.testing.assert_array_equal(model.scores(frame), other.model.scores(frame))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphError, match="weights of its base are missing"):
        Model.read(tmp_path / "run" / "model.json").scores(frame)


@pytest.mark.parametrize(
    ("base", "said"),
    [(None, r"model\.base: the graph's is sha256:"), ("sha256:" + 64 * "0", r"model\.base: the graph's is sha256:")],
)
def test_a_plan_that_names_no_base_or_another_is_refused(resting, monkeypatch, base, said):
    monkeypatch.chdir(resting[0])
    with pytest.raises(PlanError, match=said):
        drawn.plan("net.graph", model={} if base is None else {"base": base}).require()


def test_a_base_that_is_not_here_or_was_changed_is_told_by_its_hash(resting, tmp_path, monkeypatch):
    folder, base = resting
    (tmp_path / "net.graph").write_bytes((folder / "net.graph").read_bytes())
    (tmp_path / "models").mkdir()
    body = bytearray((folder / "models" / "body.safetensors").read_bytes())
    body[-1] ^= 1
    (tmp_path / "models" / f"{base.removeprefix('sha256:')}.safetensors").write_bytes(body)
    plan = planned(tmp_path, base, monkeypatch)
    plan.require()  # a coordinator need not have it
    verdict = potluck.check(plan)
    assert verdict.ok
    assert any(f"model.base: {base} is not here" in line for line in verdict.warnings)
    with pytest.raises(UsageError, match=rf"{base}: model\.base: its frozen weights are not here"):
        potluck.run(plan, drawn.frames())
    noised = {"noise": "site", "unit": "site", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0, "evaluation": 1.0}
    with pytest.raises(PlanError, match=r"model\.base: with noise the bins of scores"):
        drawn.plan("net.graph", model={"base": base}, privacy=noised).require()


@pytest.mark.slow
def test_sites_find_the_base_in_their_own_folder_and_one_that_lacks_it_is_named(resting, tmp_path, monkeypatch):
    folder, base = resting
    monkeypatch.chdir(folder)
    fed = Across(across.found(tmp_path / "f"))
    tables = dict(scene.plan(word="mask").tables)
    tables["model"] = {"kind": "network", "graph": "net.graph", "base": base}
    tables["training"] = {"method": "average", "rounds": 1}
    plan = potluck.Plan(**tables)
    for name in "abcd":
        policy = fed.folder / name / "policy.toml"
        policy.write_text(f'{policy.read_text()}\n[models]\nfolder = "weights"\n')
        (fed.folder / name / "weights").mkdir()
        if name != "a":
            (fed.folder / name / "weights" / "any.safetensors").symlink_to(folder / "models" / "body.safetensors")
    with fed.attending("a"), pytest.raises(Refused, match=r"a refuses this plan \(base\)"):
        across.until(fed, quick(plan), "denied")
    assert any(base in line and "models.folder" in line for line in fed.heard["a"])
    (fed.folder / "a" / "weights" / "any.safetensors").symlink_to(folder / "models" / "body.safetensors")
    with fed.attending(*"abcd"):
        outcome, _ = fed.run(quick(plan))
    assert outcome.model.digest() == scene.Scene(plan).run().model.digest()
    (path,) = (fed.folder / "a" / graphs.FOLDER).glob("*.graph")
    assert path.read_bytes() == (folder / "net.graph").read_bytes()  # what travelled holds no frozen weight
