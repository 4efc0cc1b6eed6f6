"""A site's ledger, for its owner: what was spent, the chain as evidence, and where its newest head is kept.

It loads nothing of what runs rounds: an owner looks at it while the site's process runs.
"""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from potluck.api.network.membership.turned import RECENT, cancelled, unable
from potluck.core import private
from potluck.core.errors import Refused, unwritable
from potluck.core.prose import utc
from potluck.core.rounds import Abort
from potluck.members import keys as keyring
from potluck.members.federation import Federation, accept
from potluck.members.home import Membership, SiteHome
from potluck.owner.access import Entry
from potluck.owner.access import read as read_log
from potluck.owner.budget import YEAR, Budget
from potluck.owner.entries import Spending
from potluck.owner.ledger_heads import Anchor, noted, sign
from potluck.owner.reading import read as read_policy
from potluck.owner.scored import totals

AWAY, CANCELLED = "turned away", "cancelled"


def anchor(home: SiteHome, member: Membership) -> Anchor:
    """Where the ledger's newest head is kept, signed by this site."""
    key = member.keys.signing
    return Anchor(home.anchor, home.name, bytes.fromhex(member.federation.id), key.public, key.sign)


def hand_over(home: SiteHome, offered: Federation, now: float) -> None:
    """Before new keys come into force: the ledger's newest head is signed by them, held against the old signature. Both
    keys are noted in it, so that heads which others keep under an old one still tell a ledger that was put back.

    Can be cut off and done again. Does nothing where the keys stay, or the ledger has no anchor.
    Raises Refused: the federation does not follow the pinned one, or the ledger is not what it was, or cannot be
    written.
    """
    card = offered.cards.get(home.me)
    none = not home.anchor.exists()
    if card is None or not (home.federation.exists() and home.fresh.is_dir()) or (none and home.ledger.exists()):
        return
    fresh, pinned = keyring.load(home.fresh), home.pinned()
    if fresh.signing.public != card.signing:
        return
    accept(offered, pinned, now)
    federation = bytes.fromhex(offered.id)
    before, after = (
        Anchor(home.anchor, home.name, federation, public, fresh.signing.sign)
        for public in (pinned.cards[home.me].signing, card.signing)
    )
    with Budget(home.ledger, anchor=before if none else None) as ledger:
        try:
            known = after.known(ledger.head())  # an earlier try came so far
        except Refused:
            known = before.known(ledger.head())
        if known is not None:
            ledger.holds(known)
        try:
            ledger.write(noted(before.public), noted(after.public))
        except Abort as abort:
            raise Refused(f"the ledger cannot be written ({abort.detail})", where=str(home.ledger)) from None
        after.renew(ledger.head())


def adopt(home: SiteHome, member: Membership) -> None:
    """Take over a ledger that lies elsewhere and has no anchor of this home yet (`up`). Raises Refused: it has one."""
    with Budget(home.ledger) as ledger:
        anchor(home, member).adopt(ledger.head())


@dataclass(frozen=True)
class Spent:
    """A site's ledger. spent, year: the runs' own epsilons added up, in all and of the last year; composed,
    composed_year: what they come to at `delta`; cap: of a year, and left: what it leaves of that (None: no cap);
    runs: every one; scored: by model and client, how many rows this site's models have scored."""

    site: str
    spent: float
    year: float
    composed: float
    composed_year: float
    delta: float
    cap: float | None
    left: float | None
    runs: tuple[Spending, ...]
    entries: int
    head: str
    scored: tuple[Mapping[str, object], ...] = ()

    def document(self) -> dict[str, object]:
        """The JSON."""
        runs = [
            {
                "run": one.run,
                "plan": one.plan,
                "hash": f"sha256:{one.plan_hash.hex()}",
                "began": utc(one.when),
                "epsilon": one.epsilon,
                "delta": one.delta,
                "unit": one.unit,
                "releases": one.releases,
                "state": one.state,
            }
            for one in self.runs
        ]
        return {
            "site": self.site,
            "spent": self.spent,
            "year": self.year,
            "composed": self.composed,
            "composed_year": self.composed_year,
            "composed_delta": self.delta,
            "left": self.left,
            "runs": runs,
            "scored": [dict(one) for one in self.scored],
            "entries": self.entries,
            "head": self.head,
        }


def spending(folder: Path) -> Spent:
    """What the ledger of the site in `folder` says. Raises UsageError: no home; Refused: edited or put back."""
    home = SiteHome.at(folder)
    allow = read_policy(home.policy).allow
    with ledger_of(home) as ledger:
        cap = allow.epsilon_per_year if math.isfinite(allow.epsilon_per_year) else None
        ledger.limit(cap, allow.delta)
        head, since = ledger.head(), time.time() - YEAR
        return Spent(
            site=home.name,
            spent=ledger.spent(),
            year=ledger.spent(since),
            composed=ledger.composed(),
            composed_year=ledger.composed(since),
            delta=allow.delta,
            cap=cap,
            left=ledger.left(),
            runs=_standing(ledger.history(), read_log(home.access, RECENT).entries),
            entries=head.seq,
            head=head.hash.hex(),
            scored=tuple(totals(ledger.scored())),
        )


def _standing(runs: Iterable[Spending], entries: Sequence[Entry]) -> tuple[Spending, ...]:
    """The ledger calls a run open until its end is told, and finished however it ended: one that was turned away since,
    and one that its asker cancelled, are said to be that."""
    away, over = unable(entries), cancelled(entries)
    said = {**{("open", run): AWAY for run in away}, **{("finished", run): CANCELLED for run in over}}
    return tuple(replace(one, state=said.get((one.state, one.run), one.state)) for one in runs)


def evidence(folder: Path, file: Path) -> None:
    """Write the chain and its signed head, for whoever is to verify it (`potluck.owner.evidence.verify_export`).

    Raises UsageError: not joined, or the file cannot be written.
    """
    home = SiteHome.at(folder)
    member = home.open(time.time())
    with ledger_of(home) as ledger:
        head = ledger.head()
        signed = sign(head, home.name, bytes.fromhex(member.federation.id), member.keys.signing.sign)
        whole = [*ledger.export(head), msgspec.json.encode(signed) + b"\n"]
    try:
        private.write(file, b"".join(line if line.endswith(b"\n") else line + b"\n" for line in whole))
    except OSError as error:
        raise unwritable(error, file, "name another file") from None


def ledger_of(home: SiteHome) -> Budget:
    """The ledger, held against its anchor where the site has joined a federation."""
    if not home.federation.is_file():
        return Budget(home.ledger)
    return Budget(home.ledger, anchor=anchor(home, home.open(time.time())))
