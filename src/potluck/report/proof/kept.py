"""What `attack` and `audit` keep beside a run: the contract of those who write it and of the report.

No value of a row is in it, since a report is passed on: what an attack guessed is compared where it ran, and dropped.
Pictures of guesses are of rows that were made up for them (`MadeUp`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import reduce
from pathlib import Path
from typing import TypeVar

import msgspec

from potluck.core import private, prose
from potluck.core.errors import UsageError, reason
from potluck.core.schema import readable

ATTACKS, AUDITS = "attacks.json", "audits.json"
VERSION = 1
SILENT = (False, False, 0.0)
"""The weight of an audit that says nothing."""
HINT = "remove it, and attack or audit again"


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """The call that found something to which the newest did not come again."""

    minutes: float
    seed: int
    when: str


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """One attack's result, as in the JSON of `potluck attack`. taken: from a file of `--resume`; earlier: of that call,
    where the newest says less."""

    name: str
    sort: str
    of: tuple[str, ...]
    tried: bool
    succeeded: bool | None
    score: float | None
    baseline: float | None
    control: bool | None
    words: str
    taken: bool = False
    earlier: Earlier | None = None

    @property
    def weight(self) -> tuple[bool, bool, bool]:
        """The more it says the larger: a success most, then a failure where it works without protection; and of two
        alike one that was compared with true rows."""
        return self.succeeded is True, self.succeeded is False and self.control is True, self.score is not None

    @property
    def came(self) -> str:
        """What it came to, in a word."""
        return came(self.succeeded, self.control)


def came(succeeded: bool | None, control: bool | None) -> str:
    """What an attack came to, in a word. control: whether it works where nothing protects; else its failure tells
    nothing."""
    if succeeded is False and not control:
        return "no answer"
    return {True: "succeeded", False: "failed", None: "undecided"}[succeeded]


class Call(msgspec.Struct, frozen=True, kw_only=True, rename={"who": "as"}):
    """One call of `potluck attack`. before: an earlier run was read beside this one; when: ISO 8601, UTC."""

    who: tuple[str, ...]
    before: bool
    compared: bool
    minutes: float
    seed: int
    when: str
    attacks: tuple[Attack, ...]

    @property
    def names(self) -> str:
        """The coalition, in words."""
        return prose.listed(["the coordinator" if name == "server" else name for name in self.who])

    def after(self, before: "Call") -> "Call":
        """With what a call before came to, where this one says less: what was once found out is known, and less time,
        another seed or rows that are not here do not take it back."""
        here = dict(_numbered(self.attacks))
        lost = {
            key: one
            for key, one in _numbered(before.attacks)
            if (one.weight > here[key].weight if key in here else one.succeeded)
        }
        now = [(key, one) for key, one in here.items() if key not in lost]
        call = Earlier(minutes=before.minutes, seed=before.seed, when=before.when)
        known = [msgspec.structs.replace(one, earlier=one.earlier or call) for one in lost.values()]
        names = {one.name for one in known}
        kept = [one for _, one in now if one.of or one.name not in names]  # not that it found nothing, or was not tried
        return msgspec.structs.replace(self, attacks=(*kept, *known))


def _numbered(attacks: Sequence[Attack]) -> Iterator[tuple[tuple[str, tuple[str, ...], int], Attack]]:
    """By name and sites, each with its place among those that are alike in both."""
    seen = Counter[tuple[str, tuple[str, ...]]]()
    for one in attacks:
        yield (one.name, one.of, seen[one.name, one.of]), one
        seen[one.name, one.of] += 1


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What attacks found of made-up rows under one protection. attack: whose guesses stand here; found, near: of each
    row whether it was found, and how near the nearest guess is, in decibels; cells, pictures: these guesses; why:
    instead, why there are none."""

    title: str
    attack: str
    found: tuple[bool, ...]
    near: tuple[float, ...]
    why: str
    cells: tuple[tuple[str, ...], ...] = ()
    pictures: tuple[tuple[str, ...], ...] = ()


class MadeUp(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that are nobody's, one a site, and what attacks found of them under one protection after another.

    cells: by row and column, in the plan's units; pictures: instead, lines of 16 greys, a hexadecimal digit a pixel.
    """

    seed: int
    when: str
    columns: tuple[str, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()
    pictures: tuple[tuple[str, ...], ...] = ()
    views: tuple[View, ...] = ()


class Attacks(msgspec.Struct, frozen=True, kw_only=True):
    """`attacks.json`: the newest call of each coalition, with what an earlier one of it found, in the order in which
    they came."""

    version: int = VERSION
    plan_hash: str
    calls: tuple[Call, ...] = ()
    made_up: MadeUp | None = None

    def joined(self, found: Call | MadeUp) -> "Attacks":
        """With this in place of made-up rows, or of the call of the same coalition, whose successes stay."""
        if isinstance(found, MadeUp):
            return msgspec.structs.replace(self, made_up=found)
        same = [one for one in self.calls if ({*one.who}, one.before) == ({*found.who}, found.before)]
        others = [one for one in self.calls if one not in same]
        return msgspec.structs.replace(self, calls=(*others, reduce(Call.after, same, found)))


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What was proved of an epsilon, as in the JSON of `potluck audit`."""

    name: str
    claimed: float
    lower_bound: float
    confidence: float
    held: bool | None
    words: str
    taken: bool = False
    earlier: Earlier | None = None

    @property
    def weight(self) -> tuple[bool, bool, float]:
        """The more it says the larger: a broken promise most, then what was proved."""
        return self.held is False, True, self.lower_bound


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was found that is no epsilon, as there."""

    name: str
    held: bool | None
    words: str
    taken: bool = False
    earlier: Earlier | None = None

    @property
    def weight(self) -> tuple[bool, bool, float]:
        """As of a bound."""
        return self.held is False, self.held is not None, 0.0


class Audits(msgspec.Struct, frozen=True, kw_only=True):
    """`audits.json`: the newest call of `potluck audit` on made-up rows, with what an earlier one proved and it did
    not. when: ISO 8601, UTC."""

    version: int = VERSION
    plan_hash: str
    minutes: float
    seed: int
    when: str
    held: bool | None
    audits: tuple[Bound, ...]
    checks: tuple[Check, ...]

    @property
    def all(self) -> tuple[Bound | Check, ...]:
        """Bounds first."""
        return *self.audits, *self.checks

    def after(self, before: "Audits") -> "Audits":
        """With what a call before proved, where this one proved less: a bound that held in less time or with another
        seed is none the worse, and a broken promise is not mended by another try."""
        call = Earlier(minutes=before.minutes, seed=before.seed, when=before.when)
        now = {one.name: one for one in self.all}
        best = [
            msgspec.structs.replace(one, earlier=one.earlier or call)
            for one in before.all
            if one.weight > (now[one.name].weight if one.name in now else SILENT)
        ]
        known = {one.name for one in best}
        every = [*(one for one in self.all if one.name not in known), *best]
        said = {one.held for one in every}
        return msgspec.structs.replace(
            self,
            held=None if said == {None} else False not in said,
            audits=tuple(one for one in every if isinstance(one, Bound)),
            checks=tuple(one for one in every if isinstance(one, Check)),
        )


Kept = TypeVar("Kept", Attacks, Audits)


def read(path: Path, kind: type[Kept], plan_hash: str) -> Kept | None:
    """What was kept in a file; None where nothing was. plan_hash: of the plan that ran.

    Raises UsageError: it cannot be read, is another version's or damaged, or is about another plan.
    """
    try:
        found = msgspec.json.decode(private.read(path), type=readable(kind))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path), hint=HINT) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError("is not what this version keeps", where=str(path), hint=HINT) from None
    if found.version != VERSION:
        raise UsageError("is not what this version keeps", where=str(path), hint=HINT)
    if found.plan_hash != plan_hash:
        raise UsageError("is about another plan than the one that ran", where=str(path), hint=HINT)
    return found
