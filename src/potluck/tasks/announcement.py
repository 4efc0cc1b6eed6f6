"""The server's first letter of a round: which plan, which step of it, on which public model."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from potluck.core.asks import Ask, Kind
from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan, digest, required
from potluck.core.rounds import Abort, Cause, Exchange, Half, Label, Parcel, RoundId
from potluck.core.slices import Sliced
from potluck.core.steps import hear
from potluck.core.wire import dump, load

BEGIN = "begin"


class Announcement(msgspec.Struct, frozen=True, array_like=True):
    """What the server says of a round. kind, step: which of the plan's; state: the public model, empty where none.

    It is a view of the letter's bytes: a model is large, and is not copied.
    """

    plan: bytes
    kind: Kind
    step: int
    state: memoryview


@dataclass(frozen=True, slots=True)
class RoundContext:
    """What a party needs for the round of a task that has but one: the plan and the round's number."""

    plan: Plan
    round: RoundId


def only(plan: Plan) -> Ask:
    """What is asked in the round of a task that has but one."""
    return Ask(required(plan.traits.kind), 0, (), b"")


def announce(plan: Plan, ask: Ask, label: Label, to: Iterable[Party]) -> Half[None]:
    """The server says what the round is."""
    body = dump(Announcement(digest(plan), ask.kind, ask.step, memoryview(ask.state)))
    yield Exchange(label, send={party: Parcel(label, body) for party in to}, known=lambda: body)


def announced(plan: Plan, round_: RoundId) -> Half[Announcement]:
    """What the server says. Raises Abort(TERMS): it runs another plan."""
    heard: list[Announcement] = []

    def take(sender: Party, body: Sliced) -> Sliced:
        heard.append(load(body, Announcement, sender))
        return body

    yield hear(Label(round_, BEGIN), (SERVER,), hops=2, take=take)
    said = heard.pop()  # nobody else holds the model that it is a view of
    if said.plan != digest(plan):
        raise Abort(Cause.TERMS, party=SERVER, detail="the server runs another plan")
    return said


def begun(plan: Plan, round_: RoundId) -> Half[None]:
    """The server says that the round begins. Raises Abort(TERMS): of another plan, or none that this one has."""
    said, ask = (yield from announced(plan, round_)), only(plan)
    if (said.kind, said.step, said.state) != (ask.kind, ask.step, ask.state):
        raise Abort(Cause.TERMS, party=SERVER, detail="the plan has no such round")
