"""What attacks found, for people who never read a paper: first in a sentence, then by attack and with its control."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.core import prose
from potluck.report import words
from potluck.report.proof.aims import AIMS, ALIKE, WHICH
from potluck.report.proof.kept import ATTACKS, Attack, Attacks, Bound, Call, Check, Earlier, read

WORKS = {True: "works", False: "fails too", None: "not made"}


@dataclass(frozen=True, slots=True)
class Line:
    """One attack on the rows of some sites. aim: what it is after; came: as of `kept.came`; control: of the same attack
    where nothing protects."""

    name: str
    aim: str
    of: str
    came: str
    control: str
    words: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What one coalition tried. where: it read; which: to believe, of attacks that ask the same; left: attacks that
    could not be tried, and why."""

    who: str
    where: str
    said: str
    how: str
    lines: tuple[Line, ...]
    which: str
    left: tuple[tuple[str, str], ...]
    broke: bool


def found(folder: Path, plan_hash: str) -> tuple[Tried, ...]:
    """What was kept of attacks on the run in a folder; nothing where none was made. Raises UsageError: damaged."""
    kept = read(folder / ATTACKS, Attacks, plan_hash)
    return tuple(map(_tried, kept.calls)) if kept else ()


def _tried(call: Call) -> Tried:
    tried = [one for one in call.attacks if one.tried]
    # Those that succeeded stand first, then what nobody can decide.
    order = sorted(tried, key=lambda one: (one.succeeded is not True, one.succeeded is False))
    left = tuple((one.name, one.words) for one in call.attacks if not one.tried)
    compared = (
        f" What this call found was {'' if call.compared else 'not '}compared with the true rows." if tried else ""
    )
    where = "in this run and an earlier one" if call.before else "in this run"
    lines, broke = tuple(map(_line, order)), any(one.succeeded for one in tried)
    said, which = _said(f"{call.names} read {where}", tried), WHICH if {one.name for one in tried} >= ALIKE else ""
    how = f"Tried {of_call(call)}.{compared}{taken(call.attacks)}"
    return Tried(call.names, where, said, how, lines, which, left, broke)


def found_by(one: Attack | Bound | Check) -> str:
    """Of what an earlier call found, which one: the head is about the newest; and whether it was looked for at all."""
    before = f". An earlier call found this, {of_call(one.earlier)}" if one.earlier else ""
    return before + (". It was taken from a file of --resume" if one.taken else "")


def taken(every: Sequence[Attack | Bound | Check]) -> str:
    """Of answers that come from a file, which: whoever could write it could write anything."""
    names = list(dict.fromkeys(one.name for one in every if one.taken))
    if not names:
        return ""
    many = f"{prose.count(len(names), 'answer')} {prose.agree(len(names), 'was', 'were')} taken"
    return f" {prose.capital(many)} from a file of --resume, and nobody vouches for that file: {prose.listed(names)}."


def of_call(call: Call | Earlier) -> str:
    """When, how long and how it was made."""
    return f"on {words.moment(call.when)}, for at most {words.duration(60 * call.minutes)}, seed {call.seed}"


def _said(what: str, tried: Sequence[Attack]) -> str:
    """The outcome in a sentence. what: was read, and by whom."""
    won = list(dict.fromkeys(one.name for one in tried if one.succeeded))
    every = list(dict.fromkeys(one.name for one in tried))
    if not every:
        return f"No attack could be tried with what {what}, since none has what it needs there: this says nothing."
    if won:
        return f"{len(won)} of {prose.count(len(every), 'attack')} succeeded with what {what}: {prose.listed(won)}."
    sure = sum(any(one.control for one in tried if one.name == name) for name in every)
    many = prose.count(len(every), "attack")
    works = "All work" if sure == len(every) else f"{sure} of them {prose.agree(sure, 'works', 'work')}"
    return f"None of {many} succeeded with what {what}. {works} on made-up rows that nothing protects."


def _line(one: Attack) -> Line:
    of = prose.listed(one.of) if one.of else "none found"
    return Line(
        one.name,
        AIMS.get(one.name, one.sort),
        of,
        one.came,
        WORKS[one.control],
        prose.capital(one.words) + found_by(one),
    )
