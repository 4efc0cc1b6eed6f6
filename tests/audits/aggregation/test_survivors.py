"""A server that tells two sets of sites: what it would open by the played attack is what a rogue of the tests opens."""

from dataclasses import replace
from itertools import product

import pytest
from msgspec import structs

import potluck
from potluck.audits.aggregation import survivors
from potluck.audits.aggregation.survivors import SURVIVOR_SETS, played
from potluck.mpc.mask.check import check
from potluck.mpc.mask.graph import shape_of
from potluck.mpc.mask.views import colluders
from support.audits.recorded import plan, seen
from support.mpc.mask_rogue import attack


def spec(sites, server, corrupt, dropouts):
    names = [f"s{number}" for number in range(sites)]
    found = plan("mask").set("federation.sites", names).set("federation.server", server)
    return found.set("federation.corrupt", corrupt).set("federation.dropouts", dropouts).spec


def coalition(plan_, many):
    """The server, and so many of the last sites."""
    names = plan_.federation.sites
    return frozenset({"server", *names[len(names) - many :]})


def opened(plan_, many):
    """Whether the rogue server of the tests, which opens boxes and takes masks off, has the numbers of the victim."""
    sites = plan_.federation.sites
    honest = [number for number in range(len(sites)) if number < len(sites) - many]
    dead = set(honest[1 + max(0, len(honest) - 2) // 2 :])

    def told(to, message):
        return structs.replace(message, givers=tuple(one for one in message.givers if one or to not in dead))

    fed = plan_.federation
    corrupt = [number for number in range(len(sites)) if number not in honest]
    rogue, *_ = attack(len(sites), fed.corrupt, fed.dropouts, fed.server, corrupt=corrupt, survivors=told)
    return rogue.opens(0) is not None


KNOWN = [
    (3, "curious", 0, 1, 0, False),
    (3, "curious", 0, 1, 1, True),
    (7, "lying", 1, 2, 2, False),
    (7, "lying", 1, 2, 3, True),
]


@pytest.mark.parametrize(("sites", "server", "corrupt", "dropouts", "many", "opens"), KNOWN)
def test_what_is_said_to_open_a_rogue_server_opens(sites, server, corrupt, dropouts, many, opens):
    plan_ = spec(sites, server, corrupt, dropouts)
    it = played(plan_, coalition(plan_, many))
    assert it.opens is opens
    assert opened(plan_, many) is opens
    assert ("lies open" in it.judged({}).words) is opens
    assert ("inconsistent survivor sets" in it.judged({}).words) is (server == "lying" and not opens)


@pytest.mark.slow
def test_of_every_small_plan_a_rogue_server_opens_the_same_and_the_views_say_from_when_on():
    tried = 0
    for sites, server, corrupt in product((3, 4, 5, 6), ("lying", "curious"), (0, 1)):
        for dropouts in (0, 1, 2):
            plan_ = spec(sites, server, corrupt, dropouts)
            if check(plan_):
                continue  # no such plan runs
            tried += 1
            for many in range(sites - 1):
                it = played(plan_, coalition(plan_, many))
                assert it.opens == opened(plan_, many), (sites, server, corrupt, dropouts, many)
                if server == "lying":
                    assert it.opens == (dropouts > 0 and many >= colluders(plan_, shape_of(plan_)))
    assert tried > 10


def test_no_two_sets_are_answered_and_the_control_is(masked, only):
    only(SURVIVOR_SETS)
    found = {one.name: one for one in potluck.attack(masked[0], "server", data=masked[2]).results}["survivors"]
    assert found.verdict.succeeded is False
    assert found.control
    assert "a lying server tells a that a gave, and b and c that it vanished" in found.verdict.words
    assert found.verdict.words.endswith("on a plan that protects less it succeeds")


def test_a_threshold_that_a_fault_lowers_is_seen(monkeypatch):
    plan_ = spec(7, "lying", 1, 2)
    assert not played(plan_, coalition(plan_, 1)).opens
    monkeypatch.setattr(survivors, "shape_of", lambda plan: replace(shape_of(plan), least=4))
    assert played(plan_, coalition(plan_, 1)).opens


def test_it_is_played_where_a_server_names_who_gave(masked, one_row):
    assert "no site helps" in SURVIVOR_SETS.fits(seen(one_row[0], one_row[1], "server"))
    assert "the server is not one" in SURVIVOR_SETS.fits(seen(masked[0], masked[1], "a"))
    assert "of one site alone" in SURVIVOR_SETS.fits(seen(masked[0], masked[1], "server", "a", "b"))
    many = replace(seen(masked[0], masked[1], "server"), plan=spec(25, "lying", 0, 1))
    assert "at most 24 sites" in SURVIVOR_SETS.fits(many)
