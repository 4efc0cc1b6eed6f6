"""What the server told parties of a coalition, of what it has to tell all alike: models, keys, and whose words count.

A protection that hides single updates rests on it. One model a step, or what a site adds says which model it was given.
One list of keys. One set of sites a round, or some give away the secret of a site that others think alive; and one set
for all exact sums of a kind that open in a run, or two of them differ by what one site adds. An honest server may name
fewer sites where one has gone: they refuse, and nothing opens.
Reference: Pasquini, Francati, Ateniese 2022, arXiv 2111.07380 (two models); Bonawitz and others 2017, section 6.2 (two
sets).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from potluck.audits.record import HINT, Letter
from potluck.core.asks import Ask
from potluck.core.errors import UsageError
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, RoundId
from potluck.core.wire import load
from potluck.dp.mechanism import mechanism
from potluck.he.sum import messages as he
from potluck.mpc.clear.site import INPUT as PLAIN
from potluck.mpc.mask import messages as mask
from potluck.tasks.announcement import BEGIN
from potluck.tasks.sums.halves import OPENED, Opening, terms
from potluck.tee.sum import messages as tee

MODEL, KEYS = "the model of a step", "the keys of a round"
NAMED, SUMMED = "the sites whose words count", "the sites of an exact sum"
ROSTERS = frozenset({mask.ROSTER, he.ROSTER})
"""Steps whose letter is the same to all."""
SETS: Mapping[str, Callable[[bytes], Iterable[int]]] = {
    mask.SURVIVORS: lambda body: load(body, mask.Survivors).givers,
    he.SURVIVORS: lambda body: (one.site for one in load(body, he.Survivors).givers),
    tee.SURVIVORS: lambda body: (one.site for one in load(body, tee.Survivors).givers),
}
"""Steps whose letter names the same sites to all: which, by their place in the plan."""


@dataclass(frozen=True, slots=True)
class Told:
    """One thing that a party was told. what: in words; alike: of all that have the same, one thing has to be said; to:
    who read it; said: the thing, or the hash of its letter."""

    what: str
    alike: tuple[object, ...]
    round: int
    to: str
    said: object = field(repr=False)


def told_in(letters: Sequence[Letter], plan: Plan, ask: Ask) -> Iterator[tuple[Told, Letter | None]]:
    """What the letters of one round say, beside the letter of which a hash alone was read. Raises UsageError: a body
    does not fit."""
    number = letters[0].line.round
    once = terms(plan, RoundId("", number), ask, mechanism(plan, ask)).once
    plain = any(one.line.step == PLAIN for one in letters)
    for letter in letters:
        line = letter.line
        if line.step == BEGIN:
            yield Told(MODEL, (ask.kind, ask.step), number, line.to, line.sha256), letter
        elif line.step in ROSTERS:
            yield Told(KEYS, (number,), number, line.to, line.sha256), letter
        elif line.step in SETS:
            yield Told(NAMED, (number,), number, line.to, _names(letter, plan)), None
        elif line.step == OPENED and not plain:
            yield Told(SUMMED, (once,), number, line.to, _names(letter, plan)), None


def unlike(told: Iterable[Told]) -> Iterator[list[Told]]:
    """Of what has to be alike and is not, all that was said."""
    groups: dict[object, list[Told]] = {}
    for one in told:
        groups.setdefault((one.what, one.alike), []).append(one)
    return (some for some in groups.values() if len({one.said for one in some}) > 1)


def sound(told: Sequence[tuple[Told, Letter | None]]) -> tuple[Told, ...]:
    """The same, without letters. Raises UsageError: what is not alike is damage, since a body is not as the index
    says."""
    letters = {id(one): letter for one, letter in told}
    for some in unlike(one for one, _ in told):
        for letter in (letters[id(one)] for one in some):
            if letter is not None:
                letter.checked()
    return tuple(one for one, _ in told)


def _names(letter: Letter, plan: Plan) -> frozenset[str]:
    body, step = letter.body(), letter.line.step
    try:
        if step == OPENED:
            return frozenset(load(body, Opening).givers)
        return frozenset(plan.federation.sites[place] for place in SETS[step](body))
    except (Abort, IndexError) as error:
        raise UsageError(f"names no sites of the plan ({error})", where=str(letter.path), hint=HINT) from None
