"""The link between the parties of one job: the library's, through `relay`, which is all that the network sees.

The library's messages name their sender by rank and prove nothing: a party of the job can pose as another of the same
job, nobody else can. Certificates and key lie in memory files for a moment; no disk sees them.
"""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from spu import libspu

from potluck.engines.frames import OpError
from potluck.engines.serving import Operations
from potluck.engines.spu.relay import Relay
from potluck.engines.spu.settings import COMPUTE, INTERSECT, header, natural, parties, within

LONGEST = 3000
"""Seconds that a party may wait for others in one operation; the worker's own alarm rings after 3600."""
GONE = "another party is gone or too late"
RETRY_MS = 500
FOLDERS: list[str] = []
"""Where this process has worked."""


class Line(NamedTuple):
    """An open link. protocol: what it was opened for."""

    protocol: str
    rank: int
    context: Any


def line(state: Mapping[str, Any]) -> Line:
    """The open link. Raises OpError: there is none."""
    found = state.get("link")
    if not isinstance(found, Line):
        raise OpError("no link is open")
    return found


def timeout(about: Mapping[str, Any]) -> float:
    """How long others are waited for, in seconds. Raises OpError: missing or out of range."""
    return float(natural(about, "timeout", 1, LONGEST))


def link(state: dict[str, Any], body: bytes, certificate: bytes, key: bytes, trusted: bytes) -> list[bytes]:
    """Opens the link: {"protocol", "rank", "addresses", "job", "folder", "timeout"}; PEM: own certificate, its key, and
    all parties' certificates by rank.

    It returns when all parties are connected; they may come one after the other within the timeout. folder: an empty
    one that nobody else may enter, where this process then works. Raises OpError: a protocol that is refused, a link
    that is open already, addresses or certificates that do not fit, not all parties in time.
    """
    about = header(body)
    protocol = about.get("protocol")
    count = parties(protocol, {**COMPUTE, **INTERSECT})
    rank, job, addresses = natural(about, "rank", 0, count - 1), about.get("job"), about.get("addresses")
    if "link" in state:
        raise OpError("a link is open already")
    good = isinstance(addresses, list) and all(isinstance(one, str) and 3 <= len(one) <= 300 for one in addresses)
    if not isinstance(addresses, list) or not good or len(set(addresses)) != count:
        raise OpError(f"{protocol} takes {count} different addresses, host:port")
    if not isinstance(job, str) or not 1 <= len(job) <= 200:
        raise OpError("a job has a name")
    relay = Relay(rank, addresses, (certificate, key), trusted, timeout(about))
    try:
        os.chdir(str(about.get("folder")))
    except OSError:
        raise OpError("no folder for sockets") from None
    FOLDERS.append(os.getcwd())
    described = _described(relay.start(), job, timeout(about))
    words = "not all parties could be linked in time"
    opened = within(timeout(about), words, lambda: libspu.link.create_brpc(described, rank))
    state["link"] = Line(str(protocol), rank, opened)
    return []


def _described(addresses: list[str], job: str, seconds: float) -> Any:
    made = libspu.link.Desc()
    made.id = job
    made.recv_timeout_ms = int(seconds * 1000)
    made.http_timeout_ms = int(seconds * 1000)
    made.connect_retry_times, made.connect_retry_interval_ms = int(seconds * 1000 / RETRY_MS) + 1, RETRY_MS
    for index, address in enumerate(addresses):
        made.add_party(f"p{index}", address)
    return made


OPS: Operations = {"mpc.link": link}
