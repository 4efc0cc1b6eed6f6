"""The coordinator's line to all parties, and the lease that keeps a second server away."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from potluck.api.network.membership.compared import held_against
from potluck.api.network.running.watched import Nodes, watched
from potluck.core import private
from potluck.core.errors import PotluckError, Unreachable, UsageError
from potluck.drivers.memory import new_run
from potluck.members.files import replace
from potluck.members.home import CoordinatorHome, Membership
from potluck.net import notice
from potluck.net.lease import Lease
from potluck.net.link import Link
from potluck.net.session import Account

CONNECT = 30.0
"""Seconds to reach the broker at the start: its nodes may be choosing a leader."""
PUT = 5.0
"""Seconds to put up the federation file."""


def account(member: Membership) -> Account:
    """Where the coordinator connects, and with what."""
    it = member.federation
    return Account(it.id, member.me, it.broker, it.ca, member.keys.user.seed)


def put_up(home: CoordinatorHome, link: Link) -> None:
    """The broker shows the federation file in force, where it can be reached: members follow it. Nothing takes the
    place of a newer file; a home of a copy puts up none before a broker has shown that it is not behind.

    Raises Refused: the broker shows a newer file, or another of this version.
    """

    async def put() -> None:
        session = await link.session(time.monotonic() + PUT)
        known = held_against(home, await notice.read(session))
        if known or not home.restored.exists():
            await notice.put(session, home.federation.read_bytes())

    with contextlib.suppress(Unreachable, UsageError, OSError):
        link.wait_for(put(), PUT + 5)


@contextmanager
def line(
    home: CoordinatorHome, member: Membership, say: Callable[[str, str], None] = lambda event, text: None
) -> Iterator[tuple[Link, Lease, Nodes]]:
    """Both, and which of the broker's nodes answer, until the block ends; the link follows the coordinator's keys and
    the broker's address as they change. say: event and words where a node of the broker goes or comes back.

    Raises Unreachable: no broker; Refused: another server has the lease, or the broker shows a newer federation file.
    """

    def accounts() -> tuple[Account, ...]:
        with contextlib.suppress(PotluckError):
            return (account(home.standing()),)
        return (account(member),)

    with closing(Link(account(member), parties=tuple(member.federation.cards), accounts=accounts)) as link:
        link.open(CONNECT)
        boot, mark = new_run(), home.folder / "server.boot"
        lease = Lease(link, boot)
        lease.acquire(mark.read_text(encoding="ascii").strip() if mark.is_file() else None)
        replace(mark, boot.encode(), private.FILE)
        try:
            put_up(home, link)
            with watched(Nodes(lambda: accounts()[0], lambda words: say("broker", words))) as nodes:
                yield link, lease, nodes
        finally:
            lease.release()
