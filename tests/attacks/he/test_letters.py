"""Altered letters of a threshold sum, each at one half: an abort with a name or the right sum, nothing else.

More than a hundred in the fast suite, more than a thousand in the slow one.

Three senders: a site that says something else than its half, a server that does, a network that carries something else.
"""

import random
from collections import Counter
from dataclasses import replace

import pytest

from potluck.core.desk import STOP
from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, Parcel
from potluck.core.stages import Guarded, Opened
from potluck.drivers.memory import Memory
from potluck.he.sum import messages as m
from potluck.testing.draws import seeded
from potluck.testing.protection import judged
from support.he.rogue import left, sitting
from support.he.tampered import Memories, altered
from support.hostile.tampering import altering

UP = [m.KEYS, m.SHARE, m.INPUT, m.PARTIAL, m.REBUILD]
DOWN = [m.ROSTER, m.RELAY, m.SURVIVORS, m.MISSING]
CAUSES = {
    Cause.TOO_FEW, Cause.COHORT, Cause.MALFORMED, Cause.SIGNATURE, Cause.KEYS, Cause.BOX, Cause.COMMITMENT,
    Cause.DEALER, Cause.SURVIVORS, Cause.RANGE, Cause.STOPPED, Cause.LATE, Cause.SILENT,
}  # fmt: skip


@pytest.fixture(scope="module")
def memories(workers):
    """One memory a cohort: keys, ciphertexts and partial decryptions are made once."""
    made = {}
    return lambda n, d: made.setdefault((n, d), Memories())


@pytest.fixture(scope="module")
def scene(workers, memories):
    """Makes rounds of a cohort whose engines remember. A step after the partials needs a site that gave none."""

    def make(n, d, step="", **more):
        leaves = {0: m.PARTIAL} if step in (m.MISSING, m.REBUILD) else {}
        return sitting(workers, n, d, rigs=memories(n, d).rigs(n), leaves=leaves, **more)

    return make


@pytest.fixture(scope="module")
def honest(scene):
    """What was said in an honest round: {(step, sender, to): body}."""
    said = {}

    def of(n, d, step, number):
        key = n, d, step in (m.MISSING, m.REBUILD), number
        if key not in said:
            sat = scene(n, d, step, number=number)
            assert isinstance(judged(sat, sat.run()), Opened)
            said[key] = {(at, sender, to): body for at, sender, to, body in sat.transcript.bodies}
        return said[key]

    return of


def elsewhere(said, earlier, step, sender, to):
    """Letters that were right in another place: another step's, another site's, the earlier round's."""
    same = [body for (at, _, _), body in said.items() if at == step]
    mine = [body for (_, who, whom), body in said.items() if sender in (who, whom)]
    old = [body for (at, who, whom), body in earlier.items() if at == step and (who, whom) == (sender, to)]
    return [*same, *mine, *old * 4]


def ended(sat, desks):
    """What the round came to: no wrong sum, and every abort is one of a few causes, with a party or a step."""
    for desk in desks.values():
        if desk.abort is not None:
            assert desk.abort.cause in CAUSES
            assert desk.abort.party or desk.abort.step, str(desk.abort)
    return judged(sat, desks)


# --- A site that says something else, at the server's half ---


@pytest.mark.parametrize(
    ("n", "d", "count"),
    [(3, 1, 8), *(pytest.param(*more, marks=pytest.mark.slow) for more in ((3, 1, 60), (5, 2, 20)))],
)
@pytest.mark.parametrize("step", UP)
def test_what_a_site_says_instead_of_a_letter_never_makes_a_wrong_sum(scene, honest, step, n, d, count):
    said, earlier = honest(n, d, step, 2), honest(n, d, step, 1)
    outcomes = Counter()
    for k in range(count):
        rng = random.Random(f"{step} {n} {k}")
        liar = site(f"s{rng.randrange(step == m.REBUILD, n)}")
        body = altered(rng, said[step, liar, SERVER], elsewhere(said, earlier, step, liar, SERVER))
        sat = scene(n, d, step, number=2)
        sat.play = {liar: altering(lambda seat, to, at, honestly, body=body: body if at == step else honestly)}
        desks = sat.run()
        outcome = ended(sat, desks)
        if isinstance(outcome, Opened):
            assert liar in desks[SERVER].lost, "an altered letter that nobody noticed"
            assert (liar in outcome.givers) == (step in (m.PARTIAL, m.REBUILD))
        else:
            # It is a drop-out unless that is one too many, or what is wrong shows in the sum alone.
            assert outcome.cause is (Cause.RANGE if not desks[SERVER].lost else Cause.TOO_FEW)
            assert not (outcome.cause is Cause.RANGE and step != m.PARTIAL)
            assert not (outcome.cause is Cause.TOO_FEW and (n, d, step) != (3, 1, m.REBUILD))
        outcomes[type(outcome)] += 1
    assert outcomes.keys() == {m.PARTIAL: {Opened, Abort}}.get(step, {Abort if (n, step) == (3, m.REBUILD) else Opened})


# --- A server that says something else, at a site's half ---


def hear(scene, said, step, index, bodies, n=4, d=1):
    """One site's half in a round by itself: it hears `bodies` of the server in order. Returns its desk and steps."""
    sat = scene(n, d, step, number=2)
    me = sat.terms.sites[index]
    memory = Memory(sat.terms.sites, b"test federation", draw=seeded("keys"))
    desk = memory.desk(
        me, sat.terms.round, sat.protection.give(sat.terms, sat.seat(memory, me), Guarded(sat.words[me]))
    )
    letters = desk.start()
    for at, body in bodies:
        letters += desk.accept(SERVER, Parcel(sat.terms.label(at), body))
    return desk, [letter.label.step for letter in letters]


@pytest.mark.parametrize("count", [15, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.parametrize("step", DOWN)
def test_whatever_the_server_says_instead_of_a_letter_a_site_stops_and_names_it(scene, honest, step, count):
    said, earlier = honest(4, 1, step, 2), honest(4, 1, step, 1)
    for k in range(count):
        rng = random.Random(f"{step} {k}")
        index = rng.randrange(step == m.MISSING, 4)
        me = site(f"s{index}")
        right = [(at, said[at, SERVER, me]) for at in DOWN if (at, SERVER, me) in said]
        body = altered(rng, said[step, SERVER, me], elsewhere(said, earlier, step, SERVER, me))
        if rng.random() < 0.3:  # the letter of the same step to another site
            body = said[step, SERVER, site(f"s{rng.choice([i for i in range(step == m.MISSING, 4) if i != index])}")]
        desk, steps = hear(scene, said, step, index, [(at, body if at == step else fit) for at, fit in right])
        if body == said[step, SERVER, me]:
            assert desk.abort is None  # rosters and signers are the same for all
            continue
        assert desk.abort is not None, "an altered letter that the site took"
        assert desk.abort.cause in CAUSES
        assert desk.abort.party == SERVER or (desk.abort.cause is Cause.BOX and step == m.RELAY)
        # A roster of fewer sites, still a cohort, may be true: then the next letter is one that does not fit it.
        wrong = DOWN.index(step) + 1
        assert steps in ([*UP[:wrong], STOP], [m.KEYS, m.INPUT, STOP] if step == m.ROSTER else []), "it went on"


def test_the_same_half_goes_on_to_the_end_when_nothing_is_altered(scene, honest):
    """So the test above can fail."""
    said = honest(4, 1, m.MISSING, 2)
    for index in range(1, 4):
        me = site(f"s{index}")
        desk, steps = hear(scene, said, m.MISSING, index, [(at, said[at, SERVER, me]) for at in DOWN])
        assert desk.abort is None
        assert steps == UP


# --- A network that carries something else ---


def carried(rng, step, whose, earlier, way):
    """A network that carries something else instead of one site's letter of a step: five ways in turn."""
    now = []

    def carry(letter):
        now.append(letter)
        if letter.label.step != step or whose not in (letter.sender, letter.to):
            return (letter,)
        again = [replace(old, to=letter.to) for old in earlier if old.label.step == step]
        others = [old.data for old in now if old.to == letter.to and old.sender != letter.sender]
        others += [old.data for old in now if old.sender == letter.sender and old is not letter]
        if way == 0 and others:
            return (replace(letter, data=rng.choice(others)),)
        if way == 1:
            return again
        if way == 2:
            return [*again, letter, *again]
        return (replace(letter, data=altered(rng, letter.data)),)

    return carry


@pytest.mark.parametrize("count", [5, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("step", [*UP, *DOWN])
def test_whatever_a_network_carries_instead_is_lost_and_nothing_else(scene, step, count):
    """Another letter of this round, those of the earlier round (alone, or around the right one), altered bytes."""
    kept = []

    def keep(letter):
        kept.append(letter)
        return (letter,)

    earlier = scene(3, 1, step, number=1, carry=keep)
    assert isinstance(judged(earlier, earlier.run()), Opened)
    for k in range(count):
        rng = random.Random(f"carried {step} {k}")
        whose = site(f"s{rng.randrange(step in (m.MISSING, m.REBUILD), 3)}")
        sat = scene(3, 1, step, number=2, carry=carried(rng, step, whose, kept, k % 5))
        desks = sat.run()
        outcome = ended(sat, desks)
        lost = k % 5 != 2
        assert desks[SERVER].lost.get(whose) == (Cause.SILENT if lost else None)
        if lost and step in (m.MISSING, m.REBUILD):
            assert outcome.cause is Cause.TOO_FEW
            continue
        early = lost and step in (m.KEYS, m.ROSTER, m.SHARE, m.RELAY, m.INPUT)
        assert outcome.givers == set(sat.terms.sites) - ({whose} if early else set())


def test_what_is_told_of_an_altered_letter_is_its_cause_and_whom_it_names(scene, honest):
    """No byte of it: neither in the error nor in what travels of it."""
    me, mark = site("s1"), b"a mark of sixteen"
    told = honest(4, 1, m.SURVIVORS, 2)[m.SURVIVORS, SERVER, me]
    bodies = {"at the end": told[:-17] + mark, "as all": mark * 9, "a hash": told[:3] + mark + told[20:]}
    for where, body in bodies.items():
        heard = []
        sat = scene(4, 1, m.SURVIVORS, number=2, carry=lambda letter, heard=heard: (heard.append(letter), letter)[1:])
        sat.play = {SERVER: altering(lambda seat, to, at, b, body=body: body if (to, at) == (me, m.SURVIVORS) else b)}
        desks = sat.run()
        assert isinstance(ended(sat, desks), Opened)
        assert desks[me].abort.party == SERVER, where
        assert 1 not in left(sat, m.PARTIAL)
        assert mark.decode() not in repr(vars(desks[me].abort)) + str(desks[me].abort)
        said = [letter.data for letter in heard if letter.sender == me]
        assert not any(mark in data for data in said)
        assert any(mark in letter.data for letter in heard), "the letter was altered"
