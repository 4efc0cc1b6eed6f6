"""A host that forks its enclave: two sums of one round would leave one owner alone between them."""

import numpy as np
import pytest

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import dump, load, unpack
from potluck.tee.sum import messages as m
from potluck.tee.sum.check import check
from support.hostile.tampering import altering
from support.parties import scene
from support.tee.rig import arrays, near, room, sitting, telling


def forked(words, d):
    """The sums that a host opens which puts its enclave back after the givers were said, and leaves the first out.

    Half of the owners are shown one set of givers and half the other, each signed by that enclave.
    """
    inside, memory, confirmed = room("boot"), {}, []

    def survivors(go):
        memory["all"] = dict(inside._now.taken)
        said = go()
        inside._now.givers = ()
        del inside._now.taken[0]
        memory["less"] = inside.survivors()
        inside._now.givers, inside._now.taken = load(said[1], m.Survivors).givers, memory["all"]
        return said

    def opened(go, signers):
        memory["round"] = inside._now
        return go(signers)

    def told(to, body):
        return memory["less"] if to >= len(words) // 2 else body

    def noted(seat, to, now, body):
        if now == m.CONFIRM and int(seat.party.name[1:]) >= len(words) // 2:
            confirmed.append(m.Signer(int(seat.party.name[1:]), load(body, m.Confirmed).signature))
        return body

    enclave = near(inside, survivors=survivors, open=opened)
    sat = sitting(words, d, enclave=enclave, play=telling(m.SURVIVORS, told))
    sat.play = {**sat.play, **dict.fromkeys(sat.terms.sites, altering(noted))}
    desks = sat.run()
    sums = [desks[SERVER].result.words] if desks[SERVER].result else []
    if "round" not in memory:
        return sums
    now = inside._now = memory["round"]
    now.givers = load(memory["less"], m.Survivors).givers
    now.taken = {site: memory["all"][site] for site in range(1, len(words))}
    inside._opened.clear()
    try:
        return [
            *sums,
            unpack(
                inside.open(dump(m.Signers(tuple(sorted(confirmed, key=lambda one: one.site)))))[0], len(words[0]), 64
            ),
        ]
    except Abort as abort:
        assert abort.cause is Cause.COHORT
        return sums


def test_two_cohorts_that_are_apart_open_two_sums_and_their_difference_is_one_owners():
    """Why `check` refuses such a plan for a lying server."""
    words = arrays(6)
    first, second = forked(words, 3)
    assert np.array_equal(first - second, words[0])


def test_where_any_two_cohorts_have_an_owner_in_common_a_forked_enclave_opens_one_sum_at_most():
    assert len(forked(arrays(6), 2)) < 2


@pytest.mark.parametrize(
    ("dropouts", "corrupt", "server", "fits"),
    [(3, 0, "lying", False), (2, 0, "lying", True), (2, 2, "lying", False), (3, 0, "curious", True)],
)
def test_check_refuses_a_plan_whose_cohorts_can_be_apart(dropouts, corrupt, server, fits):
    made = scene.plan("abcdef", word="tee", dropouts=dropouts, corrupt=corrupt, server=server)
    wrong = [one for one in check(made.spec) if "difference is one update" in one]
    assert len(wrong) == (0 if fits else 1)
