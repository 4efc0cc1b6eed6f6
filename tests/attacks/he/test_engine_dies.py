"""An engine that dies of what it is given, at any operation of a round: that round ends by name, the next one works.

What is given is what a library could be killed by; here the real worker gets it behind every check.
"""

import os
import random
import signal
from contextlib import suppress

import numpy as np
import pytest

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.he.sum import messages as m
from potluck.he.sum.bfv import Bfv
from potluck.testing.protection import check_protection, judged
from support.he.rogue import left, sitting

SITES = ["keygen", "export", "encrypt", "partial"]
SERVERS = ["rebuild", "partial", "fuse"]
slow = pytest.mark.slow


class Struck(Bfv):
    """At one operation its worker gets tampered bytes instead of the right ones, or was killed just before."""

    def __init__(self, engine, at, how):
        super().__init__(engine.parameters, engine._worker)
        self.at, self.how = at, how

    def _call(self, op, *buffers, key=None):
        if op != self.at:
            return super()._call(op, *buffers, key=key)
        if self.how == "killed":
            self._worker.start()
            os.kill(self._worker.pid, signal.SIGKILL)
            self._worker._process.wait(20)
            return super()._call(op, *buffers, key=key)
        largest = max(buffers, key=len, default=b"")
        noise = random.Random(7).randbytes(max(len(largest), 16))
        changed = [noise if one is largest else one for one in buffers] or [noise]
        return super()._call(op, *changed, key=key)


def struck(at, how):
    return lambda engine: Struck(engine, at, how)


@pytest.mark.parametrize(
    ("op", "how"),
    [(op, "tampered") if op == "partial" else pytest.param(op, "tampered", marks=slow) for op in SITES]
    + [pytest.param(op, "killed", marks=[] if op == "keygen" else slow) for op in SITES],
)
def test_a_site_whose_engine_dies_is_a_drop_out_by_name_and_gives_again_in_the_next_round(workers, op, how):
    sat = sitting(workers, 4, 1, rigs={2: struck(op, how)})
    me = sat.terms.sites[2]
    desks = sat.run()
    opened = judged(sat, desks)
    assert isinstance(opened, Opened)
    if (op, how) == ("keygen", "killed"):  # another process is started: no key was lost
        assert len(opened.givers) == 4
        return
    # To encrypt no key of one's own is needed: the loss shows when it is.
    missed = "partial" if (op, how) == ("encrypt", "killed") else op
    assert (desks[me].abort.cause, desks[me].abort.party) == (Cause.ENGINE, None)
    assert desks[me].abort.step == f"bfv.{missed}"
    assert desks[SERVER].lost[me] is Cause.ENGINE
    assert (me in opened.givers) == (missed == "partial")
    again = sitting(workers, 4, 1, number=2, once="next")
    assert len(check_protection(again).givers) == 4


@pytest.mark.parametrize("op", ["keygen", *(pytest.param(op, marks=slow) for op in SITES[1:])])
def test_where_nobody_may_vanish_the_round_ends_and_says_whose_engine_it_was(workers, op):
    sat = sitting(workers, 3, 0, rigs={1: struck(op if op != "export" else "encrypt", "tampered")})
    desks = sat.run()
    assert desks[SERVER].abort.cause is Cause.TOO_FEW
    assert "s1: the engine failed" in str(desks[SERVER].abort)
    assert not left(sat, m.PARTIAL) or op == "partial"
    assert isinstance(check_protection(sitting(workers, 3, 0, number=2, once="next")), Opened)


@pytest.mark.parametrize(
    ("op", "how"),
    [(op, "tampered") if op == "fuse" else pytest.param(op, "tampered", marks=slow) for op in SERVERS]
    + [pytest.param(op, "killed", marks=[] if op == "partial" else slow) for op in SERVERS],
)
def test_a_server_whose_engine_dies_opens_nothing_and_the_next_round_works(workers, op, how):
    leaves = {0: m.PARTIAL}
    sat = sitting(workers, 4, 1, leaves=leaves, rigs={-1: struck(op, how)})
    outcome = judged(sat, sat.run())
    if how == "killed" and op != "partial":  # it holds no key then: another process does as well
        assert isinstance(outcome, Opened)
        return
    assert isinstance(outcome, Abort)
    assert (outcome.cause, outcome.party, outcome.step) == (Cause.ENGINE, None, f"bfv.{op}")
    assert isinstance(check_protection(sitting(workers, 4, 1, number=2, once="next", leaves=leaves)), Opened)


@pytest.mark.parametrize("deaths", [2, pytest.param(12, marks=slow)])
def test_a_round_of_many_deaths_leaves_neither_processes_nor_a_wrong_sum(workers, deaths):
    """Every engine of the round dies once, one round after the other, at operations drawn by seed."""
    rng = random.Random(3)
    for number in range(1, deaths + 1):
        who, how = rng.randrange(-1, 4), rng.choice(["tampered", "killed"])
        op = rng.choice(SERVERS if who < 0 else SITES)
        sat = sitting(workers, 4, 1, number=number, once=str(number), leaves={}, rigs={who: struck(op, how)})
        outcome = judged(sat, sat.run())
        assert isinstance(outcome, Opened) or outcome.cause is Cause.ENGINE
    opened = check_protection(sitting(workers, 4, 1, number=99, once="99"))
    assert len(opened.givers) == 4
    assert np.any(opened.words)
    mine = [worker.pid for worker in workers.values()]
    assert all(pid is not None for pid in mine)
    assert children() >= set(mine)
    assert not [pid for pid in children() - set(mine) if "openfhe" in command(pid)]


def children():
    found = set()
    for task in os.listdir("/proc/self/task"):  # one may end meanwhile
        with suppress(FileNotFoundError), open(f"/proc/self/task/{task}/children") as each:
            found |= {int(pid) for pid in each.read().split()}
    return found


def command(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as said:
            return said.read().decode(errors="replace")
    except OSError:
        return ""
