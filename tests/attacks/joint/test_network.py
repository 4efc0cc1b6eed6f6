"""A hostile network under a fit: letters again, late, out of turn, to others, and those of an earlier round."""

import random

import numpy as np
import pytest

from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.plan import digest
from potluck.core.rounds import Cause, RoundId
from potluck.drivers.memory import Memory
from potluck.drivers.once import root_cause
from potluck.learning.data.columns import read
from potluck.mpc.fit.site import TRIED
from potluck.owner.run_secrets import RunSecrets
from potluck.tasks.fit.halves import Brought, RoundContext, assist, bring, direct
from potluck.tasks.matching.alignment import Tools, read_keys
from support.parties.fit_scene import RANKS, Hub, PlainEngine, frames, plan, result, sat

READER = site("o0")


def honest():
    return result(plan(), frames(rows=60)).model.weights


def model(desks):
    return desks[READER].result.model.weights


def test_letters_that_come_twice_change_nothing():
    desks, _ = sat(plan(), frames(rows=60), carry=lambda letter: (letter, letter))
    assert np.abs(model(desks) - honest()).max() < 1e-4


def test_letters_out_of_turn_change_nothing():
    """All that is on its way at a time arrives in any order: several letters of each step at once do."""
    steps = {"fit/keys", "fit/input", "fit/held", "fit/ready", "fit/link", "fit/run", "fit/faults", "fit/result"}
    each = 6  # of two owners and three who compute, and of each of those three to the other two
    draw = random.Random(3)
    for _ in range(4):
        held = {step: [] for step in steps}

        def mixed(letter, held=held):
            step = letter.label.step
            if step not in steps:
                return (letter,)
            held[step].append(letter)
            if len(held[step]) < each:
                return ()
            draw.shuffle(held[step])
            return tuple(held[step])

        desks, _ = sat(plan(), frames(rows=60), carry=mixed)
        assert np.abs(model(desks) - honest()).max() < 1e-4


def test_a_letter_for_one_that_reaches_another_is_no_letter():
    """Every share, sealed result and promise also goes to who it is not for, first."""
    others = {party: next(one for one in (*RANKS, SERVER, READER) if one != party) for party in (*RANKS, SERVER)}

    def strayed(letter):
        astray = others.get(letter.to, RANKS[1])
        return (type(letter)(letter.sender, astray, letter.label, letter.data), letter)

    desks, _ = sat(plan(), frames(rows=60), carry=strayed)
    assert np.abs(model(desks) - honest()).max() < 1e-4


class NullStore(Volatile):
    """An owner that would give its columns in every round: so that nothing but the letters keeps rounds apart."""

    def write(self, record):
        if not record.key.startswith(TRIED):
            super().write(record)


class Twice:
    """Two rounds of one run, by the same parties with the same keys."""

    def __init__(self, carry, folder):
        self.spec, self.folder = plan().spec, folder
        ledgers = {party: NullStore() for party in self.spec.sites}
        self.post = Memory((*self.spec.sites, *RANKS), digest(self.spec), carry=carry, ledgers=ledgers)

    def tools(self, party):
        """With the secrets of its runs: a round that is done again says the same of the same keys."""
        return Tools(secrets=RunSecrets(self.folder / party.name))

    def round(self, number, given, run="a run"):
        context, hub = RoundContext(self.spec, RoundId(run, number)), Hub()
        halves = {SERVER: direct(context, self.post.seat(SERVER))}
        halves |= {party: assist(context, PlainEngine(party, hub), self.post.seat(party)) for party in RANKS}
        for party in self.spec.sites:
            frame = given[party.name]
            keys, own = read_keys(frame, self.spec, party.name), read(frame, self.spec, party.name)
            halves[party] = bring(context, Brought(keys, own, self.tools(party)), self.post.seat(party))
        return self.post.round(context.round, halves)


def test_letters_of_an_earlier_round_or_run_count_in_no_later_one(tmp_path):
    old, later = [], [False]

    def again(letter):
        if later[0]:
            return (*(one for one in old if one.to == letter.to), letter)
        old.append(letter)
        return (letter,)

    parties = Twice(again, tmp_path)
    first = model(parties.round(1, frames(rows=60, seed=9)))
    later[0] = True
    for number, run in ((2, "a run"), (1, "another run")):
        second = model(parties.round(number, frames(rows=60), run))
        assert np.abs(second - honest()).max() < 1e-4
        assert np.abs(second - first).max() > 1e-2


GONE = ["fit/split", "fit/input", "fit/done", "psi/hello", "psi/sets", "psi/back", "psi/found", "psi/order"]


@pytest.mark.parametrize("step", GONE)
def test_of_an_owner_that_is_gone_the_server_is_not_blamed(step):
    """What others say of the server is that it had too few: it names the owner, before they would say it was silent."""
    gone = site("o0")
    desks, _ = sat(plan(), frames(rows=40), vanish=lambda party, _round, at: party == gone and at == step)
    aborts = {party: desk.abort for party, desk in desks.items() if desk.abort and party != gone}
    assert any(abort.party == gone for abort in aborts.values())
    assert not any(abort.party == SERVER and abort.cause is Cause.SILENT for abort in aborts.values())
    assert root_cause(aborts.pop(SERVER, None), aborts).party in (gone, None)
