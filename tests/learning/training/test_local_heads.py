"""Weights of a graph that stay at each site, against torch's own autograd, and what of them leaves a site: nothing."""

from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch
from torch.nn import functional

import potluck
from potluck.api.results.outcome import summary
from potluck.core.plan import required
from potluck.core.stages import Clip
from potluck.dp.mechanism import Opened, guarded, mechanism
from potluck.learning.check import check
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.models.graph_model import vector
from potluck.learning.models.graphs import held_of, trained_of
from potluck.learning.models.model import Model
from potluck.learning.training.local import words
from potluck.learning.training.trained import own_of
from potluck.tasks.sums import halves
from potluck.testing.draws import seeded
from support.dp.tape import Tape
from support.graph import trained as drawn
from support.learning.batches import batches
from support.learning.sums import answer, run

pytestmark = pytest.mark.torch
HEAD = ("4.weight", "4.bias")
HOW = {"steps": 7, "batch": 16, "rounds": 3}


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return drawn.made(drawn.mlp(), tmp_path_factory.mktemp("graph") / "net.graph")


def planned(graph, heads=("4.*",), word="clear", **training):
    return drawn.plan(graph, scheme=word, model={"local": [*heads]}, training={**HOW, **training})


def tables_of(plan):
    return {name: read(frame, plan.spec, name) for name, frame in drawn.frames().items()}


def by_torch(plan, tables, held, mu=0.0, corrected=False):
    """Rounds of the same module: (common weights, by site the whole module's after its last steps)."""
    spec, module = plan.spec, drawn.mlp()
    how = required(spec.training)
    names = [name for name, _ in module.named_parameters()]
    common = {name: one.detach().double() for name, one in module.named_parameters()}
    own = {site: dict(common) for site in tables}
    shared = [name for name in names if name not in held]
    c = {name: torch.zeros_like(common[name]) for name in shared}
    mine = {site: dict(c) for site in tables}
    for step in range(how.rounds):
        change, turned, total = (dict.fromkeys(shared, 0) for _ in range(2)), None, 0
        moved, turned = change
        for site, table in tables.items():
            x = torch.tensor(table.features[~table.test], dtype=torch.float32)
            y = torch.tensor(table.target[~table.test], dtype=torch.float32)
            with torch.no_grad():
                for name, one in module.named_parameters():
                    one.copy_(own[site][name] if name in held else common[name])
            for some in batches(how, step, len(y)):
                loss = functional.binary_cross_entropy_with_logits(module(x[some])[:, 0], y[some])
                pull = 0.01 / (len(y) * len(tables)) / 2
                loss = loss + sum(pull * one.pow(2).sum() for one in module.parameters() if one.dim() > 1)
                for name, one in module.named_parameters():
                    if name in shared:
                        loss = loss + mu / 2 * (one - common[name].float()).pow(2).sum()
                module.zero_grad()
                loss.backward()
                with torch.no_grad():
                    for name, one in module.named_parameters():
                        down = one.grad
                        if corrected and name in shared:
                            down = down + (c[name] - mine[site][name]).float()
                        one -= how.rate * down
            own[site] = {name: one.detach().double() for name, one in module.named_parameters()}
            total += len(y)
            for name in shared:
                slope = (common[name] - own[site][name]) / (how.steps * how.rate)
                after = mine[site][name] - c[name] + slope
                moved[name] = moved[name] + len(y) * (own[site][name] - common[name])
                turned[name] = turned[name] + len(y) * (after - mine[site][name])
                mine[site] = {**mine[site], name: after}
        common = {**common, **{name: common[name] + moved[name] / total for name in shared}}
        c = {name: c[name] + turned[name] / total for name in shared}
    return common, own


@pytest.mark.parametrize(
    ("heads", "how"),
    [
        (("4.*",), {}),
        (HEAD, {"local": "prox", "mu": 1.5}),
        (("4.*",), {"local": "scaffold"}),
        ((), {"local": "scaffold"}),
    ],
    ids=["plain", "prox", "scaffold", "no heads"],
)
def test_sites_train_as_torch_trains_their_modules(graph, heads, how):
    plan = planned(graph, heads, **how)
    tables = tables_of(plan)
    found = run(build(plan.spec), tables).model.graph.network.tensors
    held = HEAD if heads else ()
    common, own = by_torch(plan, tables, held, how.get("mu", 0.0), how.get("local") == "scaffold")
    for name, one in common.items():
        np.testing.assert_allclose(found[name], one.numpy(), rtol=0, atol=5e-6)
    for site, table in tables.items():
        mine = own_of(plan.spec, table)
        assert (mine is None) == (not heads)
        for name, one in own[site].items() if heads else ():
            np.testing.assert_allclose(mine.model.graph.network.tensors[name], one.numpy(), rtol=0, atol=5e-6)


def test_a_head_begins_where_it_ended_and_is_no_part_of_the_sum(graph):
    plan = planned(graph)
    tables, task = tables_of(plan), build(plan.spec)
    sizes = [sum(np.prod(one.shape) for one in of(plan.spec)) for of in (trained_of, held_of)]
    assert sizes == [8 * 2 + 8 + 8 + 8, 8 + 1]
    first = next(task.lead())
    assert {block.name: block.size for block in first.blocks} == {"delta": sizes[0], "rows": 2}
    assert len(first.state) == 8 * sizes[0]
    run(task, tables)
    began = {name: one.copy() for name, one in plan.spec.network.tensors.items()}
    heads = {}
    for site, table in tables.items():
        heads[site] = own_of(plan.spec, table).model.graph.network.tensors["4.weight"]
        assert np.abs(heads[site] - began["4.weight"]).max() > 0.01
    assert len({one.tobytes() for one in heads.values()}) == len(heads)


def test_the_common_model_has_its_heads_as_they_began_and_no_metrics(graph, tmp_path):
    plan = planned(graph)
    done = potluck.run(plan, drawn.frames(), out=tmp_path / "run", ledger=tmp_path / "l", compare=True)
    found = Model.read(tmp_path / "run" / "model.json").graph.network.tensors
    began = plan.spec.network.tensors
    for name in began:
        assert np.array_equal(found[name], began[name]) == (name in HEAD)
    assert done.document["metrics"]["federated"]["auc"] is None
    said = summary(tmp_path / "run").document()["notes"]
    assert said == ["weights that stay at each site (4.*) are here as they began: each owner's model has its own"]
    (tmp_path / "run" / "summary.json").rename(tmp_path / "away.json")
    assert summary(tmp_path / "run").document()["notes"] == []
    assert any(line.startswith("model.local: the model that the coordinator has") for line in done.document["warnings"])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"local": ["5.*"]}, 'model.local: "5.*" matches nothing that trains'),
        ({"local": ["4.bias"], "model": {"trainable": ["0.*"]}}, 'model.local: "4.bias" matches nothing that trains'),
        ({"local": ["*"]}, "model.local: names all that trains"),
        ({"local": [f"{number}*" for number in range(40)]}, "model.local: has 40 patterns"),
        ({"training": {"local": "ditto"}}, "model.local: ditto trains a whole model"),
        ({"training": {"aggregation": "median"}}, "model.local: weights that stay at a site go with the mean alone"),
        ({"training": {"stop": {"metric": "loss"}}}, "model.local: validation rows are looked at"),
        ({"graph": None}, "model.local: names weights of a graph"),
    ],
)
def test_what_they_do_not_go_with_is_refused(graph, keys, said):
    given = drawn.tables(graph, model={"local": ["4.*"]}, training={**HOW, **keys.get("training", {})})
    given["model"] |= {"local": keys.get("local", ["4.*"]), **keys.get("model", {})}
    if "graph" in keys:
        del given["model"]["graph"]
    if "stop" in keys.get("training", {}):
        given["data"]["split"] = {"test": 0.25, "validation": 0.2}
    assert any(line.startswith(said) for line in check(potluck.Plan(**given).spec)[0])


def hiding(graph, heads=("4.*",), **privacy):
    given = drawn.tables(graph, model={"local": [*heads]}, training=HOW)
    given["privacy"] = {"noise": "site", "epsilon": 8.0, "delta": 1e-5, "clip": 1e3} | privacy
    if privacy["unit"] == "row":
        given["training"] = {"method": "average", "rounds": 2, "steps": 3, "rate": 0.2, "expected_rows": 135}
    return potluck.Plan(**given)


def along_noise(plan, tables, noise, heads):
    """Rounds of the same module, by each row's own gradient over all weights: (common weights, each site's)."""
    spec, module = plan.spec, drawn.mlp()
    how, weights = required(spec.training), list(module.parameters())
    begun = torch.nn.utils.parameters_to_vector(weights).detach().double()
    stay = torch.cat([torch.full((one.numel(),), name in heads) for name, one in module.named_parameters()])
    pulled = torch.cat([torch.full((one.numel(),), one.dim() > 1) for one in weights]) * 0.01 / how.expected_rows
    common, own, at = begun[~stay], dict.fromkeys(tables, begun[stay]), iter(noise)
    for _ in range(how.rounds):
        moved = 0
        for site, table in tables.items():
            here = begun.clone()
            here[~stay], here[stay] = common, own[site]
            for _ in range(how.steps):
                torch.nn.utils.vector_to_parameters(here.float(), weights)
                total = torch.from_numpy(next(at))
                for x, y in zip(table.features[table.train], table.target[table.train], strict=True):
                    out = module(torch.tensor(x, dtype=torch.float32)[None])[0, 0]
                    lost = functional.binary_cross_entropy_with_logits(out, torch.tensor(float(y)))
                    row = torch.cat([one.reshape(-1) for one in torch.autograd.grad(lost, weights)]).double()
                    total = total + row * min(1.0, spec.privacy.clip / float(row.norm()))
                here = here - how.rate * (total * len(tables) / how.expected_rows + pulled * here)
            moved, own[site] = moved + here[~stay] - common, here[stay]
        common = common + moved / len(tables)
    return common, own


@pytest.mark.parametrize("loud", [pytest.param(0, marks=pytest.mark.slow), 1], ids=["silent", "loud"])
def test_where_rows_are_hidden_heads_move_along_sums_with_all_noise_inside_and_stay(graph, loud, monkeypatch):
    """Fails where a head's gradient has no noise or a clip of its own, or where a head leaves or begins anew."""
    plan = hiding(graph, unit="row", clip=0.4)
    plan.require()
    tape, tables, task = Tape(monkeypatch, loud / 40), tables_of(plan), build(plan.spec)
    lead = task.lead()
    ask, fitted = next(lead), None
    while fitted is None:
        privacy = mechanism(plan.spec, ask)
        words = [guarded(privacy, task.contribute(ask, one, seeded("w")), seeded("w")).words for one in tables.values()]
        assert len(words[0]) == 40 == len(tape.noise[0]) - 9  # the head is in every sum, and does not leave
        settled = privacy.at_reveal(Opened(sum(words), frozenset(plan.spec.sites)), seeded("s"))
        try:
            ask = lead.send(halves.Answer(halves.reveal(settled, privacy.grid), privacy.grid))
        except StopIteration as stop:
            fitted = stop.value.model
    step = privacy.each.grid.parts[0].step
    common, own = along_noise(plan, tables, [one * step for one in tape.noise], HEAD)
    found = fitted.graph.network
    np.testing.assert_allclose(vector(found, trained_of(plan.spec)), common, rtol=0, atol=2e-4)
    for site, table in tables.items():
        mine = own_of(plan.spec, table).model.graph.network
        np.testing.assert_allclose(vector(mine, held_of(plan.spec)), own[site], rtol=0, atol=2e-4)
        assert np.abs(own[site].numpy() - vector(plan.spec.network, held_of(plan.spec))).max() > 0.01


def test_heads_of_hidden_rows_cost_the_sums_of_their_steps_and_nothing_more(graph):
    plan, without = (hiding(graph, heads, unit="row") for heads in (("4.*",), ()))
    asks = [next(build(one.spec).lead()) for one in (plan, without)]
    inside = [mechanism(one.spec, ask).each for one, ask in zip((plan, without), asks, strict=True)]
    assert inside[0].grid.parts[0].size == inside[1].grid.parts[0].size == 49
    assert inside[0].sigma == inside[1].sigma
    errors, warnings = check(plan.spec)
    assert not errors
    assert not any("no noise" in line for line in warnings)
    assert any("within what the run costs" in line for line in words(plan.spec))
    assert not any("no noise" in line for line in words(plan.spec))


def test_of_a_hidden_site_heads_stay_and_its_change_is_clipped_whatever_they_are(graph):
    """The change that leaves is that of the run without noise, in which it counts with the site's rows; and no more."""
    noisy, plain = hiding(graph, unit="site"), planned(graph)
    noisy.require()
    ask, other = (next(build(one.spec).lead()) for one in (noisy, plain))
    for name, table in tables_of(noisy).items():
        (found,) = build(noisy.spec).contribute(ask, table, seeded(name))
        (exact,) = build(plain.spec).contribute(other, tables_of(plain)[name], seeded(name))
        size = ask.blocks[0].size
        assert found.values.shape == (1, size)
        np.testing.assert_allclose(found.values[0], exact.values[0, :size] / table.train.sum(), atol=1e-12)
        short = mechanism(noisy.spec, ask)
        assert np.linalg.norm(replace(short, limit=Clip((1e-3,))).clip(found).values) <= 1e-3
        assert own_of(noisy.spec, table) is not None


def test_a_retried_round_begins_from_the_heads_that_belong_to_it(graph):
    plan = planned(graph)
    once, again = tables_of(plan), tables_of(plan)
    clean = run(build(plan.spec), once).model.digest()
    task = build(plan.spec)
    lead = task.lead()
    ask = next(lead)
    try:
        while True:
            answer(ask, task, again)  # it came to nothing
            ask = lead.send(answer(ask, task, again))
    except StopIteration as stop:
        assert stop.value.model.digest() == clean
    for site, table in again.items():
        assert own_of(plan.spec, table).model.digest() == own_of(plan.spec, once[site]).model.digest()
