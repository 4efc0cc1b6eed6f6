"""What people's verdicts on a plan's hash add up to. Each stays in the file; `run` says which run used it up.

Names that differ by no letter or digit are one person's. It does NOT prove who somebody is: where persons were invited
to the home's pages, the caller lets nobody else give a yes in their name.
"""

import math
import re
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from potluck.core.errors import UsageError
from potluck.members.persons import folded

_GIVEN = """
SELECT person, verdict, run, at FROM decisions WHERE hash = ? AND verdict IN ('approve', 'deny') AND NOT void
ORDER BY seq
"""


def newest(db: sqlite3.Connection, text: str) -> dict[str, tuple[str, str | None, float]]:
    """By folded name: a person's newest verdict that is neither void nor taken back, the run that used it up, when."""
    return {folded(person): (verdict, run, at) for person, verdict, run, at in db.execute(_GIVEN, (text,))}


@dataclass(frozen=True, slots=True)
class Said:
    """One verdict of a person's. at: seconds since 1970; run: which used this yes up; void: taken back since."""

    person: str
    verdict: Literal["approve", "deny", "revoke"]
    at: float
    run: str | None
    void: bool


def say(db: sqlite3.Connection, text: str, person: str, verdict: str, now: float) -> None:
    """A person's verdict on a plan. Raises UsageError: nobody's."""
    if not person.strip():
        raise UsageError("nobody decided", hint="name the person who does")
    row = (text, person, verdict, now)
    db.execute("INSERT INTO decisions (hash, person, verdict, at) VALUES (?, ?, ?, ?)", row)


def every(db: sqlite3.Connection, text: str) -> tuple[Said, ...]:
    """All that people said about a plan, oldest first."""
    rows = db.execute("SELECT person, verdict, at, run, void FROM decisions WHERE hash = ? ORDER BY seq", (text,))
    return tuple(Said(person, verdict, at, run, bool(void)) for person, verdict, at, run, void in rows)


def approvers(db: sqlite3.Connection, text: str, invited: Mapping[str, float], since: float = 0.0) -> list[str]:
    """Who approves of the plan, by folded name, with an approval that no run has used up and that was given at `since`
    or later.

    invited: who was invited to the home's pages, by folded name, and when. Where anybody was, only what they said since
    then counts: not what came before under their name, nor of who was removed.
    """
    given = ((who, at) for who, (verdict, run, at) in newest(db, text).items() if verdict == "approve" and run is None)
    return [who for who, at in given if at >= max(since, invited.get(who, math.inf) if invited else 0.0)]


def denied(db: sqlite3.Connection, text: str) -> bool:
    """Is there a person whose newest verdict is no?"""
    return any(verdict == "deny" for verdict, _, _ in newest(db, text).values())


def carry(db: sqlite3.Connection, text: str, run: str) -> None:
    """The approvals of a plan are used up by a run: also those beyond the number needed."""
    db.execute(
        "UPDATE decisions SET run = ? WHERE hash = ? AND verdict = 'approve' AND run IS NULL AND NOT void", (run, text)
    )


def outdate(db: sqlite3.Connection, text: str, since: float) -> None:
    """Approvals from before `since`, seconds since 1970, that no run has used up count no more."""
    query = "UPDATE decisions SET void = 1 WHERE hash = ? AND verdict = 'approve' AND run IS NULL AND at < ?"
    db.execute(query, (text, since))


def lift(db: sqlite3.Connection, text: str, person: str, invited: Mapping[str, float]) -> tuple[str, ...]:
    """Where persons were invited, the yes of one of them takes back the no of whoever cannot sign in (any more): else
    nobody could. Gives whose."""
    if folded(person) not in invited:
        return ()
    query = "SELECT DISTINCT person FROM decisions WHERE hash = ? AND verdict = 'deny' AND NOT void"
    gone = [who for (who,) in db.execute(query, (text,)) if folded(who) not in invited]
    stood = tuple(who for who in gone if newest(db, text)[folded(who)][0] == "deny")
    what = "UPDATE decisions SET void = 1 WHERE hash = ? AND verdict = 'deny' AND person = ?"
    db.executemany(what, [(text, who) for who in gone])
    return stood


def void(db: sqlite3.Connection, text: str) -> None:
    """No approval of a plan counts any more."""
    db.execute("UPDATE decisions SET void = 1 WHERE hash = ? AND verdict = 'approve'", (text,))


def leave(db: sqlite3.Connection, person: str, begun: Callable[[str], bool]) -> list[tuple[str, str]]:
    """Whoever has this name was removed: no yes of theirs counts any more, but in a run that has begun (`begun`). Gives
    (run, hash) of the others that they helped to approve: these wait again, with the yes that everybody else gave."""
    query = "SELECT seq, person, hash, run FROM decisions WHERE verdict = 'approve' AND NOT void"
    own = [(seq, name, text, used) for seq, name, text, used in db.execute(query) if folded(name) == folded(person)]
    approved = "SELECT run FROM requests WHERE hash = ? AND state = 'approved' AND run = coalesce(?, run)"
    again: dict[str, str] = {}
    for seq, name, text, used in own:
        runs = [run for (run,) in db.execute(approved, (text, used)) if not begun(run)]
        if used is None or runs:  # with what the same person said before: an old no does not come back by it
            earlier = "UPDATE decisions SET void = 1 WHERE hash = ? AND person = ? AND seq <= ?"
            db.execute(f"{earlier} AND (run IS NULL OR run = ?)", (text, name, seq, used))
        again |= dict.fromkeys(runs, text)
    for run in again:
        _again(db, run)
    return list(again.items())


def recount(
    db: sqlite3.Connection, text: str, run: str, invited: Mapping[str, float], people: int, lasts: bool
) -> bool:
    """Whether so many of the persons of now said yes to the run, or with a yes that none has used. If not it waits
    again, and what it had is there for it. lasts: a yes is for every run of a plan."""
    query = "SELECT person, run, at FROM decisions WHERE hash = ? AND verdict = 'approve' AND NOT void"
    found = [(folded(who), used, at) for who, used, at in db.execute(query, (text,)) if used in (None, run)]
    of_now = [(who, used) for who, used, at in found if at >= (invited.get(who, math.inf) if invited else 0.0)]
    if len({who for who, used in of_now if used}) < people:
        if len({who for who, _ in of_now}) < people:
            _again(db, run)
            return False
        if not lasts:
            carry(db, text, run)
    return True


def _again(db: sqlite3.Connection, run: str) -> None:
    db.execute("UPDATE decisions SET run = NULL WHERE run = ? AND NOT void", (run,))
    db.execute("UPDATE requests SET state = 'pending' WHERE run = ?", (run,))


def meant(db: sqlite3.Connection, prefix: str, shortest: int) -> str:
    """The one hash that begins so, or a whole one, of at least so many letters. Raises UsageError: none, or several."""
    text = prefix.strip().lower().removeprefix("sha256:")
    if not re.fullmatch(rf"[0-9a-f]{{{shortest},64}}", text):
        what = f"a plan's hash is {shortest} to 64 hex letters"
        raise UsageError(what, hint="`potluck site inbox` shows the hashes of what waits")
    known = {row[0] for row in db.execute("SELECT hash FROM requests UNION SELECT hash FROM decisions")}
    found = [one for one in known if one.startswith(text)]
    if len(text) == 64 or len(found) == 1:
        return text if len(text) == 64 else str(found[0])
    what = f"{len(found) or 'no'} known plans have a hash that begins with {text}"
    hint = "give more of its letters" if found else "give the whole hash of a plan that was not asked for yet"
    raise UsageError(what, hint=hint)
