"""Whatever comes over the network, neither a site nor the server breaks, believes it, or fills up.

Driven one letter at a time over a network in memory. The bulk of the letters of hostile MEMBERS stands for letters that
were verified and opened (`hostile_letters.Confidant`), a share of them is really signed and sealed.
"""

import gc
import os
import random
import threading
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from potluck.core.party import SERVER, site
from potluck.core.plan import canonical, digest
from potluck.core.rounds import Label, Parcel, RoundId
from potluck.core.wire import dump
from potluck.learning.loops import build
from potluck.owner.access import read
from potluck.owner.requests import State
from potluck.parties.admission import tries
from potluck.parties.admission.session import Answer, Close, Closed, Hello, parcel
from potluck.parties.runners.flood import Pace
from potluck.parties.runners.site import Site
from support.hostile import letters as hostile_letters
from support.hostile import plans as hostile_plans
from support.hostile.proposals import announced, by_person, drained, proposal, server
from support.parties import across, scene
from support.parties.across import Across, quick

RUN, OTHER = "ab" * 16, "cd" * 16
GROWTH = 24 << 20
"""Bytes that a process may grow by, however many letters come."""
LINES = 12
"""Lines of the access log that letters of strangers may leave within a minute: one a cause."""
FEW, MANY = 300, 1_000_000
SIZES = [FEW, pytest.param(MANY, marks=pytest.mark.slow)]
ALL = 80
"""Letters that are sealed and opened with all the cryptography."""
HALVES = [FEW // 2, pytest.param(MANY // 2, marks=pytest.mark.slow)]


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("fuzzed"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def state(one: Site):
    """Everything that a letter must not change."""
    owner = one._consent._owner
    requests = [(r.run, r.state) for r in owner.requests._select("1")]
    return owner.ledger.head(), owner.ledger.spent(), requests, {run: seat.number for run, seat in one._seats.items()}


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def bounded():
    before = resident()
    yield
    assert resident() - before < GROWTH


def bugs(fed, name):
    return [e for e in read(fed.folder / name / "access.jsonl").entries if "internal error" in e.why]


def words_of_a_server(fed, spec):
    """Real bodies, to be mutated: proposals, announcements, ends."""
    return [
        dump(proposal(fed, spec)),
        dump(proposal(fed, spec, plan=b"{}")),
        announced(spec),
        dump(Close(b"")),
        dump(Hello(bytes(16))),
        msgspec.msgpack.encode(["bad signature", "site", "b"]),
    ]


@pytest.mark.parametrize("count", SIZES)
def test_strangers_and_brokers_cannot_make_a_site_do_anything(fed, count):
    rng, spec, me = random.Random(1), quick(scene.plan()), server(fed)
    by_person(fed, "a")
    sealed = [
        me.close(site("a"), Parcel(Label(RoundId(RUN, n), step), b"x" * 40))
        for n in (0, 1)
        for step in ("close", "begin")
    ]
    with fed.site("a", threading.Event()) as one:
        one._open(me.close(site("a"), parcel(RUN, proposal(fed, spec))))  # the control: it waits for its owner
        drained(fed, SERVER)
        before, lines = state(one), len(read(fed.folder / "a" / "access.jsonl").entries)
        assert before[2] == [(RUN, State.PENDING)]
        with bounded():
            for letter in hostile_letters.strangers(rng, sealed, count):
                one._open(letter)
        assert state(one) == before
        assert drained(fed, SERVER) == []
        assert len(read(fed.folder / "a" / "access.jsonl").entries) - lines <= LINES


@pytest.mark.parametrize("count", HALVES)
def test_a_lying_server_cannot_break_a_site_or_approve_anything_for_it(fed, count):
    rng, spec, me = random.Random(2), quick(scene.plan(privacy=scene.SHARED)), server(fed)
    good = words_of_a_server(fed, spec)
    by_person(fed, "a")
    with fed.site("a", threading.Event()) as one:
        one._open(me.close(site("a"), parcel(RUN, proposal(fed, spec))))
        before = state(one)
        for sealed in hostile_letters.parcels(rng, [RUN, OTHER], good, ALL):  # with all the cryptography
            one._open(me.close(site("a"), sealed))
        one._me = liar = hostile_letters.Confidant(one._me, SERVER)
        drained(fed, SERVER)
        with bounded():
            for said in hostile_letters.parcels(rng, [RUN, OTHER], good, count):
                one._open(liar.token(said))
                one._tick()
                drained(fed, SERVER)
        assert state(one)[1] == before[1] == 0
        assert State.APPROVED not in [found for _, found in state(one)[2]]
        assert one._seats == {}
        assert bugs(fed, "a") == []
        lines = len(read(fed.folder / "a" / "access.jsonl").entries)
        assert lines < 400 + count / 1000  # as many as its pace lets in


@pytest.mark.parametrize("rounds", [15, pytest.param(150, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "noise",
    [pytest.param(scene.NONE, marks=pytest.mark.slow, id="none"), pytest.param(scene.SHARED, id="shared")],
)
def test_a_lying_server_cannot_break_a_site_in_the_middle_of_a_round(fed, noise, rounds, monkeypatch):
    monkeypatch.setattr(tries, "TRIES", 1000)  # else the owner would be asked again
    rng, spec = random.Random(3), quick(scene.plan(privacy=noise))
    good = words_of_a_server(fed, spec)
    with fed.site("a", threading.Event()) as one:
        liar = hostile_letters.Confidant(one._me, SERVER)
        one._me, one._pace, one._repeats = liar, Pace(1e9, 1e9), Pace(1e9, 1e9)
        for number in range(1, rounds):
            one._open(liar.token(parcel(RUN, proposal(fed, spec))))
            begin = Label(RoundId(RUN, number), "begin")
            one._open(liar.token(Parcel(begin, announced(spec))))
            assert one._seats[RUN].desk is not None  # the control: it takes part
            for said in hostile_letters.parcels(rng, [RUN], good, 60):
                label = said.label if said.label.step != "close" else begin
                one._open(liar.token(Parcel(Label(RoundId(RUN, number), label.step), said.body)))
            drained(fed, SERVER)
        assert one._consent._owner.ledger.spent() == 0
        assert bugs(fed, "a") == []


@pytest.mark.parametrize("count", [30, pytest.param(4_000, marks=pytest.mark.slow)])
def test_no_plan_of_a_lying_server_breaks_a_site_that_would_approve_anything(fed, count):
    rng, plans = random.Random(4), hostile_plans.samples()
    codes = set()
    with fed.site("a", threading.Event()) as one, bounded_to(200 << 20):
        liar = one._me = hostile_letters.Confidant(one._me, SERVER)
        one._pace = Pace(1e9, 1e9)
        for number in range(count):
            run, spec = f"{number:032x}", rng.choice(plans)
            how = hostile_plans.mutated if rng.random() < 0.9 else hostile_plans.nonsense
            offer = msgspec.structs.replace(
                proposal(fed, plans[0]), plan=how(rng, spec), initial=rng.choice(first_states(plans))
            )
            one._open(liar.token(parcel(run, offer)))
            if run in one._seats:
                kind = rng.choice(["train", "evaluate", "statistics"])
                body = msgspec.msgpack.encode(
                    [digest(one._seats[run].part.plan), kind, rng.choice([0, 1, -1, 2**63]), b""]
                )
                one._open(liar.token(Parcel(Label(RoundId(run, 1), "begin"), body)))
                codes.add("granted")
            drained(fed, SERVER)
        assert bugs(fed, "a") == []
        assert one._consent._owner.ledger.spent() == 0
        codes |= {code for entry in read(fed.folder / "a" / "access.jsonl").entries for code in entry.why}
    assert {"granted", "plan", "initial"} <= codes  # the control: they got as far as they can


_STATES: list[bytes] = []


def first_states(plans):
    """What a server that follows its own plan would say of the first model."""
    if not _STATES:
        _STATES.extend(sha256(next(build(plan).lead()).state).digest() for plan in plans)
    return _STATES


@contextmanager
def bounded_to(most):
    before = resident()
    yield
    assert resident() - before < most


def fuzzed_server(fed, spec, fuzz):
    """A server in the middle of a round over all four sites, whose letters are `fuzz`'s business from there on."""
    with fed.coordinator(spec, RUN) as (coordinator, journal):
        for name in "abcd":
            guest = coordinator.participants.of[site(name)]
            guest.verdict, guest.boot = "granted", bytes(16)
        coordinator._drive = lambda round_: (coordinator._post(round_, round_.desk.start()), fuzz(coordinator, journal))
        coordinator._wait = 0.0
        task = build(spec)
        ask = next(task.lead())
        coordinator.attempt(ask, journal.begin(ask), {}, frozenset())


def listen(coordinator, fed, letter):
    fed.exchange.box(SERVER).put(letter)
    assert coordinator._listen(0.0)


@pytest.mark.parametrize("count", SIZES)
def test_strangers_and_brokers_cannot_make_the_server_do_anything(fed, count):
    rng, spec = random.Random(5), quick(scene.plan())
    with fed.site("a", threading.Event()) as one:
        real = [
            one._me.close(SERVER, Parcel(Label(RoundId(RUN, n), step), b"x" * 40))
            for n in (0, 1)
            for step in ("answer", "stop")
        ]

    def fuzz(coordinator, journal):
        desk, before = coordinator._round.desk, guests(coordinator)
        drained(fed, site("a"))
        with bounded():
            for letter in hostile_letters.strangers(rng, real, count):
                listen(coordinator, fed, letter)
        assert (guests(coordinator), desk.notices, desk.done) == (before, [], False)
        assert drained(fed, site("a")) == []
        assert len(fed.said) <= LINES

    fuzzed_server(fed, spec, fuzz)


@pytest.mark.parametrize("count", HALVES)
@pytest.mark.parametrize("word", ["mask", pytest.param("clear", marks=pytest.mark.slow)])
def test_a_lying_site_cannot_break_the_server_or_speak_for_others(fed, word, count):
    rng, spec = random.Random(6), quick(scene.plan(word=word))
    with fed.site("a", threading.Event()) as one:
        me, head = one._me.of(RUN), one._consent.head(RUN)

    def fuzz(coordinator, journal):
        asker = coordinator.participants._proposal.asker
        good = [
            dump(Answer("granted", (), head, bytes(16), 2, bytes(32), asker)),
            dump(Answer("denied", ("who",), head, bytes(16), 2, bytes(32), asker)),
            dump(Hello(bytes(range(16)))),
            dump(Closed(1.5, head)),
            msgspec.msgpack.encode(["bad signature", "site", "b"]),
        ]
        others = guests(coordinator)
        del others["a"]
        real = coordinator._me
        for said in hostile_letters.parcels(rng, [RUN], good, ALL):  # with all the cryptography
            listen(coordinator, fed, me.close(SERVER, said))
        liar = coordinator._me = hostile_letters.Confidant(real, site("a"))
        lines = len(coordinator.transcript.moves)
        with bounded():
            for said in hostile_letters.parcels(rng, [RUN], good, count):
                listen(coordinator, fed, liar.token(said))
                drained(fed, site("a"))
        now = guests(coordinator)
        del now["a"]
        assert now == others
        assert {who for who, _, _ in coordinator._round.desk.notices} <= {site("a")}
        assert len(coordinator.transcript.moves) - lines < 500 + count / 500
        assert len(fed.said) < 500 + count / 500
        assert all(text.isprintable() for _, text in fed.said)

    fuzzed_server(fed, spec, fuzz)


def guests(coordinator):
    return {
        party.name: (guest.verdict, guest.codes, guest.boot, guest.last)
        for party, guest in coordinator.participants.of.items()
    }


def test_a_letter_that_a_broker_repeats_is_heard_once(fed):
    spec, me = quick(scene.plan()), server(fed)
    with fed.site("a", threading.Event()) as one:
        letter = me.close(site("a"), parcel(RUN, proposal(fed, spec)))
        for _ in range(50):
            one._open(letter)
        assert len(drained(fed, SERVER)) == 1
        one._open(me.close(site("a"), parcel(RUN, proposal(fed, spec))))  # the server itself may ask again
        assert len(drained(fed, SERVER)) == 1


def large(key):
    one = scene.plan(privacy=scene.SHARED if key == "redo" else scene.NONE)
    if key == "layers":
        one = one.set("model", {"kind": "network", "layers": [4096] * 12}).set("training.method", "average")
    if key == "redo":
        one = one.set("privacy.redo", 2**63)
    if key == "bins":
        values = [{"name": f"h{i}", "kind": "histogram", "column": "x", "bins": 10_000} for i in range(4000)]
        spec = next(plan for plan in hostile_plans.samples() if plan.task == "statistics")
        return msgspec.structs.replace(spec, statistics=msgspec.convert(values, type=type(spec.statistics)))
    return one.spec


LARGE = ["layers", *(pytest.param(key, marks=pytest.mark.slow) for key in ("redo", "bins"))]


@pytest.mark.parametrize("key", LARGE)
def test_a_plan_too_large_to_compute_with_is_denied_before_room_is_made_for_it(fed, key):
    with fed.site("a", threading.Event()) as one, bounded_to(64 << 20):
        offer = proposal(fed, scene.plan().spec, plan=canonical(large(key)))
        decision = one._consent.decide(RUN, offer)
    assert (decision.verdict, decision.codes) == ("denied", ("plan",))


def test_a_server_that_asks_for_ever_more_runs_fills_no_memory(fed):
    by_person(fed, "a")
    offer = proposal(fed, scene.plan().spec)
    with fed.site("a", threading.Event()) as one:
        for number in range(40):
            one._consent.decide(f"{number:032x}", offer)
        assert len(one._consent._plans) <= 16


def test_names_from_a_server_cannot_move_the_cursor_of_an_owners_terminal(fed):
    spec = msgspec.structs.replace(scene.plan().spec, name="a\x1b[2Jb\u202ec[red]")
    with fed.site("a", threading.Event()) as one:
        one._consent.decide(RUN, proposal(fed, spec))
    said = " ".join(fed.heard["a"])
    assert said.isprintable()
    assert "\\u{1b}[2Jb" in said
