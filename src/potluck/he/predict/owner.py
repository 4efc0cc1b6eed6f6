"""The owner's half of a private prediction: score what one cannot see.

The owner trusts no length and no signature unchecked, and its engine parses a client's bytes only after both; an
engine that such bytes bring down is `Abort(ENGINE)`. It scores at most `meeting.rows` rows and writes down how many
before the first score leaves. Replies are re-randomised under the client's key, but they are NOT circuit-private:
their noise depends on the weights, and as many scores as a linear model has weights give the model away anyhow.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from potluck.core.party import SERVER
from potluck.core.predicting import Meeting, Net, scored
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel, Record
from potluck.core.steps import ask_server, blaming
from potluck.core.wire import dump, load
from potluck.he.predict.circuit import Compiled, Layout, compile
from potluck.he.predict.ckks import Ckks, fits, key_sizes
from potluck.he.predict.messages import Greeting, Hello, Offer, Talk, Thread, answer, ask
from potluck.he.predict.work import HOPS
from potluck.secret.box import SEED, BoxKey, PublicBoxKey
from potluck.secret.container import Secret

if TYPE_CHECKING:
    from potluck.engines.worker import Worker

Take = Callable[[Sequence[bytes], int], None]
"""Takes bodies of a letter, and how many came before."""


@dataclass(slots=True)
class _Answering:
    """The owner's end: it takes asks until a block is complete, and answers each."""

    meeting: Meeting
    talk: Talk
    body: bytes

    def collect(self, sizes: Sequence[int], take: Take) -> Half[None]:
        """As many bodies as `sizes` lists, each measured and taken as it comes; the last ask is left unanswered.

        Raises Abort(MALFORMED) naming the client: another size, or more than that.
        """
        taken = 0
        while True:
            step = ask(self.talk.number)
            letter = yield from ask_server(self.meeting.label, answer(self.talk.number - 1), self.body, step, hops=HOPS)
            bodies = self.talk.read(step, letter)
            if not bodies or not fits(bodies, sizes[taken : taken + len(bodies)]):
                detail = "keys or ciphertexts of another size than offered"
                raise Abort(Cause.MALFORMED, party=self.meeting.client, step=step, detail=detail)
            take(bodies, taken)
            taken += len(bodies)
            if taken == len(sizes):
                return
            self.put(())

    def put(self, bodies: Sequence[bytes]) -> None:
        """Write the answer to the last ask; it leaves with the next wait."""
        self.body = self.talk.write(answer(self.talk.number), tuple(bodies))
        self.talk.number += 1


def respond(worker: "Worker", meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
    """See `core.predicting.Predict`. Raises PlanError: no set carries it; Abort(REFUSED): too many rows."""
    assert meeting.mode == "batch" or meeting.mode == "single"  # the plan's check refuses others
    compiled = compile(net, meeting.mode, meeting.rows)
    inbox = yield Exchange(meeting.label(ask(0)), expect=frozenset({SERVER}), at_least=1, hops=HOPS)
    thread = Thread(meeting)
    _, content = thread.check(me.verify, ask(0), (meeting.client, me.party), inbox.got[SERVER], SERVER)
    hello = load(content, Hello, meeting.client)
    if hello.rows > meeting.rows:
        detail = f"asks for {hello.rows} rows, {meeting.rows} are allowed"
        raise Abort(Cause.REFUSED, party=meeting.client, step=ask(0), detail=detail)
    layout = compiled.layout
    engine = Ckks(layout.levels, worker)
    blocks = layout.blocks(hello.rows)
    engine.model(compiled, blocks)
    answering = _greet(meeting, me, thread, hello, offer_of(net, compiled))
    yield from answering.collect(key_sizes(layout), lambda keys, at: engine.accept(layout, keys, at))
    answering.put(())
    record: Record | None = scored(meeting, hello.rows)
    for rows in blocks:
        sizes = [layout.levels.ciphertext(layout.start)] * layout.sent(rows)
        block: list[bytes] = []
        yield from answering.collect(sizes, _into(block))
        answering.put(engine.score(rows, block))
        if record:
            yield Exchange(meeting.label(answer(answering.talk.number - 1)), record=record)
            record = None
    label = meeting.label(answer(answering.talk.number - 1))
    yield Exchange(label, send={SERVER: Parcel(label, answering.body)})


def _into(block: list[bytes]) -> Take:
    return lambda bodies, _: block.extend(bodies)


def _greet(meeting: Meeting, me: Credentials, thread: Thread, hello: Hello, offer: Offer) -> _Answering:
    with blaming(meeting.client):
        theirs = PublicBoxKey(hello.box)
    key = BoxKey(Secret(me.draw(SEED)))
    box = theirs.seal(dump(offer), thread.info(answer(0), me.party, meeting.client))
    letter = thread.sign(me, answer(0), meeting.client, True, dump(Greeting(key.public, box)))
    return _Answering(meeting, Talk(thread, me, meeting.client, key, theirs), letter)


def offer_of(net: Net, compiled: Compiled) -> Offer:
    """What the client is told. Reveals: how deep and about how wide the network is, and a bound of its margins."""
    layout: Layout = compiled.layout
    ranges = [np.ascontiguousarray(end, "<f8").tobytes() for end in (net.low, net.high)]
    return Offer(
        set=layout.levels.name,
        start=layout.start,
        mode=layout.mode,
        outputs=layout.outputs,
        first_rows=layout.first_rows,
        multiply=layout.multiply,
        rotations=layout.rotations,
        together=layout.together,
        low=ranges[0],
        high=ranges[1],
        exponent=compiled.exponent,
        activation=net.activation,
        degree=compiled.degree,
        bound=compiled.bound,
        cost=compiled.cost,
        misfit=compiled.misfit,
    )
