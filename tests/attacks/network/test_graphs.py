"""A server that sends another graph than the plan names, more of it, none, or one that nobody asked for."""

import threading
import time
from importlib.util import find_spec

import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import msgspec

import potluck
from potluck.core.party import SERVER, site
from potluck.core.rounds import Label, Parcel, RoundId
from potluck.core.wire import load
from potluck.learning.models import graphs as learning
from potluck.owner.requests import Requests
from potluck.parties.admission import graphs
from potluck.parties.admission.session import ANSWER, GRAPH, Answer, parcel
from support.graph import trained as drawn
from support.hostile.proposals import drained, proposal, server
from support.parties import across, scene
from support.parties.across import Across, quick

pytestmark = pytest.mark.torch
RUN = "ab" * 16


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("federation"))


@pytest.fixture(scope="module")
def drawings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("graphs")
    return drawn.made(drawn.mlp(), folder / "net.graph"), drawn.made(drawn.mlp(drop=0.5), folder / "other.graph")


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def planned(graph):
    tables = dict(scene.plan(word="mask").tables)
    tables["model"] = {"kind": "network", "graph": str(graph)}
    tables["training"] = {"method": "average", "rounds": 2}
    return quick(potluck.Plan(**tables))


class Lying:
    """A server with the coordinator's keys, and one site that it talks to by hand."""

    def __init__(self, fed, one):
        self.fed, self.one, self.me = fed, one, server(fed)

    def says(self, said):
        """The site hears one letter."""
        self.one._open(self.me.close(site("a"), said))

    def proposes(self, spec, run=RUN, **other):
        self.says(parcel(run, msgspec.structs.replace(proposal(self.fed, spec), **other)))

    def sends(self, body, run=RUN):
        self.says(Parcel(Label(RoundId(run, 0), GRAPH), body))

    def answers(self):
        """(verdict, codes) of each answer that came since."""
        found = [self.me.disclose(one)[1] for one in drained(self.fed, SERVER)]
        return [(one.verdict, one.codes) for one in (load(b.body, Answer) for b in found if b.label.step == ANSWER)]


@pytest.fixture
def lying(fed):
    with fed.site("a", threading.Event()) as one:
        yield Lying(fed, one)


def waits(fed):
    with Requests(fed.home("a").requests) as requests:
        return len(requests.pending()) + len(requests._select("state = 'approved'"))


def kept(fed):
    return list((fed.folder / "a" / graphs.FOLDER).glob("*"))


def test_control_the_plans_own_graph_is_taken_and_the_run_begins(lying, fed, drawings):
    lying.proposes(planned(drawings[0]))
    assert lying.answers() == [("lacking", ("graph",))]
    assert waits(fed) == 0
    lying.sends(drawings[0].read_bytes())
    assert lying.answers() == [("granted", ())]
    assert waits(fed) == len(kept(fed)) == 1


@pytest.mark.parametrize("lie", ["other", "longer", "shorter", "nothing", "pickle"])
def test_other_bytes_are_refused_by_name_before_any_of_them_is_read(lying, fed, drawings, monkeypatch, lie):
    right, other = (one.read_bytes() for one in drawings)
    bodies = {"other": other, "longer": right + b"\0", "shorter": right[:-1], "nothing": b"", "pickle": b"\x80\x04N."}
    lying.proposes(planned(drawings[0]))
    lying.answers()
    read = []
    monkeypatch.setattr(learning, "parsed", lambda *given: read.append(given))
    lying.sends(bodies[lie])
    assert lying.answers() == [("denied", ("graph",))]
    assert not read
    assert not kept(fed)
    assert waits(fed) == 0
    assert any("another graph than the plan names" in line for line in fed.heard["a"])


def test_more_bytes_than_a_graph_may_have_are_refused_by_their_number(lying, fed, drawings, monkeypatch):
    monkeypatch.setattr(graphs, "MOST_GRAPH", len(drawings[0].read_bytes()) - 1)
    read = []
    monkeypatch.setattr(graphs, "with_letter", lambda *given: read.append(given))
    lying.proposes(planned(drawings[0]))
    lying.answers()
    lying.sends(drawings[0].read_bytes())
    assert lying.answers() == [("denied", ("graph",))]
    assert not read
    assert any("the server sent" in line and "at most" in line for line in fed.heard["a"])


def test_a_graph_that_nobody_asked_for_is_not_looked_at(lying, fed, drawings):
    content = drawings[0].read_bytes()
    lying.sends(content)
    lying.proposes(scene.plan(word="clear").spec, run="cd" * 16)
    lying.sends(content, run="cd" * 16)
    lying.proposes(planned(drawings[0]))
    lying.sends(content)
    lying.answers()
    lying.sends(drawings[1].read_bytes())  # a second one, for a run that goes on
    assert lying.answers() == []
    assert [path.read_bytes() for path in kept(fed)] == [content]


def test_a_server_that_sends_none_gets_nothing(lying, fed, drawings):
    spec = planned(drawings[0])
    for _ in range(3):
        lying.proposes(spec, asker=bytes([_]) * 16)
    assert lying.answers() == [("lacking", ("graph",))] * 3
    lying.says(Parcel(Label(RoundId(RUN, 1), "begin"), b""))
    assert lying.answers() == []
    assert waits(fed) == 0


def test_another_graph_on_resume_is_another_plan(lying, fed, drawings):
    lying.proposes(planned(drawings[0]))
    lying.sends(drawings[0].read_bytes())
    assert lying.answers()[-1] == ("granted", ())
    lying.proposes(planned(drawings[1]))
    assert lying.answers() == [("denied", ("plan",))]
    with fed.site("a", threading.Event()) as again:  # and to a process that knows nothing of it
        fresh = Lying(fed, again)
        fresh.proposes(planned(drawings[1]))
        fresh.sends(drawings[1].read_bytes())
        assert fresh.answers()[-1][0] in ("denied", "unable")
        fresh.proposes(planned(drawings[0]), asker=b"\1" * 16)  # the control: the plan it began with goes on
        assert fresh.answers() == [("granted", ())]


def test_a_file_that_was_changed_on_the_sites_disk_is_no_graph_of_the_plan(lying, fed, drawings):
    spec = planned(drawings[0])
    lying.proposes(spec)
    lying.sends(drawings[0].read_bytes())
    lying.answers()
    (path,) = kept(fed)
    path.write_bytes(drawings[1].read_bytes())
    with fed.site("a", threading.Event()) as again:
        fresh = Lying(fed, again)
        fresh.proposes(spec)
        assert fresh.answers() == [("lacking", ("graph",))]


def test_a_policy_that_says_no_is_heard_before_any_graph_is_asked_for(lying, fed, drawings):
    policy = fed.folder / "a" / "policy.toml"
    policy.write_text(policy.read_text().replace('models = ["*"]', 'models = ["logistic"]'))
    lying.proposes(planned(drawings[0]))
    assert lying.answers() == [("denied", ("models",))]
    lying.sends(drawings[0].read_bytes())
    assert lying.answers() == []
    assert not kept(fed)


def test_others_cannot_fill_the_disk_with_graphs(tmp_path, drawings, monkeypatch):
    monkeypatch.setattr(graphs, "KEPT", 1)
    for path in drawings:
        graphs.received(tmp_path, potluck.core.plan.bare(planned(path)), path.read_bytes())
        time.sleep(0.01)
    assert [one.read_bytes() for one in (tmp_path / graphs.FOLDER).glob("*")] == [drawings[1].read_bytes()]
