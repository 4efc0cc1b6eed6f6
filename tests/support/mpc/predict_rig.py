"""A prediction on secret shares in memory: owner, client, server, three who compute; and the same in plain integers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from potluck.core.desk import Desk
from potluck.core.ledger import Ledger
from potluck.core.party import SERVER, Party, Role, site
from potluck.core.predicting import Dense, Meeting, Net, Scored
from potluck.core.rounds import RoundId
from potluck.drivers.memory import Carry, Memory, Vanish, faithfully, nobody
from potluck.mpc.predict import scale as s
from potluck.mpc.predict.protection import Predicting
from potluck.testing.protection import Bodies, Play, honestly

OWNER, CLIENT = site("hospital"), site("clinic")
RANKS = tuple(Party(Role.COMPUTE, name) for name in ("alpha", "beta", "gamma"))
ALPHA, BETA, GAMMA = RANKS


def meeting(rows, *, run="run", number=1, digest=bytes(range(32))) -> Meeting:
    return Meeting(RoundId(run, number), digest, OWNER, CLIENT, "batch", rows)


def net(widths, activation="", *, seed=0, size=1.0) -> Net:
    rng = np.random.default_rng(seed)
    layers = tuple(
        Dense(rng.normal(size=(after, before)) * size / before**0.5, rng.normal(size=after) * size)
        for before, after in pairwise(widths)
    )
    return Net(layers, activation, np.full(widths[0], -1.0), np.ones(widths[0]))


def features(made: Net, count: int, seed=0) -> np.ndarray:
    """Rows, the first two at the ends of their range."""
    found = np.random.default_rng(seed).uniform(-1, 1, (count, len(made.low)))
    found[:1], found[1:2] = 1, -1
    return found


def plain(made: Net, rows: np.ndarray) -> np.ndarray:
    """Margins in float64."""
    for place, layer in enumerate(made.layers):
        rows = rows @ layer.weights.T + layer.bias
        if place + 1 < len(made.layers):
            rows = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "square": np.square}[made.activation](rows)
    return rows


def scale(made: Net) -> s.Scale:
    return s.scale(s.widths(made), made.activation, s.norms(made))


def integers(made: Net, rows: np.ndarray) -> np.ndarray:
    """Margins as the ring should give them, bit for bit, from plain integers of Python. Not for tanh."""
    found = scale(made)
    x = s.features(rows).view(np.int64).reshape(rows.shape).astype(object)
    steps, at = s.weights(made, found).view(np.int64), 0
    for layer in found.layers:
        size = layer.outputs * (layer.inputs + 1)
        matrix = steps[at : at + size].reshape(layer.outputs, -1).astype(object)
        at += size
        x = x @ matrix[:, :-1].T + matrix[:, -1] * 2**layer.scale
        if layer.cut is not None:
            x = np.vectorize(_activated, otypes=[object])(x, made.activation, *layer.cut)
    return x.astype(np.float64) * 2.0**-found.fraction


def _activated(z, word, before, after):
    small = int(z) >> int(before)
    return (max(small, 0) if word == "relu" else small * small) >> int(after)


@dataclass
class Room:
    """One prediction. engines: shared by the rooms of a module; leaves: {party: the step at which it vanishes}."""

    engines: dict
    made: Net
    rows: np.ndarray
    meeting: Meeting
    carry: Carry = faithfully
    vanish: Vanish = nobody
    play: Mapping[Party, Play] = field(default_factory=dict)
    ledgers: Mapping[Party, Ledger] | None = None
    patience: float = 20.0
    theirs: Mapping[Party, Meeting] = field(default_factory=dict)
    ranks: tuple[Party, ...] = RANKS
    transcript: Bodies = field(default_factory=Bodies)

    def run(self) -> Mapping[Party, Desk[object]]:
        room = Predicting(self.ranks, self.patience, self.engines)
        memory = Memory(
            (OWNER, CLIENT, *self.ranks), b"test", carry=self.carry, vanish=self.vanish, ledgers=self.ledgers,
            transcript=self.transcript,
        )  # fmt: skip
        at, seat = (lambda party: self.theirs.get(party, self.meeting)), memory.seat
        halves = {
            SERVER: room.relay(at(SERVER), seat(SERVER)),
            OWNER: room.respond(at(OWNER), seat(OWNER), self.made),
            CLIENT: room.query(at(CLIENT), seat(CLIENT), self.rows),
            **{one: room.assist(at(one), seat(one)) for one in self.ranks},
        }
        played = {party: self.play.get(party, honestly)(seat(party), half) for party, half in halves.items()}
        return memory.round(self.meeting.round, played)

    def scored(self) -> Scored:
        desks = self.run()
        for desk in desks.values():
            if desk.abort is not None:
                raise desk.abort
        found = desks[CLIENT].result
        assert isinstance(found, Scored)
        return found


def room(engines, made=None, count=4, most=10, **more) -> Room:
    """A small prediction."""
    made = made or net((3, 1), seed=2)
    number = more.pop("number", 1)
    return Room(engines, made, features(made, count), meeting(most, number=number), **more)


def steps(sat: Room) -> set[str]:
    """Every step in which a letter moved."""
    return {move.label.step for move in sat.transcript.moves}


def end(engines) -> None:
    """The engines' processes are gone."""
    for engine in engines.values():
        engine.close()
    engines.clear()
