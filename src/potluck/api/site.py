"""`potluck site run` and the owner's verbs: what is asked, what would leave, yes or no, what was spent."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from potluck.members.files import locked
from potluck.members.home import Membership, SiteHome
from potluck.net.link import Link
from potluck.net.session import Account
from potluck.owner.access import AccessLog
from potluck.owner.budget import Budget
from potluck.owner.heads import Anchor
from potluck.owner.policy import exposed
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from potluck.parties.consent import Consent, Owner
from potluck.parties.identity import identity
from potluck.parties.site import Site


def attend(folder: str | Path, stop: Callable[[], bool], say: Callable[[str], None]) -> None:
    """Run the site in `folder` until `stop` says so. say: words for the owner's screen.

    Raises UsageError (policy, folder), Refused: it runs already, federation file or ledger are not what they were, the
    broker does not know this site. A broker that is away is waited for.
    """
    home = SiteHome.at(Path(folder))
    with locked(home.lock, f"site {home.name} runs already"), contextlib.ExitStack() as stack:
        member = home.open(time.time())
        rules = read_policy(home.policy)
        warning = exposed(rules, home.policy)
        if warning:
            say(f"warning: {warning}")
        yearly = rules.allow.epsilon_per_year
        ledger = stack.enter_context(
            Budget(home.ledger, yearly=yearly if math.isfinite(yearly) else None, anchor=anchor(home, member))
        )
        requests = stack.enter_context(Requests(home.requests))
        log = AccessLog(home.access)
        owner = Owner(home, member.federation, ledger, requests, log, member.keys.signing.sign, say)
        link = stack.enter_context(_line(member))
        consent = Consent(owner)
        consent.began()
        try:
            Site(identity(member), link, ledger, consent, stop).run()
        finally:
            consent.ended()


def anchor(home: SiteHome, member: Membership) -> Anchor:
    """Where the ledger's newest head is kept, signed by this site."""
    key = member.keys.signing
    return Anchor(home.anchor, home.name, bytes.fromhex(member.federation.id), key.public, key.sign)


@contextmanager
def _line(member: Membership) -> Iterator[Link]:
    it = member.federation
    link = Link(Account(it.id, member.me, it.broker, it.ca, member.keys.user.seed))
    try:
        yield link
    finally:
        link.close()


def adopt(home: SiteHome, member: Membership) -> None:
    """Take over a ledger that lies elsewhere and has no anchor of this home yet (`up`). Raises Refused: it has one."""
    with Budget(home.ledger) as ledger:
        anchor(home, member).adopt(ledger.head())
