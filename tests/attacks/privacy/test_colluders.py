"""How many colluders the noise bears: a plan says it, an owner's policy bounds it, the owner reads what it means."""

import math
import threading

import pytest

from potluck.api.network import inbox
from potluck.api.network.preview import preview
from potluck.dp.calibration import shares
from potluck.dp.events import Concentrated, rho
from potluck.dp.loss import epsilon
from potluck.dp.mechanism import mechanism
from potluck.learning.loops import build
from support.hostile.asked import OTHER, RUN, answer, policy
from support.parties import across, scene
from support.parties.across import Across


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("colluders"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def plan(corrupt: int, dropouts: int = 0, noise: str = "shared"):
    return scene.plan(privacy=scene.SHARED | {"noise": noise}, corrupt=corrupt, dropouts=dropouts, server="curious")


def seen(spec, colluders: int) -> float:
    """The epsilon of training towards a server and so many sites, who subtract the shares that they know."""
    bound = mechanism(spec, next(build(spec).lead()))
    unknown = spec.fewest - colluders
    left = bound.share[0] * bound.grid.parts[0].step * math.sqrt(unknown)
    ratio = left / bound.limit.l2[0]
    return epsilon([Concentrated(rho(ratio), bound.cost.releases)], bound.cost.delta, "rdp")


@pytest.mark.parametrize("corrupt", [0, 1, 2])
def test_more_colluders_than_the_plan_says_see_less_noise_than_it_promises(corrupt):
    """Known answer: with k unknown shares of K the noise has sqrt(k / K) of its sigma. None or one: a peer knows its
    own share anyway."""
    spec, reckoned = plan(corrupt).spec, max(corrupt, 1)
    assert seen(spec, reckoned) == pytest.approx(3.0, rel=1e-3)
    assert seen(spec, reckoned + 1) > 3.0 * math.sqrt(shares(spec) / (shares(spec) - 1)) if shares(spec) > 1 else True


@pytest.mark.parametrize("noise", ["shared", "site", "reveal"])
def test_a_plan_cannot_reckon_with_fewer_colluders_than_the_policy(fed, noise):
    policy(fed, "a", ("[approve]", "min_corrupt = 1\n[approve]"))
    with fed.site("a", threading.Event()) as one:
        said = answer(fed, one, plan(0, noise=noise).spec, RUN)
        assert (said.verdict, said.codes) == ("denied", ("min_corrupt",))
        assert answer(fed, one, plan(1, noise=noise).spec, OTHER).verdict == "granted"
    assert "the plan reckons with 0 sites that collude" in " ".join(fed.heard["a"])


def test_without_the_line_a_plan_may_reckon_with_nobody(fed):
    """The control: two sites and the server then see a plan of epsilon 3 at more."""
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, plan(0).spec).verdict == "granted"
    assert seen(plan(0).spec, 2) > 3.5


@pytest.mark.parametrize(
    ("corrupt", "dropouts", "words"),
    [
        (0, 0, "3 of 4 sites that add their share and keep it secret: if more than 1 colludes with the server"),
        (1, 1, "2 of 4 sites that add their share and keep it secret: if more than 1 colludes with the server"),
        (2, 1, "1 of 4 sites that add their share and keep it secret: if more than 2 collude with the server"),
    ],
)
def test_the_owner_reads_on_how_many_honest_shares_the_noise_counts(fed, corrupt, dropouts, words):
    policy(fed, "a", ('rule = "policy"', 'rule = "person"'))
    spec = plan(corrupt, dropouts).spec
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"
    (waiting,) = inbox.inbox(fed.folder / "a")
    assert f"the noise counts on {words}, epsilon is larger than said" in waiting.cost
    assert words in preview(fed.folder / "a", waiting.request.hash).document()["cost"]
