"""The coordinator's line to all parties, and the lease that keeps a second server away."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from potluck.core import private
from potluck.drivers.memory import new_run
from potluck.members.files import replace
from potluck.members.home import CoordinatorHome, Membership
from potluck.net.lease import Lease
from potluck.net.link import Link
from potluck.net.session import Account

CONNECT = 30.0
"""Seconds to reach the broker at the start: its nodes may be choosing a leader."""


@contextmanager
def line(home: CoordinatorHome, member: Membership) -> Iterator[tuple[Link, Lease]]:
    """Both, until the block ends. Raises Unreachable: no broker; Refused: another server has the lease."""
    it = member.federation
    account = Account(it.id, member.me, it.broker, it.ca, member.keys.user.seed)
    with closing(Link(account, parties=tuple(it.cards))) as link:
        link.open(CONNECT)
        boot, mark = new_run(), home.folder / "server.boot"
        lease = Lease(link, boot)
        lease.acquire(mark.read_text(encoding="ascii").strip() if mark.is_file() else None)
        replace(mark, boot.encode(), private.FILE)
        try:
            yield link, lease
        finally:
            lease.release()
