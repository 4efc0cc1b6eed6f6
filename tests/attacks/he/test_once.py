"""A site decrypts one sum a step, ever: also for a server that asks again after the site was started again.

The ledger is the owner's own, on disk, closed and opened again; engines are started again, so every key is a new one.
"""

from contextlib import ExitStack, closing

import numpy as np
import pytest
from msgspec.structs import replace as change

from potluck.core.party import site
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.he.sum import messages as m
from potluck.owner.budget import Budget
from potluck.testing.protection import judged
from support.he.rogue import attack, left, sitting
from support.mpc.mask_rogue import causes

N, D = 4, 1


@pytest.fixture
def federation(workers, tmp_path):
    """Plays rounds; before each, every site is started again: its ledger from disk, its engine from nothing."""

    def play(*, number, once="step 3", asked=None, n=N, d=D, **more):
        for worker in workers.values():
            worker.close()
        with ExitStack() as stack:
            ledgers = {
                site(f"s{i}"): stack.enter_context(closing(Budget(tmp_path / f"s{i}" / "ledger.sqlite")))
                for i in range(n)
            }
            hooks = {m.SURVIVORS: asked} if asked else {}
            desks, sat = attack(workers, hooks, n=n, d=d, number=number, once=once, ledgers=ledgers, **more)
        return desks, sat

    return play


def opened(played):
    desks, sat = played
    outcome = judged(sat, desks)
    assert isinstance(outcome, Opened), str(outcome)
    return outcome


def refused(played, staying, cause=Cause.REPLAY):
    """Nobody gave a partial decryption, nothing opened."""
    desks, sat = played
    assert {i: causes(desks).get(i, (None,))[0] for i in staying} == dict.fromkeys(staying, cause)
    assert not left(sat, m.PARTIAL)
    assert isinstance(judged(sat, desks), Abort)


def not_begun(played):
    """A contribution leaves once a round number."""
    desks, sat = played
    assert causes(desks) == dict.fromkeys(range(N), (Cause.REPLAY, None))
    assert not left(sat, m.INPUT)


@pytest.mark.slow
def test_after_a_restart_no_other_survivor_set_of_the_step_is_opened(federation):
    """Nor is the round itself begun again. A retry opens what was opened: the words are those of the step's model."""
    first = opened(federation(number=1))
    assert len(first.givers) == N
    not_begun(federation(number=1, once="another"))
    refused(federation(number=2, leaves={0: m.INPUT}), range(1, N))
    again = opened(federation(number=4))
    assert again.givers == first.givers, "the same set again is a retry"
    assert np.array_equal(again.words, first.words)
    assert len(opened(federation(number=5, once="step 4", leaves={3: m.INPUT})).givers) == N - 1


@pytest.mark.slow
def test_after_a_restart_a_set_without_the_last_site_is_not_opened(federation):
    opened(federation(number=1))
    refused(federation(number=2, leaves={N - 1: m.INPUT}), range(N - 1))


@pytest.mark.slow
def test_a_larger_set_is_another_set(federation):
    """The difference of both sums is one site's update, whichever came first."""
    assert len(opened(federation(number=1, leaves={3: m.INPUT})).givers) == N - 1
    desks, sat = federation(number=2)
    assert {causes(desks)[i][0] for i in range(3)} == {Cause.REPLAY}
    assert left(sat, m.PARTIAL) == {3}, "it has agreed to no set of this step before"
    assert isinstance(judged(sat, desks), Abort)


@pytest.mark.slow
def test_a_server_that_leaves_a_giver_out_after_a_restart_gets_nothing(federation):
    """All gave again; it shows the survivors without one of them, whose update would be the difference."""

    def without_the_last(to, s):
        bodies = dict(zip([g.site for g in s.givers if g.site != to], s.bodies, strict=True))
        givers = s.givers[:-1]
        return change(s, givers=givers, bodies=tuple(bodies[g.site] for g in givers if g.site != to))

    assert len(opened(federation(number=1)).givers) == N
    refused(federation(number=2, asked=without_the_last), range(N - 1))


@pytest.mark.slow
def test_after_a_restart_the_round_itself_is_not_begun_again_under_its_own_name(federation):
    opened(federation(number=1))
    not_begun(federation(number=1))


@pytest.mark.slow
def test_a_site_killed_before_its_partial_left_has_agreed_to_that_set(federation):
    """The record is durable first: whatever was sent, the disk knows of it."""
    desks, sat = federation(number=1, leaves={2: m.PARTIAL})
    assert len(opened((desks, sat)).givers) == N, "its key was rebuilt"
    assert 2 not in left(sat, m.PARTIAL)
    desks, sat = federation(number=2, leaves={0: m.INPUT})
    assert causes(desks)[2] == (Cause.REPLAY, None)
    assert not left(sat, m.PARTIAL)


def test_a_ledger_that_cannot_remember_gives_no_partial(workers, tmp_path):
    """Where the record cannot be written nothing leaves: here the file was closed under it."""
    ledgers = {}
    for i in range(N):
        ledgers[site(f"s{i}")] = Budget(tmp_path / f"t{i}" / "ledger.sqlite")

    class NullStore:
        def __init__(self, real):
            self.real = real

        def write(self, record):
            if record.key.startswith("survivors/"):
                self.real.close()
            self.real.write(record)

    ledgers[site("s1")] = NullStore(ledgers[site("s1")])
    sat = sitting(workers, N, D, ledgers=ledgers)
    desks = sat.run()
    assert desks[site("s1")].abort is not None
    assert 1 not in left(sat, m.PARTIAL)
    assert len(judged(sat, desks).givers) == N, "it is one drop-out"
    for one in ledgers.values():
        getattr(one, "real", one).close()
