"""What the permit annex of one run holds: the contract of who writes it, who signs it, and of whoever verifies it.

It is one owner's, for its own files: beside what others know too, it has how many rows there were here. Everything in
it is either from this owner's own files or from the plan; what others said is named so (`said_by`). It has no value of
a row. Its JSON has one spelling, and these bytes are what is signed.
"""

from typing import Literal

import msgspec

from potluck.core.errors import UsageError
from potluck.core.schema import readable
from potluck.core.visible import json_text
from potluck.report.details import Seen

JSON, HTML, SEAL = "annex.json", "annex.html", "annex.sig"


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One sentence of a policy, and the key that it is about."""

    key: str
    says: str


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy came into force. persons: who decided so, empty where the log does not say; when: UTC, ISO 8601; reason:
    theirs, empty where none was given."""

    persons: tuple[str, ...]
    when: str
    reason: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy in words. digest: of these, `sha256:...`; lines: empty where the words are not here any more; now: it is
    in force as this is written; differs: keys whose sentences are others than in the first policy of these papers;
    changes: how it came into force, oldest first, by the access log: empty where that does not say."""

    digest: str
    lines: tuple[Line, ...] = ()
    now: bool = False
    differs: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()


class Verdict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person said about the plan. when: UTC, ISO 8601; policy: the digest of the one in force, empty where the
    log does not say; served: this run used this yes; void: it was taken back since; compared: members that were new
    here, whose fingerprints this person compared as they said it, with these."""

    person: str
    verdict: Literal["approve", "deny", "revoke"]
    when: str
    reason: str = ""
    policy: str = ""
    served: bool = False
    void: bool = False
    compared: tuple[str, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that this site's program did about the run, or heard of it. when: UTC, ISO 8601; says: in a sentence;
    reason: words of who asked, empty where it gave none; policy: the digest of the one by which it judged, empty where
    it did not; times: how often in a row, the first time at `when`."""

    when: str
    says: str
    reason: str = ""
    policy: str = ""
    times: int = 1


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The run, as it was asked for. state: as `owner.requests` has it; stands: the same in a sentence; codes: why the
    policy said no; asked: first, UTC; began, last: by the ledger, when its first round began here and what it was
    charged for last, empty where none did; rounds: how many began here, by the ledger; policy: the digest of the one by
    which it was judged last; fate: what became of it, in a few words; course: each judging, the first round and each
    end, oldest first, by the access log and the ledger."""

    run: str
    asker: str
    state: str
    stands: str
    codes: tuple[str, ...] = ()
    asked: str = ""
    began: str = ""
    last: str = ""
    rounds: int = 0
    policy: str = ""
    fate: str = ""
    course: tuple[Step, ...] = ()


class Look(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody looked at what the plan would take from this site's rows. when: UTC, ISO 8601."""

    person: str
    when: str


class Column(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column that the plan reads. holds: its range and unit or its values, as the plan declares them; use: what the
    plan does with it."""

    name: str
    holds: str
    use: str


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was to be learnt. text: every setting, in the spelling that is hashed; hash: `sha256:...`, of it and of the
    program's version; predicted: of each column that is predicted, what it means, in a sentence; special: what its
    legal basis says of special categories of data (GDPR article 9); rounds: how many it has, and what is counted."""

    name: str
    purpose: str
    task: str
    hash: str
    text: str
    learnt: str
    together: str
    predicted: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    special: str = ""
    rounds: str = ""


class Protection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who could see what. scheme: `protect.with`; views: every claim; lines: what of this owner's others see, in
    sentences with what would break them."""

    scheme: str
    noise: str
    views: tuple[Seen, ...]
    lines: tuple[str, ...]


class Risk(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left. question, hundred: with noise, what a guesser is asked and of 100 answers at most so many are
    right, as follows from epsilon: what the run was charged, once it is over, else what it may be; asked: what the plan
    asked for at most; cost: the same in words; attacks: known to break plans of this shape; breaks: what others could
    see where an assumption fails."""

    cost: str
    question: str = ""
    hundred: int | None = None
    epsilon: float | None = None
    delta: float | None = None
    unit: str = ""
    attacks: tuple[str, ...] = ()
    asked: float | None = None
    breaks: tuple[str, ...] = ()


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By this owner's ledger, verified as this was written. run: what this run was charged (None: no noise); year, all:
    of all runs, composed at delta; left: of the yearly cap (None: there is no cap); entries, head: of the chain, whose
    last hash vouches for all before it."""

    run: float | None
    year: float
    all: float
    delta: float
    left: float | None
    entries: int
    head: str


class Member(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of the federation. where: organisation and country, contact: as its card says them, empty where it does
    not."""

    name: str
    role: str
    fingerprint: str
    where: str = ""
    contact: str = ""


class Federation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By the file under which the run began here, where that is kept, else by the one that is pinned. began: the digest
    of the former, empty where it did not begin."""

    name: str
    id: str
    version: int
    digest: str
    expires: str
    members: tuple[Member, ...]
    began: str = ""


class Rows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was counted in this owner's rows when they were read for the plan. when: UTC, empty where they were not;
    person: the column that says whose a row is, empty where the plan has none."""

    when: str = ""
    lines: tuple[str, ...] = ()
    person: str = ""


class Recipient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parties that get the same of the run. gets: in words; where: organisation and country, contact: as a card says
    them, empty where none does."""

    name: str
    gets: str
    where: str = ""
    contact: str = ""


class Annex(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole. made: UTC, ISO 8601; program: its version; computes: the owner gives no rows; permit: (what, in the
    plan's words); rows: of this owner alone; model: the digest that the coordinator said at the run's end, empty where
    it said none; others: other runs of the very plan; recipients: who gets something of it; looked: who looked at what
    would leave.

    In sentences: kept, what stays in this owner's home, and how long; necessity, how little is taken; measures, how
    rows are guarded; rights, what persons' rights can still reach."""

    version: Literal[1]
    made: str
    program: str
    site: str
    computes: bool
    plan: Plan
    request: Request
    decisions: tuple[Verdict, ...]
    policies: tuple[Rules, ...]
    protection: Protection
    risk: Risk
    budget: Budget
    federation: Federation
    permit: tuple[tuple[str, str], ...] = ()
    rows: Rows = Rows()
    model: str = ""
    others: tuple[tuple[str, str], ...] = ()
    recipients: tuple[Recipient, ...] = ()
    kept: tuple[str, ...] = ()
    necessity: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    rights: tuple[str, ...] = ()
    looked: tuple[Look, ...] = ()


def text(annex: Annex) -> bytes:
    """The bytes of `annex.json`: one spelling for one annex."""
    return json_text(msgspec.to_builtins(annex)).encode()


def read(data: bytes, where: str) -> Annex:
    """The annex in these bytes, also one that lacks newer keys. Raises UsageError: it is none, of another version, or
    spelt in another way, in which a reader could be shown something else than a program."""
    try:
        found = msgspec.json.decode(data, type=readable(Annex), strict=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        kind = "" if isinstance(error, RecursionError) else f": {error}"
        raise UsageError(f"is no permit annex of this version{kind}", where=where) from None
    if json_text(msgspec.json.decode(data)).encode() != data:
        raise UsageError("is not spelt as this program writes it", where=where, hint="it was changed: do not trust it")
    return found
