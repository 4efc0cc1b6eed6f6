"""Requests that never reached the owner: turned away by this program before anybody was asked, and what to do about it.

From the access log, as far back as its newest part goes.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from potluck.members.home import SiteHome
from potluck.owner.access import Entry
from potluck.owner.access import read as read_log
from potluck.owner.denial import FEW
from potluck.owner.requests import State

DAYS = 14
RECENT = 4 << 20
"""Bytes of the access log, its newest, in which is looked."""
_WHY = {
    "version": ("the server runs {version} of potluck, here is another", "update the older of the two"),
    "federation": ("the server goes by another federation file", "see the members; ask the coordinator"),
    "expired": ("the federation file has expired", "the coordinator renews it: potluck federation rotate FOLDER"),
    "ledger": ("the server has seen a newer ledger of this site", "put the newest ledger back, or ask the coordinator"),
    "plan": ("it is no plan of this federation that this version can carry out", "ask the coordinator"),
    "initial": ("it begins with another model than its plan says", "ask the coordinator"),
    "graph": ("the plan's graph cannot be used here", "see the screen of potluck site run"),
    "data": ("the rows here do not fit the plan", "see the screen of potluck site run, and potluck site preview"),
    FEW: ("it has fewer rows to learn from than its policy wants", "see allow.min_rows in policy.toml"),
    "disk": ("this machine's disk is full", "make room: potluck site doctor says where"),
    "engine": ("it needs an engine that is not installed here", "potluck engine install"),
    "rows_changed": ("the rows are others than the run began with", "put them back, or let a new run begin"),
    "policy": ("policy.toml cannot be read", "potluck site doctor says where"),
    "finished": ("the run is over here", "the coordinator begins a new one: --fresh"),
}
_BY_PERSONS = (State.DENIED, State.REVOKED, State.WITHDRAWN)
"""What somebody decided stands in the list of what was asked."""


@dataclass(frozen=True)
class Turned:
    """One run that was turned away. when: last, UTC in ISO 8601; times: how often; version: of the server's program,
    empty where it is this one's; file: the federation file that the server goes by; codes: why, as the server hears it;
    why, hint: the same in words."""

    when: str
    times: int
    run: str
    plan: str
    hash: str
    asker: str
    version: str
    file: str
    codes: tuple[str, ...]
    why: str
    hint: str

    def document(self) -> dict[str, object]:
        """The JSON."""
        return asdict(self)


def turned_away(folder: Path, now: float | None = None, days: int = DAYS) -> tuple[Turned, ...]:
    """What was turned away in the last days, the newest first. Raises UsageError: no home, or its files cannot be
    read."""
    home = SiteHome.at(folder)
    since = (time.time() if now is None else now) - days * 86400
    found: dict[tuple[str, tuple[str, ...]], Turned] = {}
    for one in read_log(home.access, last=RECENT).entries:
        if one.event == "request" and one.outcome in ("approved", "pending"):  # it was let in since, or waits
            found = {key: turned for key, turned in found.items() if key[0] != one.run}
        if one.event != "request" or one.outcome not in ("denied", "refused") or not one.why:
            continue
        if one.why[0] in _BY_PERSONS:
            continue
        if datetime.fromisoformat(one.when).timestamp() < since:
            continue
        key = one.run, one.why
        times = found.pop(key).times + 1 if key in found else 1
        why, hint = _words(one.why[-1] if one.outcome == "refused" else one.why[0], one.version)
        facts = (one.run, one.plan, one.hash, one.asker, one.version, one.file, one.why)
        found[key] = Turned(one.when, times, *facts, why, hint)
    return tuple(reversed(found.values()))


def unable(entries: Iterable[Entry]) -> Mapping[str, str]:
    """Runs that this site could not carry out when they were asked for last (its rows, its disk, an engine), by run the
    code, the last of several, which says most. Whoever shows a run that is not over asks here."""
    newest = {one.run: one for one in entries if one.event == "request"}
    return {run: one.why[-1] for run, one in newest.items() if one.outcome == "refused" and one.why}


def cancelled(entries: Iterable[Entry]) -> Mapping[str, Entry]:
    """Runs that their asker cancelled, by run the line that says when and why."""
    newest = {one.run: one for one in entries if one.event in ("request", "round", "end")}
    return {run: one for run, one in newest.items() if (one.event, one.outcome) == ("end", "withdrawn")}


def away(code: str) -> str:
    """In a few words that such a run was turned away, and why."""
    if code == FEW:
        return "refused by this site's policy: fewer rows to learn from than it wants"
    return f"turned away: {_words(code, '')[0]}"


def _words(code: str, version: str) -> tuple[str, str]:
    why, hint = _WHY.get(code, (f"the policy says no: {code}", "it stands in policy.toml: potluck docs policy"))
    return why.format(version=f"version {version}" if version else "another version"), hint
