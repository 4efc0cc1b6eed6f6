"""Whether the server told parties different things where it has to tell all the same: evidence, of what they read.

No honest server does, and sites end a round in which they notice; so success says that somebody tried to get at single
updates, and not that it did. Parties that hold nothing to compare learn nothing: a site alone sees that a step came
back with another model, and two sites see that they were given two.
The control is a round of the program's own sites, in the clear, under a server that gives one of them another model.
Reference: Pasquini, Francati, Ateniese 2022, "Eluding Secure Aggregation in Federated Learning via Model
Inconsistency", arXiv 2111.07380.
"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict
from potluck.audits.control import bare, lines_of, scene_of
from potluck.audits.record import Record
from potluck.audits.seen import Seen, seen_by
from potluck.audits.told import MODEL, Told, unlike
from potluck.core.asks import Ask
from potluck.core.errors import PotluckError
from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan, digest
from potluck.core.prose import count, listed
from potluck.core.rounds import Abort, Exchange, Half, Label, Parcel, RoundId
from potluck.core.wire import dump
from potluck.drivers.memory import Memory
from potluck.drivers.transcript import Transcript
from potluck.learning.loops import build
from potluck.tasks.announcement import BEGIN, Announcement
from potluck.tasks.sums.halves import RoundContext, join
from potluck.tasks.sums.protections import row


@dataclass(frozen=True, slots=True)
class Said:
    """What a coalition was told, and of it what should have been alike and was not."""

    of: frozenset[str]
    told: tuple[Told, ...] = field(repr=False)
    unlike: tuple[tuple[Told, ...], ...]

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where the server contradicted itself. score: how often; baseline: none of an honest server."""
        if not self.unlike:
            return Verdict(False, f"the server contradicted itself nowhere: {self._looked}", 0.0, 0.0)
        first = self.unlike[0]
        rounds, heard = sorted({one.round for one in first}), sorted({one.to for one in first})
        where = f"round {', '.join(map(str, rounds))}, to {', '.join(heard)}; {len(self.unlike)} contradictions in all"
        said = f"it said {first[0].what} in {len({one.said for one in first})} ways ({where})"
        words = f"the server broke the protocol: {said}; so single updates are got out of protected sums"
        return Verdict(True, words, float(len(self.unlike)), 0.0)

    @property
    def _looked(self) -> str:
        """What was compared, and how often a step was asked again: that an honest server does after a round that broke,
        and sites answer over the same model and set of sites alone."""
        groups: dict[tuple[str, object], set[int]] = {}
        for one in self.told:
            groups.setdefault((one.what, one.alike), set()).add(one.round)
        again = sum(len(rounds) > 1 for (what, _), rounds in groups.items() if what == MODEL)
        rounds = len({one.round for one in self.told})
        steps = f"{count(again, 'step')} asked again" if again else "no step asked twice"
        return f"{listed(sorted({what for what, _ in groups}))} ({count(rounds, 'round')}, {steps})"


@dataclass(frozen=True, slots=True)
class Equivocation:
    """See the module."""

    name: str = "equivocation"
    sort: Sort = Sort.AGGREGATION
    reference: str = "Pasquini et al. 2022, arXiv 2111.07380"

    def fits(self, seen: Seen) -> str | None:
        """It needs two letters that have to say the same."""
        kinds = [(one.what, one.alike) for one in seen.told]
        return None if len(set(kinds)) < len(kinds) else "these parties read nothing twice that has to be alike"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """All contradictions, or that there is none."""
        of = frozenset(seen.plan.federation.sites) - seen.names
        return [Said(of, seen.told, tuple(map(tuple, unlike(seen.told))))]

    def control(self, seen: Seen, until: Until) -> Iterable[Scene]:
        """One round, as two of its sites read it."""
        try:
            return [_two_models(seen.plan, until)] if seen.plan.traits.trains else []
        except (Abort, PotluckError):
            return []


def _two_models(plan: Plan, until: Until) -> Scene:
    spec = bare(plan)
    assert spec.training is not None
    spec = msgspec.structs.replace(spec, training=msgspec.structs.replace(spec.training, rounds=2))
    honest, truth = scene_of(spec, lines_of(spec, 1, until.rng), until.before)
    ask = next(one.ask for one in honest.training() if one.ask.step == 1)  # the first model is the plan's
    other = bytearray(ask.state)
    other[:8] = bytes(8) if any(other[:8]) else b"\0\0\0\0\0\0\xe0\x3f"  # one number: 0, or 1/2
    with tempfile.TemporaryDirectory() as scratch:
        memory = Memory(spec.sites, digest(spec), transcript=Transcript(Path(scratch)))
        context = RoundContext(spec, build(spec), row(spec).build(spec, None), RoundId("control", 1))
        halves: dict[Party, Half[object]] = {SERVER: _liar(context, ask, bytes(other))}
        memory.round(
            context.round, halves | {one: join(context, truth[one.name], memory.seat(one)) for one in spec.sites}
        )
        return seen_by(Record.read(Path(scratch)), spec, {one.name for one in spec.sites[:2]}), truth


def _liar(context: RoundContext, ask: Ask, other: bytes) -> Half[None]:
    """The server, which gives its first site another model than the rest."""
    sites = context.plan.sites
    states = dict.fromkeys(sites, ask.state) | {sites[0]: other}
    said = {
        one: dump(Announcement(digest(context.plan), ask.kind, ask.step, memoryview(state)))
        for one, state in states.items()
    }
    label = Label(context.round, BEGIN)
    yield Exchange(label, send={one: Parcel(label, body) for one, body in said.items()})


EQUIVOCATION = Equivocation()
