"""Claims about the end of a round in memory: whoever vanished has let go of its keys by then."""

from potluck.core.party import SERVER, site
from potluck.core.rounds import Exchange, Label, Parcel, RoundId
from potluck.drivers.memory import Memory

ROUND = RoundId("run", 1)
ASK, TELL = Label(ROUND, "ask"), Label(ROUND, "tell")


def waiting(said, name):
    """A half that waits for a letter, and says when it ends how it ended."""
    try:
        yield Exchange(TELL, send={SERVER: Parcel(ASK, b"")}, expect=frozenset({SERVER}), at_least=1)
    finally:
        said.append(name)


def asking(sites):
    inbox = yield Exchange(ASK, expect=frozenset(sites), at_least=1)
    yield Exchange(TELL, send={one: Parcel(TELL, b"") for one in inbox.got})


def test_the_half_of_a_party_that_vanished_has_ended_when_the_round_has():
    said, sites = [], (site("a"), site("b"))
    memory = Memory(sites, b"f", vanish=lambda party, round, step: party == site("b"))
    halves = {SERVER: asking(sites)} | {one: waiting(said, one.name) for one in sites}
    desks = memory.round(ROUND, halves)
    assert sorted(said) == ["a", "b"]
    assert desks[site("a")].done
    assert not desks[site("b")].done
