"""`potluck site run`: the process that answers for a site."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from potluck.api.network.doctor import examine
from potluck.api.network.ledger import anchor
from potluck.api.network.membership.follow import Follower, wanted
from potluck.api.network.membership.left import dismissed
from potluck.api.network.running.notify import Notifier
from potluck.api.network.running.pulse import Counted, Pulse
from potluck.api.network.running.watched import Nodes, watched
from potluck.core.errors import Refused, UsageError
from potluck.members.files import crowded, locked
from potluck.members.home import Membership, SiteHome
from potluck.members.pinned import Pinned
from potluck.net.link import Link
from potluck.owner.access import AccessLog, Unlogged
from potluck.owner.budget import Budget
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from potluck.parties.admission.consent import Consent
from potluck.parties.admission.owner import Owner
from potluck.parties.runners.identities import Identities
from potluck.parties.runners.site import Site

PATIENCE = 10.0
"""Seconds that a proposal by a newer federation file waits for that file to come."""
AGAIN = 2.0
"""Seconds until it is looked again whether the access log can be written."""


def attend(
    folder: str | Path,
    stop: Callable[[], bool],
    say: Callable[[str], None],
    record: Path | None = None,
    pulse: Pulse | None = None,
) -> None:
    """Run the site in `folder` until `stop` says so. say: words for the owner's screen; record: keep what it reads;
    pulse: counts what happens, for whoever else reads it.

    A newer federation file is followed while it runs, as the policy says. Raises UsageError (policy, folder), Refused:
    it runs already, federation file or ledger are not what they were, the broker does not know this site. A broker that
    is away is waited for, and so is a newer file where the pinned one has expired.
    """
    home = SiteHome.at(Path(folder))
    with locked(home.lock, f"site {home.name} runs already"), contextlib.ExitStack() as stack:
        pulse = pulse or Pulse(home)
        pulse.begin()
        pinned = Pinned.at(home)
        read_policy(home.policy)
        for one in examine(home.folder, quick=True):
            if one.state in ("look", "bad"):
                say(f"warning: {one.topic}: {one.what}{f'. hint: {one.hint}' if one.hint else ''}")
        log = AccessLog(home.access)
        books: list[tuple[Budget, Requests]] = []

        def opens() -> None:
            books.append(opened(home, pinned.current, log, stack))

        logged(opens, lambda: None, stop, say, pulse.beat)
        if not books:
            return  # ended while its disk was full
        ledger, requests = books[0]
        notifier = stack.enter_context(contextlib.closing(Notifier(home, log, requests, say, pulse.noted)))
        notifier.began()
        home.earlier.tidy(wanted(home, ledger), pinned.federation.oldest, time.time())
        follower = Follower(pinned, ledger, log, say)
        link = Link(follower.accounts()[0], accounts=follower.accounts, take=follower.take)
        stack.enter_context(contextlib.closing(link))
        consent = Consent(Owner(home, pinned, ledger, requests, log, say, noted=_noting(pulse, notifier)))
        nodes = stack.enter_context(watched(Nodes(lambda: follower.accounts()[0], lambda line: say(f"broker: {line}"))))
        me = Identities(pinned, consent.bound)
        watching = _watching(link, stop, say, pulse, notifier, follower, nodes)

        def begins() -> None:
            log.ready()
            consent.began()

        def answers() -> None:
            Site(me, Counted(link, pulse), ledger, consent, watching, record, patience=PATIENCE).run()

        try:
            logged(begins, answers, stop, say, pulse.beat)
        except Refused as error:
            pulse.beat(error.what)
            raise dismissed(home, error, log, link.connections > 0) from None
        finally:
            with contextlib.suppress(Unlogged):
                consent.ended()


def opened(home: SiteHome, member: Membership, log: AccessLog, stack: contextlib.ExitStack) -> tuple[Budget, Requests]:
    """Ledger and requests, closed with `stack`. Its yearly cap is set at every proposal, by the policy of then.

    Raises Unlogged: not now, as the disk of either or of the log is full. UsageError, Refused: not as they are."""
    log.ready()
    try:
        with contextlib.ExitStack() as undo:
            ledger = undo.enter_context(Budget(home.ledger, anchor=anchor(home, member)))
            requests = undo.enter_context(Requests(home.requests))
            stack.push(undo.pop_all())
    except UsageError as error:
        if any(crowded(path.parent) for path in (home.ledger, home.requests)):
            raise Unlogged(error.what, where=error.where, hint=error.hint) from None
        raise
    return ledger, requests


def logged(
    begins: Callable[[], None],
    answers: Callable[[], None],
    stop: Callable[[], bool],
    say: Callable[[str], None],
    beat: Callable[[str], None],
) -> None:
    """`answers` until it ends. Where a line cannot be logged it stops, as if the process were killed there, and goes on
    once `begins`, which logs that, does not raise: letters wait at the broker meanwhile. beat: called
    meanwhile, with why."""
    waits = False
    while not (waits and stop()):
        try:
            begins()
            if waits:
                say("there is room again: requests are answered")
            waits = False
            answers()
            return
        except Unlogged as error:
            if not waits:
                say(f"{error}. Until it can be, nothing is answered and no round goes on here: it is looked again")
            waits = True
            beat(error.what)
            time.sleep(AGAIN)


def _noting(pulse: Pulse, notifier: Notifier) -> Callable[[str, str, str], None]:
    """Whatever happens is counted, and a request that begins to wait is told."""

    def noted(what: str, outcome: str, run: str) -> None:
        pulse.noted(what, outcome)
        notifier.heard(what, outcome, run)

    return noted


def _watching(
    link: Link,
    stop: Callable[[], bool],
    say: Callable[[str], None],
    pulse: Pulse,
    notifier: Notifier,
    follower: Follower,
    nodes: Nodes,
) -> Callable[[], bool]:
    """`stop`, and on the way a word whenever the connection comes or goes, the status file, whom to tell, and a look
    at the federation file."""
    known = ["not connected yet"]  # no word before there is one thing or the other
    times = [1]

    def look() -> bool:
        trouble = link.trouble
        now = str(trouble if isinstance(trouble, UsageError) else trouble.what) if trouble else "connected"
        if known != [now]:
            known[:] = [now]
            say(f"broker: {now}")
        elif not trouble and link.connections > times[0]:
            say("broker: the connection was lost, and another is made")
        times[0] = max(1, link.connections)
        pulse.line(trouble)
        pulse.connected(link.connections, nodes.answers)
        pulse.beat()
        notifier.look(time.time())
        if follower.look():
            link.reconnect()
        return stop()

    return look
