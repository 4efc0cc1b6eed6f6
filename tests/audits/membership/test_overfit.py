"""The control of attacks on members succeeds whatever its seed, so that "no answer" is never a matter of luck."""

from dataclasses import replace

import pytest

import potluck
from potluck.audits.attack import Until
from potluck.audits.membership.equations import EQUATIONS
from potluck.audits.membership.lira import LIRA, LIRA_OFFLINE
from potluck.audits.membership.loss import LOSS
from potluck.audits.membership.overfit import scenes
from potluck.audits.membership.rmia import RMIA
from potluck.audits.seen import Seen
from potluck.core.seeded import generator
from support.audits.pictures import plan as digits
from support.audits.recorded import plan as tiny
from support.places import SRC

DEMO = potluck.Plan.read(SRC / "demo" / "heart.toml")
CLASSES = digits(rate=0.5, rounds=20).set("model.layers", [])
PERSONS = tiny("mask", {"kind": "logistic"}).set("data.person", "who")
PLANS = {
    "demo": DEMO,
    "hardly trained": DEMO.set("training.rate", 0.1).set("training.rounds", 5),
    "classes": CLASSES,
    "network": tiny("mask"),
    "persons": PERSONS,
}


def made(spec, seed):
    """The control's run, as an attack gets it; the rows that are asked about are not looked at."""
    until = Until(float("inf"), generator(seed, "attack"))
    (scene,) = scenes(replace(Seen(spec.spec, frozenset({"server"}), (), {}), candidates=Nobody()), until)
    return scene, until


class Nobody:
    """No rows are asked about, and no control is made yet."""

    controls = None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["demo", pytest.param("persons", marks=pytest.mark.slow)])
def test_made_up_rows_are_learnt_by_heart_and_nobody_knows_which(name):
    (seen, truth), until = made(PLANS[name], 3)
    wider = seen.plan.data.columns.keys() - PLANS[name].spec.data.columns.keys()
    assert len(wider) == 100
    assert not seen.plan.noisy
    for attack in (LOSS, EQUATIONS):
        (found,) = attack.tried(seen, until)
        assert found.judged(truth).succeeded
        turned = {site: replace(table, test=~table.test) for site, table in truth.items()}
        assert found.judged(turned).succeeded is False


@pytest.mark.slow
@pytest.mark.parametrize("name", PLANS)
def test_it_succeeds_for_every_seed(name):
    for seed in range(10):
        (seen, truth), until = made(PLANS[name], seed)
        for attack in (LOSS, RMIA, LIRA_OFFLINE, LIRA, EQUATIONS):
            (found,) = attack.tried(seen, until)
            assert found.judged(truth).succeeded, (attack.name, seed)
