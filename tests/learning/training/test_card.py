"""A graphics card is asked for only where the rows' owner allows it. These machines have none: a made-up one stands in.

What they do not show is a real card's arithmetic.
"""

from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("torch") is None:
    pytest.skip("the networks extra is missing", allow_module_level=True)

import torch

import potluck
from potluck.core.errors import GraphError, Refused
from potluck.core.plan import digest
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.learning.models import graph_form
from potluck.learning.models.graphs import on_card
from potluck.secret.random import system
from support.graph import trained as drawn
from support.parties import across, scene
from support.parties.across import Across, quick

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    return drawn.made(drawn.mlp(drop=0.3), tmp_path_factory.mktemp("graph") / "net.graph")


@pytest.fixture
def no_card(monkeypatch):
    """Whoever asks torch's half for cards fails the test."""

    def asked(*given, **more):
        raise AssertionError("torch was asked for a card")

    for name in ("is_available", "device_count", "current_device", "manual_seed", "get_rng_state", "_lazy_init"):
        monkeypatch.setattr(torch.cuda, name, asked)


def given(spec):
    """What a site adds to the first sum."""
    task = build(spec)
    ask = next(task.lead())
    (one,) = task.contribute(ask, read(drawn.frames()["a"], spec, "a"), system)
    return one.values


def test_without_the_owners_word_torch_is_not_asked_for_a_card(graph, no_card):
    spec = drawn.plan(graph).spec
    assert not on_card(spec, allowed=False).card
    assert np.abs(given(on_card(spec, allowed=False))).max() > 0


def test_with_it_and_without_a_card_the_owner_hears_why_it_does_not_run(graph, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(GraphError, match=r"models\.gpu is true, and torch finds no graphics card here"):
        on_card(drawn.plan(graph).spec, allowed=True)
    assert on_card(scene.plan().spec, allowed=True) == scene.plan().spec  # no graph, nothing to train there


def test_the_word_is_the_sites_alone_and_in_no_plan(graph, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    spec = drawn.plan(graph).spec
    allowed = on_card(spec, allowed=True)
    assert allowed.card
    assert digest(allowed) == digest(spec)


@pytest.mark.parametrize("method", ["average", "gradient"])
def test_all_that_a_step_takes_is_where_the_card_is(graph, monkeypatch, method):
    """The made-up card is the processor under another name: each number is moved there, and the bits are the same."""
    tables = drawn.tables(graph)
    tables["training"] = {"method": method, "rounds": 2, "rate": 0.1} | ({"batch": 16} if method == "average" else {})
    spec = potluck.Plan(**tables).spec
    plain = given(spec)
    moved, seeds, forked = [], [], []
    to = torch.Tensor.to

    def counted(tensor, where, *more, **keys):
        moved.append(tuple(tensor.shape))
        return to(tensor, where, *more, **keys)

    @contextmanager
    def fork(devices):
        forked.append(devices)
        yield

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "manual_seed", seeds.append)
    monkeypatch.setattr(torch.random, "fork_rng", fork)
    monkeypatch.setattr(graph_form, "device", lambda card: torch.device("cpu") if card else None)
    monkeypatch.setattr(torch.Tensor, "to", counted)
    assert np.array_equal(given(on_card(spec, allowed=True)), plain)
    assert forked == [[0]]
    assert len(set(seeds)) == len(seeds) >= 1
    weights = [tuple(one.shape) for one in drawn.mlp().parameters()]
    assert moved[: 2 * len(weights)].count((8, 2)) == 2  # as the graph has them, and as they are announced
    assert len(moved) == 2 * len(weights) + 2 * len(seeds)  # then features and targets of each batch


@pytest.mark.slow
def test_a_site_whose_policy_wants_a_card_that_is_not_there_says_so(graph, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    fed = Across(across.found(tmp_path / "f"))
    policy = fed.folder / "a" / "policy.toml"
    policy.write_text(policy.read_text() + "\n[models]\ngpu = true\n")
    tables = dict(scene.plan(word="mask").tables)
    tables["model"] = {"kind": "network", "graph": str(graph), "l2": 0.1}
    tables["training"] = {"method": "average", "rounds": 1, "rate": 0.1}
    plan = potluck.Plan(**tables)
    with fed.attending("a"), pytest.raises(Refused):
        across.until(fed, quick(plan), "unable")
    assert any("models.gpu is true, and torch finds no graphics card here" in line for line in fed.heard["a"])
