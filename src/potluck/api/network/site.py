"""`potluck site run`: the process that answers for a site."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from potluck.api.network.ledger import anchor
from potluck.core.errors import UsageError
from potluck.members.files import locked
from potluck.members.home import SiteHome
from potluck.net.link import Link
from potluck.net.session import Account
from potluck.owner.access import AccessLog
from potluck.owner.budget import Budget
from potluck.owner.policy import exposed
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from potluck.parties.admission.consent import Consent, Owner
from potluck.parties.runners.identity import identity
from potluck.parties.runners.site import Site


def attend(
    folder: str | Path, stop: Callable[[], bool], say: Callable[[str], None], record: Path | None = None
) -> None:
    """Run the site in `folder` until `stop` says so. say: words for the owner's screen; record: keep what it reads.

    Raises UsageError (policy, folder), Refused: it runs already, federation file or ledger are not what they were, the
    broker does not know this site. A broker that is away is waited for.
    """
    home = SiteHome.at(Path(folder))
    with locked(home.lock, f"site {home.name} runs already"), contextlib.ExitStack() as stack:
        member = home.open(time.time())
        warning = exposed(read_policy(home.policy), home.policy)
        if warning:
            say(f"warning: {warning}")
        # Its yearly cap is set at every proposal, by the policy of then.
        ledger = stack.enter_context(Budget(home.ledger, anchor=anchor(home, member)))
        requests = stack.enter_context(Requests(home.requests))
        log = AccessLog(home.access)
        owner = Owner(home, member.federation, ledger, requests, log, member.keys.signing.sign, say)
        it = member.federation
        account = Account(it.id, member.me, it.broker, it.ca, member.keys.user.seed)
        link = stack.enter_context(contextlib.closing(Link(account)))
        consent = Consent(owner)
        consent.began()
        try:
            Site(identity(member), link, ledger, consent, _watching(link, stop, say), record).run()
        finally:
            consent.ended()


def _watching(link: Link, stop: Callable[[], bool], say: Callable[[str], None]) -> Callable[[], bool]:
    """`stop`, and on the way a word whenever the connection comes or goes."""
    known: list[str] = []

    def look() -> bool:
        trouble = link.trouble
        now = str(trouble if isinstance(trouble, UsageError) else trouble.what) if trouble else "connected"
        if known != [now]:
            known[:] = [now]
            say(f"broker: {now}")
        return stop()

    return look
