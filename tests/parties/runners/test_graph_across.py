"""Plans that name a graph, across machines: the server sends it to who lacks it, and one that was sent stays."""

import time
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

from click.testing import CliRunner

import potluck
from potluck.api.network import inbox, sessions
from potluck.api.network.preview import preview
from potluck.cli.site import inbox as cli
from potluck.core.errors import Refused
from potluck.core.plan import digest
from potluck.drivers.sums import Sums
from potluck.learning.graph.op import OPS
from potluck.learning.loops import build
from potluck.members.home import CoordinatorHome
from potluck.parties.admission import graphs
from support.graph import trained as drawn
from support.hostile.proposals import by_person
from support.parties import across, scene
from support.parties.across import quick

pytestmark = pytest.mark.torch
RUN = "ab" * 16


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return drawn.made(drawn.mlp(drop=0.2), tmp_path_factory.mktemp("graph") / "net.graph")


STEPS = {"method": "gradient", "rounds": 2, "optimizer": "adam"}


def planned(graph, word="mask", training=None, **model):
    """The plan of `scene`, with a graph."""
    tables = dict(scene.plan(word=word).tables)
    tables["model"] = {"kind": "network", "graph": str(graph), "l2": 0.1, **model}
    tables["training"] = training or {"method": "average", "rounds": 2, "rate": 0.1}
    return potluck.Plan(**tables)


def kept(fed, name="a"):
    return sorted((fed.folder / name / graphs.FOLDER).glob("*.graph"))


def answers(fed):
    return [text for event, text in fed.said if event == "answer"]


def test_the_model_is_that_of_one_process_and_each_site_was_sent_the_graph_once(fed, graph):
    plan = planned(graph)
    with fed.attending(*"abcd"):
        outcome, log = fed.run(quick(plan))
    assert outcome.model.digest() == scene.Scene(plan).run().model.digest()
    assert [one.number for one in log.rounds] == [1, 2, 3]
    assert sorted(text for text in answers(fed) if "lacking" in text) == [f"{name}: lacking graph" for name in "abcd"]
    for name in "abcd":
        assert [path.read_bytes() for path in kept(fed, name)] == [graph.read_bytes()]


@pytest.mark.slow
@pytest.mark.parametrize("training", [None, pytest.param(STEPS, marks=pytest.mark.slow)], ids=["average", "gradient"])
def test_server_and_sites_that_died_go_on_with_the_graph_that_they_kept(fed, graph, training):
    plan = quick(planned(graph, training=training))
    with fed.attending(*"abcd"), fed.coordinator(plan, RUN) as (coordinator, journal):
        coordinator.gather()
        first = Sums(plan, coordinator, store=journal)
        steps = build(plan).lead()
        ask = steps.send(first(next(steps)))
        journal.begin(ask)  # the second round's number is taken, and then all processes are gone
    fed.said.clear()
    with fed.attending(*"abcd"):
        outcome, log = fed.run(plan)
    assert [one.number for one in log.rounds] == [1, 3, 4]
    assert outcome.model.digest() == scene.Scene(planned(graph, training=training)).run().model.digest()
    assert not any("lacking" in text for text in answers(fed))


def test_the_inbox_shows_what_the_graph_holds_and_approval_pins_it(fed, graph):
    by_person(fed, "a")
    plan = planned(graph, trainable=["4.*"])
    with fed.attending("a"), pytest.raises(Refused, match="a has not approved it yet"):
        across.until(fed, quick(plan), "pending")
    (asked,) = inbox.inbox(fed.folder / "a")
    found = asked.document()["network"]
    assert [one["name"] for one in found["layers"]] == ["0", "1", "4"]
    assert found["trains"] == ["4.weight", "4.bias"]
    assert found["graph"] == plan.spec.network.digest
    assert asked.request.hash == digest(quick(plan)).hex() != digest(quick(planned(graph))).hex()
    leaving = preview(fed.folder / "a", asked.request.hash)
    assert len(leaving.values["delta"]) == 9
    (path,) = kept(fed)
    path.unlink()
    (asked,) = inbox.inbox(fed.folder / "a")
    assert asked.document()["network"] is None
    shown = CliRunner().invoke(cli.command, [str(fed.folder / "a")])
    assert f"network: {plan.spec.model.digest} is not here: nobody can say what it holds" in shown.output


def test_the_inbox_shows_layers_by_the_same_table(fed):
    by_person(fed, "a")
    tables = dict(scene.plan(word="mask").tables)
    tables["model"] = {"kind": "network", "layers": [6, 3], "activation": "tanh", "seed": 5}
    tables["training"] = {"method": "average", "rounds": 2, "rate": 0.1}
    plan = quick(potluck.Plan(**tables))
    with fed.attending("a"), pytest.raises(Refused, match="a has not approved it yet"):
        across.until(fed, plan, "pending")
    (asked,) = inbox.inbox(fed.folder / "a")
    found = asked.document()["network"]
    assert [(one["op"], one["shape"]) for one in found["layers"]] == [
        ("linear", ["b", 6]),
        ("linear", ["b", 3]),
        ("linear", ["b", 1]),
    ]
    assert found["parameters"]["trained"] == sum(one["parameters"] for one in found["layers"])
    assert found["trains"] == [f"layers.{place}.{part}" for place in range(3) for part in ("weight", "bias")]
    shown = CliRunner().invoke(cli.command, [str(fed.folder / "a")])
    assert "network: layers, shown as a graph; trained: layers.0.weight" in shown.output


def test_a_graph_that_this_version_cannot_read_is_said_in_the_inbox_and_can_only_be_denied(fed, graph, monkeypatch):
    by_person(fed, "a")
    with fed.attending("a"), pytest.raises(Refused, match="a has not approved it yet"):
        across.until(fed, quick(planned(graph)), "pending")
    monkeypatch.setitem(OPS.entries, "tanh", OPS.of("relu"))  # what it was, so that it comes back
    monkeypatch.delitem(OPS.entries, "tanh")
    home = fed.folder / "a"
    (asked,) = inbox.inbox(home)
    found = asked.document()
    assert found["network"] is None
    assert "(tanh): is no operation that graphs may use" in found["unreadable"]
    shown = CliRunner().invoke(cli.command, [str(home)])
    assert "cannot be read by this version, so it can only be denied" in shown.output
    with pytest.raises(Refused, match="the plan's graph cannot be read"):
        inbox.decide(home, "approve", asked.request.hash, "ann")
    _, done = inbox.decide(home, "deny", asked.request.hash, "ann")
    assert [one.state.value for one in done.changed] == ["denied"]


def test_a_graph_beyond_the_policys_memory_is_refused_by_name(fed, graph):
    policy = fed.folder / "a" / "policy.toml"
    policy.write_text(policy.read_text().replace("[allow]", "memory = 67108864\n[allow]"))
    plan = planned(graph)
    plan = plan.set("training.batch", 100_000)
    with fed.attending("a"), pytest.raises(Refused, match=r"a refuses this plan \(memory\)"):
        across.until(fed, quick(plan), "denied")
    assert any("training the plan's graph may take" in line for line in fed.heard["a"])


def test_a_server_that_is_killed_while_it_keeps_the_graph_leaves_all_of_it(fed, graph, monkeypatch):
    plan, home = planned(graph), CoordinatorHome.at(fed.folder / "fed")
    with sessions.session(home, plan, False, sessions.Order(), time.time()) as kept_run:
        assert sessions.planned_in(kept_run.folder, kept_run.journal).network.digest == plan.spec.network.digest

    def killed(path, to):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with (
        pytest.raises(KeyboardInterrupt),
        sessions.session(home, plan, False, sessions.Order(), time.time()),
    ):
        raise AssertionError("it goes on")
    monkeypatch.undo()
    assert (kept_run.folder / sessions.GRAPH).read_bytes() == graph.read_bytes()
    assert (kept_run.folder / sessions.GRAPH).stat().st_mode & 0o777 == 0o600
