"""What some parties know of an intersection: how many keys each owner has, as all said in the clear, and the result,
where one of them learns it and it is in the run's folder."""

import csv
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from potluck.audits.record import HINT, Letter, Record
from potluck.core import private
from potluck.core.errors import UsageError, reason
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort, RoundId
from potluck.core.schema import readable
from potluck.core.wire import load
from potluck.mpc.psi.messages import HELLO, Hello, Hellos
from potluck.tasks.matching.alignment import MEMBERS, gathering

RUN = "run.json"
LONGEST = 1 << 16
"""Bytes of a key's line, and of what a run says of itself beside its rounds, at most."""
Key = tuple[str, ...]


class _Result(msgspec.Struct, frozen=True):
    """Of `run.json` what is looked at."""

    size: Annotated[int, msgspec.Meta(ge=0)] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """counts: of each owner whose letter was read; size: of what all have, None where these parties do not learn it;
    common: which keys, None where a size alone is shown."""

    counts: Mapping[str, int]
    size: int | None = None
    common: frozenset[Key] | None = field(default=None, repr=False)


def learners(plan: Plan) -> tuple[str, ...]:
    """Who learns a plan's result."""
    return tuple(one.name for one in gathering(plan, RoundId("", 1)).to)


def matched(folder: Path, record: Record, plan: Plan, names: Collection[str]) -> Matched | None:
    """What these parties know. None: the run shows no common keys. Raises UsageError: a letter or a file is none of
    such a run."""
    if not plan.traits.keyed or plan.traits.joins:
        return None
    said = counts(record, plan, names)
    if not set(names) & set(learners(plan)):
        return Matched(said)
    size = _size(folder / RUN, plan)
    members = size is not None and required(plan.align).reveal == "members" and (folder / MEMBERS).is_file()
    return Matched(said, size, _members(folder / MEMBERS, plan, size or 0) if members else None)


def counts(record: Record, plan: Plan, names: Collection[str]) -> dict[str, int]:
    """By owner how many keys it said to have, where these parties read it. Raises UsageError: a letter says no such
    thing."""
    said: dict[str, int] = {}
    for letter in record.seen_by(names):
        if letter.line.step == HELLO:
            said |= _counts(letter, plan)
    return said


def _counts(letter: Letter, plan: Plan) -> dict[str, int]:
    try:
        if letter.line.to == "server" or letter.line.sender != "server":
            said = {letter.line.sender: load(letter.body(), Hello)}
        else:
            every = load(letter.body(), Hellos).hellos
            said = dict(zip(plan.federation.sites, every, strict=True))
    except (Abort, ValueError) as error:
        raise UsageError(f"is no owner's word on its keys ({error})", where=str(letter.path), hint=HINT) from None
    return {name: one.count for name, one in said.items()}


def _size(path: Path, plan: Plan) -> int | None:
    try:
        if path.stat().st_size > LONGEST * (1 + len(plan.federation.sites)):
            raise UsageError("is longer than what a run says of itself", where=str(path))
        size = msgspec.json.decode(private.read(path), type=readable(_Result)).size
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError("does not say what came of the run", where=str(path), hint=HINT) from None
    if size is not None and size > plan.data.max_rows:
        raise UsageError("says that more keys are common than a site may have", where=str(path), hint=HINT)
    return size


def _members(path: Path, plan: Plan, size: int) -> frozenset[Key]:
    wide = len(required(plan.align).keys)
    try:
        if path.stat().st_size > LONGEST * (1 + size):
            raise UsageError("is longer than the common keys can be", where=str(path), hint=HINT)
        lines = list(csv.reader(io.StringIO(private.read(path).decode())))
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path), hint=HINT) from None
    except (UnicodeDecodeError, csv.Error):
        lines = []
    keys = frozenset(map(tuple, lines[1:]))
    if not len(lines) - 1 == len(keys) == size or any(len(key) != wide for key in keys):
        raise UsageError("are not the common keys of that run", where=str(path), hint=HINT)
    return keys
