"""A prediction in memory: an owner, a client and a server with the room's halves, and nets drawn by seed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from potluck.core.desk import Desk
from potluck.core.ledger import Ledger
from potluck.core.party import SERVER, Party, site
from potluck.core.predicting import Dense, Meeting, Net, Scored
from potluck.core.rounds import RoundId
from potluck.drivers.memory import Carry, Memory, faithfully
from potluck.he.predict.protection import Predicting
from potluck.testing.protection import Bodies, Play, honestly

OWNER, CLIENT = site("hospital"), site("clinic")
DIGEST = bytes(range(32))


def meeting(mode, rows, *, run="run", number=1, digest=DIGEST) -> Meeting:
    return Meeting(RoundId(run, number), digest, OWNER, CLIENT, mode, rows)


def net(widths, activation="", *, seed=0, size=1.0, low=-1.0) -> Net:
    rng = np.random.default_rng(seed)
    layers = tuple(
        Dense(rng.normal(size=(b, a)) * size / np.sqrt(a), rng.normal(size=b) * size) for a, b in pairwise(widths)
    )
    return Net(layers, activation, np.full(widths[0], low), np.ones(widths[0]))


def rows(made: Net, count: int, seed=0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(made.low, made.high, (count, len(made.low)))


def plain(made: Net, features: np.ndarray) -> np.ndarray:
    for place, layer in enumerate(made.layers):
        features = features @ layer.weights.T + layer.bias
        if place + 1 < len(made.layers):
            features = {"relu": lambda z: np.maximum(z, 0), "tanh": np.tanh, "square": np.square}[made.activation](
                features
            )
    return features


@dataclass
class Room:
    """One prediction. theirs: the meeting as the client has it, where it differs."""

    predicting: Predicting
    meeting: Meeting
    made: Net
    features: np.ndarray
    carry: Carry = faithfully
    play: Mapping[Party, Play] = field(default_factory=dict)
    ledgers: Mapping[Party, Ledger] | None = None
    theirs: Meeting | None = None
    transcript: Bodies = field(default_factory=Bodies)

    def run(self) -> Mapping[Party, Desk[object]]:
        memory = Memory((OWNER, CLIENT), b"test", carry=self.carry, ledgers=self.ledgers, transcript=self.transcript)
        halves = {
            SERVER: self.predicting.relay(self.meeting, memory.seat(SERVER)),
            OWNER: self.predicting.respond(self.meeting, memory.seat(OWNER), self.made),
            CLIENT: self.predicting.query(self.theirs or self.meeting, memory.seat(CLIENT), self.features),
        }
        played = {party: self.play.get(party, honestly)(memory.seat(party), half) for party, half in halves.items()}
        return memory.round(self.meeting.round, played)

    def scored(self) -> Scored:
        desks = self.run()
        for desk in desks.values():
            if desk.abort is not None:
                raise desk.abort
        scored = desks[CLIENT].result
        assert isinstance(scored, Scored)
        return scored
