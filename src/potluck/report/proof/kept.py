"""What `attack` and `audit` keep beside a run: the contract of those who write it and of the report.

No value of a row is in it, since a report is passed on: what an attack guessed is compared where it ran, and dropped.
Pictures of guesses are of rows that were made up for them (`MadeUp`).
"""

from pathlib import Path
from typing import TypeVar

import msgspec

from potluck.core import prose
from potluck.core.errors import UsageError, reason
from potluck.core.schema import readable

ATTACKS, AUDITS = "attacks.json", "audits.json"
VERSION = 1
HINT = "remove it, and attack or audit again"


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """One attack's result, as in the JSON of `potluck attack`."""

    name: str
    sort: str
    of: tuple[str, ...]
    tried: bool
    succeeded: bool | None
    score: float | None
    baseline: float | None
    control: bool | None
    words: str

    @property
    def came(self) -> str:
        """What it came to, in a word."""
        return {True: "succeeded", False: "failed", None: "undecided"}[self.succeeded]


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
    """`attacks.json`: the newest call of each coalition, in the order in which they came."""

    version: int = VERSION
    plan_hash: str
    calls: tuple[Call, ...] = ()
    made_up: MadeUp | None = None

    def joined(self, found: Call | MadeUp) -> "Attacks":
        """With this in place of what the same coalition, or made-up rows, came to before."""
        if isinstance(found, MadeUp):
            return msgspec.structs.replace(self, made_up=found)
        others = [one for one in self.calls if ({*one.who}, one.before) != ({*found.who}, found.before)]
        return msgspec.structs.replace(self, calls=(*others, found))


class Bound(msgspec.Struct, frozen=True, kw_only=True):
    """What was proved of an epsilon, as in the JSON of `potluck audit`."""

    name: str
    claimed: float
    lower_bound: float
    confidence: float
    held: bool | None
    words: str


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What was found that is no epsilon, as there."""

    name: str
    held: bool | None
    words: str


class Audits(msgspec.Struct, frozen=True, kw_only=True):
    """`audits.json`: the newest call of `potluck audit` on made-up rows. when: ISO 8601, UTC."""

    version: int = VERSION
    plan_hash: str
    minutes: float
    seed: int
    when: str
    held: bool | None
    audits: tuple[Bound, ...]
    checks: tuple[Check, ...]


Kept = TypeVar("Kept", Attacks, Audits)


def read(path: Path, kind: type[Kept], plan_hash: str) -> Kept | None:
    """What was kept in a file; None where nothing was. plan_hash: of the plan that ran.

    Raises UsageError: it cannot be read, is another version's or damaged, or is about another plan.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=readable(kind))
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
