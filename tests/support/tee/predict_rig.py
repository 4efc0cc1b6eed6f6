"""One prediction in an enclave for tests: the room in this process or the real process, and hosts that lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from potluck.core.desk import Desk
from potluck.core.ledger import Ledger
from potluck.core.party import SERVER, Party, site
from potluck.core.predicting import Asked, Dense, Meeting, Net, Scored, Trees
from potluck.core.rounds import RoundId
from potluck.drivers.memory import Carry, Memory, Vanish, faithfully, nobody
from potluck.tee.predict import messages as p
from potluck.tee.predict.compute import Scorer, scoring
from potluck.tee.predict.protection import Predicting
from potluck.tee.predict.server import Scoring, agreed_by
from potluck.tee.sum.compute import operations
from potluck.testing.draws import seeded
from potluck.testing.protection import Bodies, Play, honestly
from support.hostile.tampering import altering
from support.tee.rig import CODE, attest, judge, room

OWNER, CLIENT = site("hospital"), site("clinic")


def meeting(rows=50, *, run="run", number=1, digest=b"d" * 32):
    return Meeting(RoundId(run, number), digest, OWNER, CLIENT, "batch", rows)


def net(widths=(5, 1), activation="", seed=0):
    rng = np.random.default_rng(seed)
    layers = tuple(Dense(rng.normal(size=(b, a)), rng.normal(size=b)) for a, b in pairwise(widths))
    return Net(layers, activation, np.full(widths[0], -1.0), np.ones(widths[0]))


def trees(inputs=5, depth=3, count=4, outputs=1, seed=0):
    """Some, of columns of which the last one says that the first has no value."""
    rng, nodes = np.random.default_rng(seed), (1 << depth) - 1
    asked = tuple(
        Asked(rng.integers(0, inputs, nodes), rng.uniform(-1, 1, nodes), rng.random(nodes) < 0.5) for _ in range(count)
    )
    flags = np.array([inputs - 1, *[-1] * (inputs - 1)])
    return Trees(0.25, outputs, flags, asked, tuple(rng.normal(size=(count, nodes + 1))))


def rows(count=7, inputs=5, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, inputs))


def scorer(*seed, attest=attest, code=CODE, graphs=None):
    """An enclave's inside. One seed: one boot, so a second of it is the first put back."""
    return Scorer(seeded("scorer", *seed), attest, code, graphs)


@dataclass
class Beside:
    """Stands where the worker process does. hooks: op -> what is asked and answered instead."""

    inside: Scorer
    hooks: dict = field(default_factory=dict)
    generation: int = 1
    asked: list = field(default_factory=list)

    def __post_init__(self):
        self.table = operations(room()) | scoring(self.inside)

    def call(self, op, *buffers, deadline=0.0):
        self.asked.append((op, buffers))
        go, hook = self.table[op], self.hooks.get(op.rsplit(".", 1)[-1])
        answer = tuple(hook(lambda *more: go(None, *more), *buffers) if hook else go(None, *buffers))
        self.asked.append((op, answer))
        return answer

    def close(self):
        pass


def beside(inside=None, **hooks):
    """A host's handle on a room in this process."""
    enclave = Scoring()
    enclave._worker = Beside(inside or scorer(), hooks)
    return enclave


@dataclass
class Sat:
    """One prediction with repeatable keys. made: layers, trees, or a graph's file, and then features: columns by name.
    by: whose judge, else the built-in demand; theirs: the client's meeting."""

    made: Net | Trees | bytes = field(default_factory=net)
    features: np.ndarray | Mapping[str, np.ndarray] = field(default_factory=rows)
    meeting: Meeting = field(default_factory=meeting)
    enclave: Scoring = field(default_factory=beside)
    play: Mapping[Party, Play] = field(default_factory=dict)
    by: Mapping[Party, object] = field(default_factory=dict)
    carry: Carry = faithfully
    vanish: Vanish = nobody
    ledgers: Mapping[Party, Ledger] | None = None
    theirs: Meeting | None = None
    transcript: Bodies = field(default_factory=Bodies)

    def memory(self):
        return Memory(
            (OWNER, CLIENT), b"test", draw=seeded("keys"), carry=self.carry, vanish=self.vanish, ledgers=self.ledgers,
            transcript=self.transcript,
        )  # fmt: skip

    def run(self) -> Mapping[Party, Desk[object]]:
        memory = self.memory()
        seats = {
            party: replace(
                memory.seat(party), draw=seeded(str(party), self.meeting.round.run, self.meeting.round.number)
            )
            for party in (SERVER, OWNER, CLIENT)
        }
        of = {party: Predicting(self.by.get(party, judge()), None, self.enclave) for party in seats}
        responds = {bytes: of[OWNER].respond_graph, Trees: of[OWNER].respond_trees, Net: of[OWNER].respond}
        respond = responds[type(self.made)]
        query = of[CLIENT].query_graph if isinstance(self.features, dict) else of[CLIENT].query
        halves = {
            SERVER: of[SERVER].relay(self.meeting, seats[SERVER]),
            OWNER: respond(self.meeting, seats[OWNER], self.made),
            CLIENT: query(self.theirs or self.meeting, seats[CLIENT], self.features),
        }
        return memory.round(
            self.meeting.round,
            {party: self.play.get(party, honestly)(seats[party], half) for party, half in halves.items()},
        )

    def scored(self) -> Scored:
        desks = self.run()
        for desk in desks.values():
            if desk.abort is not None:
                raise desk.abort
        found = desks[CLIENT].result
        assert isinstance(found, Scored)
        return found

    def session(self):
        """The prediction as both ends compute it."""
        return p.session(agreed_by(self.meeting, self.memory().seat(SERVER)))


def telling(step, change, to=None):
    """A host that runs its half, but changes the bodies of one step: change(body) -> body."""
    return {SERVER: altering(lambda _, who, now, body: change(body) if now == step and to in (None, who) else body)}


def stopped(desks):
    """(cause, whom it names, why) of each end that stopped."""
    found = {}
    for party in (OWNER, CLIENT):
        abort = desks[party].abort
        if abort is not None:
            found[party] = abort.cause, abort.party, abort.detail
    return found


def sent(sat, step):
    """Whether a letter of this step left a site."""
    return any(move.label.step == step and move.sender != SERVER for move in sat.transcript.moves)
