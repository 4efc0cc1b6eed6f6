"""Attacks by repetition: a server and a receiver ask one approved intersection again and again, with other keys each
time, until a size has told members. What was put in at first stays for the run."""

import numpy as np
import pytest

from potluck.core.asks import Kind
from potluck.core.ledger import Volatile
from potluck.core.party import SERVER, site
from potluck.core.plan import digest
from potluck.core.rounds import Cause, Inbox, Record, RoundId
from potluck.core.wire import dump
from potluck.drivers.memory import Memory
from potluck.mpc.psi.commitment import Commitment
from potluck.mpc.psi.curve import split
from potluck.secret.container import Secret
from potluck.tasks.announcement import Announcement
from potluck.tasks.fit import halves as vertical
from potluck.tasks.matching.alignment import Keys, Tools
from support.mpc.psi_rig import Seeing, gathering, keys_of, met, results
from support.parties import fit_scene

ANN, BOB = site("ann"), site("bob")
GUESSES = ("ada", "bea", "cem", "dov", "eve")
TRUE = ("bea", "dov", "zoe")
"""Bob's keys. Ann makes hers up."""
WAYS = [(2, "size"), (2, "members"), (3, "size"), (3, "members")]


class Room:
    """One run whose honest owners (all but ann) keep ledger and secret of the run from round to round."""

    def __init__(self, count, reveal, to=("ann",), protocol="ecdh"):
        self.shape = {"reveal": reveal, "to": to, "protocol": protocol}
        self.count = count
        self.number = 0
        owners = gathering(count).owners
        self.ledgers = {party: Volatile() for party in owners if party != ANN}
        self.secrets = {party: Secret(party.name.encode().ljust(32)) for party in owners if party != ANN}

    def ask(self, word, **more):
        """A round of the server's and ann's making: she puts in one key, under a fresh secret and an empty ledger."""
        self.number += 1
        about = gathering(self.count, number=self.number, **self.shape)
        sets = [[word], TRUE, ["zoe", *GUESSES]][: self.count]
        return met(about, sets, ledgers=self.ledgers, secrets=self.secrets, **more)


def told(room):
    """What ann learns of her guesses: word -> whether bob has it, of the rounds that were not refused."""
    found = {}
    for word in GUESSES:
        desks = room.ask(word)
        if desks[ANN].abort is None:
            found[word] = bool(desks[ANN].result.held.size)
    return found


@pytest.mark.parametrize(("count", "reveal"), WAYS)
def test_server_and_receiver_cannot_ask_one_key_at_a_time(count, reveal):
    assert told(Room(count, reveal)) == {"ada": False}  # the one try that was approved


@pytest.mark.parametrize(("count", "reveal"), WAYS)
def test_without_the_commitment_they_learn_every_member(count, reveal, monkeypatch):
    monkeypatch.setattr(Commitment, "heard", lambda self, step: None)
    assert told(Room(count, reveal)) == {word: word in TRUE for word in GUESSES}


@pytest.mark.parametrize(("count", "reveal"), WAYS)
def test_the_other_owner_refuses_by_its_ledger_before_anything_of_its_keys_goes_back(count, reveal):
    room, sent = Room(count, reveal), []
    room.ask("ada")

    def carry(letter):
        sent.append((letter.sender, letter.label.step))
        return (letter,)

    desks = room.ask("bea", carry=carry)
    assert desks[BOB].abort.cause is Cause.REPLAY
    steps = {step for who, step in sent if who == BOB}
    assert not steps & {"psi/back", "psi/hop/2", "psi/tables", "psi/found"}


def test_a_helper_cannot_try_lists_of_its_own_on_an_honest_receiver():
    """The other way round: bob helps, reads the size too, and ann is honest."""
    ledger, secret, sizes = Volatile(), Secret(b"ann's".ljust(32)), []
    for number, word in enumerate(GUESSES, 1):
        about = gathering(2, reveal="size", number=number)
        desks = met(about, [TRUE, [word]], ledgers={ANN: ledger}, secrets={ANN: secret})
        sizes += [desks[BOB].result.held.size] if desks[BOB].abort is None else []
    assert sizes == [0]


@pytest.mark.parametrize("changed", [0, 1])
def test_an_owner_whose_own_keys_changed_says_nothing_more_in_the_run(changed):
    """One row appended between two tries of one size would come out as their difference."""
    ledgers, secrets = {ANN: Volatile(), BOB: Volatile()}, {ANN: Secret(bytes(32)), BOB: Secret(b"b" * 32)}
    sets = [["ada", "bea", "new"], ["bea", "cem"]]
    met(gathering(2, reveal="size"), sets, ledgers=ledgers, secrets=secrets)
    sets[changed] = [*sets[changed], "cem" if changed == 0 else "new"]
    sent = []

    def carry(letter):
        sent.append((letter.sender, letter.label.step))
        return (letter,)

    desks = met(gathering(2, reveal="size", number=2), sets, ledgers=ledgers, secrets=secrets, carry=carry)
    who = (ANN, BOB)[changed]
    assert desks[who].abort.cause is Cause.REPLAY
    assert {step for sender, step in sent if sender == who} <= {"stop"}  # not even how many keys it has


def test_without_its_record_an_appended_row_comes_out_as_a_difference(monkeypatch):
    monkeypatch.setattr(Commitment, "own", lambda self, digests: Record("keys/any", b"", again=True))
    monkeypatch.setattr(Commitment, "heard", lambda self, step: None)
    ledgers, secrets = {ANN: Volatile(), BOB: Volatile()}, {ANN: Secret(bytes(32)), BOB: Secret(b"b" * 32)}
    sizes = []
    for number, own in enumerate((["ada", "bea"], ["ada", "bea", "cem"]), 1):
        about = gathering(2, reveal="size", number=number)
        desks = met(about, [["bea", "cem"], own], ledgers=ledgers, secrets=secrets)
        sizes.append(desks[ANN].result.held.size)
    assert sizes == [1, 2]


@pytest.mark.parametrize(("count", "reveal"), [*WAYS, (4, "members")])
@pytest.mark.parametrize("dead", ["psi/sets", "psi/hop/2", "psi/back", "psi/tables", "psi/found", "psi/order"])
def test_a_round_that_a_crash_ended_is_done_again_with_the_same_keys(count, reveal, dead):
    owners = gathering(count).owners
    ledgers = {party: Volatile() for party in owners}
    secrets = {party: Secret(party.name.encode().ljust(32)) for party in owners}
    sets = [["ada", "bea", "cem"], ["bea", "cem", "dov"], ["cem", "bea", "x"], ["bea", "y", "cem"]][:count]
    kept = {"ledgers": ledgers, "secrets": secrets}
    met(gathering(count, reveal=reveal), sets, vanish=lambda who, at, step: who == BOB and step == dead, **kept)
    shuffled = [words[::-1] for words in sets]  # the same keys, whatever their order in the file
    found = results(gathering(count, reveal=reveal, number=2), shuffled, **kept)
    assert {one.held.size for one in found.values()} == {2}
    if reveal == "members":
        common = b"".join(sorted(split(keys_of(["bea", "cem"]), 16)))
        assert {one.held.common for one in found.values()} == {common}


def by_engines(room):
    """What ann learns of bob's keys by RR22, whose lists are never the same twice."""
    found = {}
    for word in GUESSES:
        shared = []
        desks = room.ask(word, engines={ANN: Seeing(shared), BOB: Seeing(shared)})
        if desks[ANN].abort is None:
            found[word] = bool(desks[ANN].result.held.size)
    return found


def test_engines_are_tried_once_a_run():
    assert by_engines(Room(2, "members", protocol="rr22")) == {"ada": False}


def test_without_the_one_try_engines_find_every_member(monkeypatch):
    monkeypatch.setattr(Commitment, "once", lambda self, number: Record(f"keys/any/{number}", b""))
    assert by_engines(Room(2, "members", protocol="rr22")) == {word: word in TRUE for word in GUESSES}


def test_a_record_says_nothing_to_who_can_guess_keys_and_has_not_the_secret():
    """The control has it."""
    keys, (mine, other) = keys_of(TRUE), (Secret(bytes(32)), Secret(b"o" * 32))
    written = Commitment("a run", mine).own(keys)
    assert Commitment("a run", other).own(keys).value != written.value
    assert Commitment("a run", mine).own(keys).value == written.value
    assert all(one not in written.value for one in split(keys, 16))
    assert "hidden" in repr(Commitment("a run", mine))


def test_to_fit_a_model_rows_are_matched_under_the_same_commitment():
    context = vertical.RoundContext(fit_scene.plan(align__protocol="ecdh").spec, RoundId("a run", 1))
    seat = Memory(context.plan.sites, b"f").seat(context.plan.sites[0])
    keys = Keys(keys_of(TRUE), np.arange(3), [])
    half = vertical.bring(context, vertical.Brought(keys, None, Tools()), seat)
    begin = next(half)
    said = dump(Announcement(digest(context.plan), Kind.FIT, 0, b""))
    hello = half.send(Inbox({SERVER: begin.take(SERVER, said)}))
    assert (hello.label.step, hello.record.key) == ("psi/hello", "keys/a run/own")
