"""Who changed a policy, when and why, by the access log: of each change that held.

It does NOT know of a change in the file that was taken back before anybody went by it, nor of any before the log began.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from potluck.owner.access import Entry


@dataclass(frozen=True, slots=True)
class Turn:
    """One change. when: it held from then on, or was noticed then; UTC, ISO 8601. persons: who proposed it, and who
    confirmed it; empty: it was made in the file, by whoever has the terminal. reason: the proposer's words, "" without;
    policy: digest of the words that hold from then on, as they are kept; codes: what it changed, as the log has it."""

    when: str
    persons: tuple[str, ...]
    reason: str
    policy: str
    codes: tuple[str, ...]


def turns(log: Iterable[Entry]) -> tuple[Turn, ...]:
    """Every change of the policy that held, oldest first. log: oldest first."""
    found: list[Turn] = []
    proposer = ""
    last: Entry | None = None
    for one in log:
        if one.event != "policy":
            last = None
            continue
        again = last is not None and _same(last, one)  # a change of many keys takes several lines
        last = one
        if one.outcome == "pending":
            proposer = one.person
        elif one.outcome == "aborted" and found and not again:
            found.pop()
        elif one.outcome in ("done", "approved") and again:
            found[-1] = replace(found[-1], codes=found[-1].codes + one.why)
        elif one.outcome in ("done", "approved"):
            by = (proposer, one.person) if one.outcome == "approved" and proposer else (one.person,)
            found.append(Turn(one.when, tuple(filter(None, by)), one.reason, one.policy, one.why))
    return tuple(found)


def _same(one: Entry, other: Entry) -> bool:
    """Whether two lines that follow each other are of one change."""
    kept = ("person", "outcome", "reason", "policy")
    return all(getattr(one, name) == getattr(other, name) for name in kept)
