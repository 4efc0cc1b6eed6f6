"""A broker that drops, repeats, reorders, corrupts, delays, swaps and replays: the right sum or a named abort, in time.

Where the true letter arrives as well, whatever else arrives must not matter at all. Where it does not, the run may
stop, and must say why; a model that comes out is, bit for bit, that of the sites that gave.
"""

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
import pytest

from potluck.core.errors import Refused, Unreachable
from potluck.core.party import SERVER, Party, site
from potluck.core.rounds import Abort, RoundId
from potluck.secret.envelope import Header
from support.parties import across, scene
from support.parties.across import Across, quick
from support.parties.lines import Exchange

NAMES = "abcd"
PLAN = scene.plan()
BOUND = 60.0
PARTIES = (SERVER, *(site(name) for name in NAMES))


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("hostile"))


def about(data: bytes) -> Header:
    return msgspec.msgpack.decode(data[8 : 8 + int.from_bytes(data[4:8], "big")], type=Header)


def reference(givers: list[frozenset[str]]) -> str:
    """The digest of a run in one process over these givers, sum by sum."""

    def vanish(party: Party, round: RoundId, step: str) -> bool:
        return party != SERVER and round.number <= len(givers) and party.name not in givers[round.number - 1]

    return scene.Scene(scene.plan(), vanish=vanish).run().model.digest()


def judged(fed: Across, run: str = "ab" * 16, patience: float = 1.0) -> str:
    """ "right", or the cause of a named end. Raises AssertionError: another model, or too late."""
    began = time.monotonic()
    try:
        outcome, log = fed.run(quick(PLAN, patience), run, wait=6.0, repeats=2)
    except Abort as abort:
        return abort.cause.value
    except (Refused, Unreachable) as error:
        return error.what
    finally:
        assert time.monotonic() - began < BOUND
    givers = [frozenset(NAMES) - one.dropped.keys() for one in log.rounds]
    assert outcome.model.digest() == reference(givers)
    return "right" if all(one == frozenset(NAMES) for one in givers) else "right, of fewer"


def corrupt(data: bytes, where: str, rng: random.Random) -> bytes:
    """One change at a kind of place."""
    size = int.from_bytes(data[4:8], "big")
    first, last = {
        "magic": (0, 4),
        "length": (4, 8),
        "header": (8, 8 + size),
        "signature": (8 + size, 72 + size),
        "body": (72 + size, len(data)),
    }.get(where, (0, 0))
    if where == "cut":
        return data[: rng.randrange(len(data))]
    if where == "longer":
        return data + b"\0"
    place = rng.randrange(first, last)
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


PLACES = ("magic", "length", "header", "signature", "body", "cut", "longer")


@dataclass
class Hostile:
    """A carrier that turns to `act` for the letters of rounds that `chosen` names, and counts how often it did."""

    act: "Callable[[Hostile, Party, Party, bytes], Iterable[tuple[Party, bytes]]]"
    chosen: Callable[[Header], bool] = lambda header: header.number > 0
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    seen: list[tuple[Party, bytes]] = field(default_factory=list)
    held: list[tuple[Party, bytes]] = field(default_factory=list)
    applied: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, sender: Party, to: Party, data: bytes) -> Iterable[tuple[Party, bytes]]:
        with self.lock:
            out = ((to, data),)
            if self.chosen(about(data)):
                out = tuple(self.act(self, sender, to, data))
                self.applied += out != ((to, data),)
            self.seen.append((to, data))
            return out


def twice(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    yield from [(to, data)] * 3


def damaged_too(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    for where in PLACES:
        yield to, corrupt(data, where, it.rng)
    yield to, data


def to_all(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    for party in PARTIES:
        yield party, data


def with_old_ones(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    old = [one for one in it.seen if about(one[1]).number > 0]
    yield from it.rng.sample(old, min(len(old), 12))
    yield to, data


def with_old_words(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    """Hellos, proposals, answers and ends of what was before."""
    old = [one for one in it.seen if about(one[1]).number == 0]
    yield from it.rng.sample(old, min(len(old), 3))
    yield to, data


INJECTIONS = [twice, damaged_too, to_all, with_old_ones]
ADDED = [pytest.param(act, marks=pytest.mark.slow if act is not damaged_too else []) for act in INJECTIONS]


@pytest.mark.parametrize("act", ADDED, ids=lambda act: act.__name__)
def test_what_is_added_to_the_true_letters_cannot_matter(founded, tmp_path, act):
    hostile = Hostile(act)
    fed = Across(across.copy(founded, tmp_path / "f"), Exchange(hostile))
    with fed.attending(*NAMES):
        assert judged(fed, patience=10.0) == "right"
    assert hostile.applied > 20


def test_letters_of_an_earlier_run_cannot_matter_in_the_next(founded, tmp_path):
    hostile = Hostile(lambda it, sender, to, data: [(to, data)])
    fed = Across(across.copy(founded, tmp_path / "f"), Exchange(hostile))
    with fed.attending(*NAMES):
        assert judged(fed, patience=10.0) == "right"
        old = [one for one in hostile.seen if about(one[1]).step != "hello"]
        hostile.act = lambda it, sender, to, data: [*it.rng.sample(old, 10), (to, data)]
        assert judged(fed, "cd" * 16, patience=10.0) == "right"
    assert hostile.applied > 20
    assert any(about(data).step == "close" for _, data in old)


def dropping(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    if it.rng.random() > 0.04:
        yield to, data


def damaging(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    yield to, corrupt(data, it.rng.choice(PLACES), it.rng) if it.rng.random() < 0.04 else data


def swapping(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    """Two letters change their receivers."""
    if it.rng.random() > 0.08:
        yield to, data
    elif not it.held:
        it.held.append((to, data))
    else:
        other, first = it.held.pop()
        yield from [(other, data), (to, first)]


def delaying(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    """Some wait until five others have passed, and then come the last first."""
    if it.rng.random() < 0.15:
        it.held.append((to, data))
    else:
        yield to, data
    if len(it.held) > 5:
        yield from reversed(it.held)
        it.held.clear()


def anything(it: Hostile, sender: Party, to: Party, data: bytes) -> Iterator[tuple[Party, bytes]]:
    """All of it, now and then."""
    if it.rng.random() > 0.1:
        yield to, data
    else:
        acts = [dropping, damaging, swapping, delaying, with_old_words, *INJECTIONS]
        yield from it.rng.choice(acts)(it, sender, to, data)


def survives(folder, act, seed: int) -> str:
    hostile = Hostile(act, chosen=lambda header: True, rng=random.Random(seed))
    fed = Across(folder, Exchange(hostile))
    with fed.attending(*NAMES):
        how = judged(fed)
    assert hostile.applied > 0, "the control: the attack took place"
    return how


DISTURBANCES = [dropping, damaging, swapping, delaying, with_old_words, anything]


FEW = [pytest.param(act, marks=pytest.mark.slow if act is not anything else []) for act in DISTURBANCES]


@pytest.mark.parametrize("act", FEW, ids=lambda act: act.__name__)
def test_a_hostile_broker_cannot_bring_about_another_model(founded, tmp_path, act):
    print(act.__name__, survives(across.copy(founded, tmp_path / "f"), act, 1))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 20))
@pytest.mark.parametrize("act", DISTURBANCES, ids=lambda act: act.__name__)
def test_no_hostile_broker_can_bring_about_another_model(founded, tmp_path, act, seed):
    print(act.__name__, seed, survives(across.copy(founded, tmp_path / "f"), act, seed))


def test_the_control_another_model_would_not_go_unnoticed():
    assert reference([frozenset(NAMES)] * 4) != reference([frozenset("abc")] * 4)


@pytest.mark.slow
def test_a_first_sum_that_fails_after_its_survivors_were_agreed_on_can_be_done_again(founded, tmp_path):
    """Two faults in one round: a site's input is lost, then two signatures. The sites stand by the set they signed."""

    def act(it: Hostile, sender: Party, to: Party, data: bytes) -> list[tuple[Party, bytes]]:
        header = about(data)
        late = header.step == "mask/input" and sender.name == "d"
        unsigned = header.step == "mask/sign" and sender.name in ("b", "c")
        return [] if header.number == 1 and (late or unsigned) else [(to, data)]

    fed = Across(across.copy(founded, tmp_path / "f"), Exchange(Hostile(act)))
    with fed.attending(*NAMES):
        assert judged(fed) in ("right", "right, of fewer")
