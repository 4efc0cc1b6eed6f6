"""Whatever is done to an intersection's letters, and whoever goes away, it ends by name or with the right result."""

import os
import signal
from contextlib import ExitStack, closing

import msgspec
import pytest

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import dump, load
from potluck.drivers.memory import Memory
from potluck.mpc.engine import Engine
from potluck.mpc.psi import messages as m
from potluck.mpc.psi import passing as psi_passing
from potluck.mpc.psi import server as psi_server
from potluck.mpc.psi import site as psi_site
from support.hostile.tampering import duplicated, flipped, swallowed, truncated
from support.mpc.psi_rig import gathering, keys_of, met, results

WORDS = {2: [["a", "b", "c"], ["b", "c", "d"]], 3: [["a", "b", "c"], ["b", "c", "d"], ["c", "d", "e"]]}
STEPS = {
    2: [m.HELLO, m.SETS, m.BACK, m.FOUND, m.ORDER],
    3: [m.HELLO, m.SEEDS, "psi/hop/1", "psi/hop/3", m.TABLES, m.FOUND, m.ORDER],
}
EACH = [(count, step) for count, steps in STEPS.items() for step in steps]


def ended(desks, about):
    """Every owner has the right result, or none; gives the aborts of those who have none."""
    right = results(about, WORDS[len(about.owners)])
    aborts = {}
    for party, desk in desks.items():
        if desk.abort is not None:
            aborts[party] = desk.abort
        elif party != SERVER and desk.result is not None:
            assert desk.result.held.common == right[party].held.common
    return aborts


@pytest.mark.parametrize(("count", "step"), EACH)
@pytest.mark.parametrize("harm", [flipped, truncated, swallowed])
def test_a_letter_that_is_changed_or_lost_ends_it_by_name(count, step, harm):
    about = gathering(count)
    bob = site("bob")
    aborts = ended(
        met(about, WORDS[count], carry=harm(lambda one: one.sender == bob and one.label.step == step)), about
    )
    assert aborts[SERVER].party == bob


@pytest.mark.parametrize(("count", "step"), EACH)
def test_a_letter_from_the_server_that_is_lost_stops_who_waits_for_it(count, step):
    about = gathering(count)
    bob = site("bob")
    desks = met(about, WORDS[count], carry=swallowed(lambda one: one.to == bob and one.label.step == step))
    aborts = ended(desks, about)
    assert bob in aborts
    assert aborts[bob].party == SERVER


@pytest.mark.parametrize("count", [2, 3])
def test_letters_that_come_again_change_nothing(count):
    about = gathering(count)
    assert ended(met(about, WORDS[count], carry=duplicated(lambda one: True)), about) == {}


@pytest.mark.parametrize(("count", "step"), EACH)
def test_an_owner_that_vanishes_is_named(count, step):
    about = gathering(count)
    desks = met(about, WORDS[count], vanish=lambda party, round_, at: party == site("bob") and at == step)
    aborts = ended(desks, about)
    assert aborts[SERVER].party == site("bob")
    assert site("ann") in aborts
    assert all(desk.done for party, desk in desks.items() if party != site("bob"))


@pytest.fixture
def lying(monkeypatch):
    """A server that changes the bundle it hands to bob in one step, by a function of (bundle, all notes so far)."""

    def lie(step, change):
        real, seen = psi_server.routed, []

        def routed(about, at, hops):
            half = real(about, at, hops)
            inbox = None
            while True:
                try:
                    exchange = half.send(inbox)
                except StopIteration:
                    return
                for party, parcel in exchange.send.items():
                    bundle = load(parcel.body, m.Bundle)
                    seen.extend(bundle.notes)
                    if at == step and party == site("bob"):
                        parcel = msgspec.structs.replace(bundle, notes=change(bundle.notes, list(seen)))
                        exchange.send[party] = type(exchange.send[party])(exchange.label, dump(parcel))
                inbox = yield exchange

        monkeypatch.setattr(psi_server, "routed", routed)

    return lie


def flip(note):
    return msgspec.structs.replace(note, box=note.box[:-1] + bytes([note.box[-1] ^ 1]))


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda notes, seen: tuple(map(flip, notes)), Cause.SIGNATURE),
        (lambda notes, seen: (), Cause.MALFORMED),
        (lambda notes, seen: notes * 2, Cause.MALFORMED),
        (lambda notes, seen: tuple(msgspec.structs.replace(note, who=9) for note in notes), Cause.MALFORMED),
        (lambda notes, seen: (seen[0],), Cause.SIGNATURE),
        (lambda notes, seen: tuple(msgspec.structs.replace(note, who=2) for note in notes), Cause.SIGNATURE),
    ],
    ids=["changed", "dropped", "twice", "from nobody", "another's", "in another's name"],
)
@pytest.mark.parametrize("step", ["psi/hop/2", m.ORDER])
def test_a_server_that_changes_notes_is_noticed(lying, step, change, cause):
    lying(step, change)
    desks = met(gathering(3), WORDS[3])
    assert desks[site("bob")].abort.cause is cause


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda said: msgspec.structs.replace(said, count=said.count + 1), Cause.SIGNATURE),
        (lambda said: msgspec.structs.replace(said, box=bytes(len(said.box))), Cause.SIGNATURE),
        (lambda said: msgspec.structs.replace(said, certificate=b"another"), Cause.SIGNATURE),
    ],
    ids=["count", "key", "certificate"],
)
def test_a_hello_that_the_server_changes_is_noticed_by_whoever_reads_it(monkeypatch, change, cause):
    real = psi_server.dump

    def dumped(value):
        if isinstance(value, m.Hellos):
            value = m.Hellos((value.hellos[0], change(value.hellos[1])))
        return real(value)

    monkeypatch.setattr(psi_server, "dump", dumped)
    why = met(gathering(2), WORDS[2])[site("ann")].abort
    assert why.cause is cause


@pytest.mark.parametrize("step", [m.SETS, m.BACK])
def test_points_that_cannot_be_are_refused(monkeypatch, step):
    real = psi_passing.passed

    def passed(circle, at, send, awaited):
        if at == step and circle.me.party == site("bob"):
            send = {party: body[:-32] + body[:32] for party, body in send.items()}
        return (yield from real(circle, at, send, awaited))

    monkeypatch.setattr("potluck.mpc.psi.two.passed", passed)
    desks = met(gathering(2), WORDS[2])
    why = desks[site("ann")].abort
    assert (why.cause, why.party) == (Cause.MALFORMED, site("bob"))


def test_more_keys_than_a_letter_carries_are_refused(monkeypatch):
    monkeypatch.setattr(m, "MOST", 2)
    desks = met(gathering(2), WORDS[2])
    assert desks[site("ann")].abort.cause is Cause.RANGE


def engines(about, stack):
    return {party: stack.enter_context(closing(Engine(3, protocol="RR22"))) for party in about.owners}


def test_a_certificate_of_another_round_is_refused_by_name(mpc_engine):
    about = gathering(2, protocol="rr22")
    with ExitStack() as stack:
        made = engines(about, stack)
        bob, real = site("bob"), made[site("bob")].offer
        made[bob].offer = lambda party, round_: real(party, type(round_)(round_.run, round_.number + 1))
        desks = met(about, WORDS[2], engines=made)
    why = desks[site("ann")].abort
    assert (why.cause, why.party) == (Cause.KEYS, bob)


@pytest.mark.slow
@pytest.mark.parametrize("step", [m.HELLO, m.LINK, m.ASKED])
def test_an_engine_that_is_killed_is_named_and_nobody_hangs(mpc_engine, step):
    about = gathering(2, protocol="rr22")
    bob = site("bob")
    with ExitStack() as stack:
        made = engines(about, stack)
        for one in made.values():
            one._worker.start()

        def kill(party, round_, at):
            if party == bob and at == step and made[bob].pid:
                os.kill(made[bob].pid, signal.SIGKILL)
            return False

        desks = met(about, WORDS[2], engines=made, vanish=kill)
    assert all(desk.done for desk in desks.values())
    why = desks[bob].abort or desks[site("ann")].abort
    assert why.cause is Cause.ENGINE
    assert why.party == bob


@pytest.mark.slow
@pytest.mark.parametrize("step", [m.LINK, m.ASKED, m.FOUND])
def test_an_owner_with_an_engine_that_vanishes_is_named(mpc_engine, step):
    about = gathering(2, protocol="rr22")
    with ExitStack() as stack:
        made = engines(about, stack)
        gone = lambda party, round_, at: party == site("bob") and at == step  # noqa: E731
        desks = met(about, WORDS[2], engines=made, vanish=gone)
    assert desks[SERVER].abort.party == site("bob")
    assert desks[site("ann")].done


def test_without_an_engine_rr22_says_so():
    about = gathering(2, protocol="rr22")
    half = psi_site.meet(about, Memory(about.owners, about.digest).seat(site("ann")), keys_of(["a"]))
    with pytest.raises(Abort, match="needs an engine"):
        next(half)
