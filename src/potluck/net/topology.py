"""The broker's queues: one stream a federation, one durable reader a party. The server sets them up, again and again.

A work queue on disk: a message stays until its reader acknowledges it, a full queue refuses instead of losing, a
repeated message id within two minutes is stored once. It survives the broker's death, not that of its disk: the
broker flushes to disk every two minutes, so that a power cut can lose what it had acknowledged. Of three nodes each
keeps a copy, and what is acknowledged is with two of them. Nothing that counts may depend on it.
"""

import asyncio
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec
from nats.errors import Error

from potluck.core.errors import Unreachable
from potluck.core.party import Party
from potluck.net.address import NOTICE, lease_stream, lease_subject, notice_stream, notice_subject, stream, token
from potluck.net.pieces import LARGEST, MESSAGE, count
from potluck.net.session import Session

GIB = 1024**3
NANO = 1_000_000_000
ACK_WAIT = 6.0
"""Seconds until the broker sends again what was neither acknowledged nor kept."""
SMALLEST = 64 * 1024**2
NOT_FOUND = (10059, 10014)
NO_ROOM = (10047, 10023, 10028, 10002)


@dataclass(frozen=True, slots=True)
class Queues:
    """Limits. size: bytes of the whole stream; letters: messages waiting from one party to another."""

    size: int = 7 * GIB
    letters: int = 2 * count(LARGEST)


class ApiError(Exception):
    """The broker's own words about a request that it turned down."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        super().__init__(text)


def said(error: ApiError, to: Party) -> str:
    """Why the broker did not take a letter, in plain words."""
    text = str(error).lower()
    if "per subject" in text:
        return f"the queue to {to} is full: it has not fetched its letters"
    if "maximum bytes" in text or "maximum messages" in text:
        return "the broker's store is full"
    if "insufficient" in text or "resource" in text or "no space" in text or "storage" in text:
        return "the broker has no room left on its disk"
    return f"the broker did not take a letter: {error}"


async def api(session: Session, verb: str, body: object = None, wait: float = 5.0) -> dict[str, Any]:
    """One call of JetStream's API. Raises ApiError, nats.errors.Error, Refused."""
    data = b"" if body is None else json.dumps(body).encode()
    answer = await session.request(f"$JS.API.{verb}", data, wait)
    return parse(answer.data)


def parse(data: bytes) -> dict[str, Any]:
    """An answer of the broker. Raises ApiError: an error, or nonsense."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise ApiError(0, "nonsense") from None
    if not isinstance(document, dict):
        raise ApiError(0, "nonsense")
    error = document.get("error")
    if isinstance(error, dict):
        code = error.get("err_code")
        raise ApiError(code if isinstance(code, int) else 0, str(error.get("description", "")))
    return document


async def ensure(session: Session, parties: Collection[Party], queues: Queues, afresh: bool) -> None:
    """Make or mend the stream, its readers, the lease's stream and that of the federation file.

    afresh: make the readers anew, so that all that waits is delivered again. Needed once after every start of the
    broker: one that was killed may number its messages from the start again, of which readers made before know nothing;
    they would skip what is below their old position (seen with nats-server 2.10). Where there are several nodes another
    one is no new start, and only a reader beyond the end of its queue is made anew. Raises Unreachable: it cannot.
    """
    identity, copies = session.account.federation, len(session.account.places)
    try:
        last = await _stream(session, identity, queues, copies)
        await _put(session, lease_stream(identity), _lease(identity, copies))
        await _put(session, notice_stream(identity), _notice(identity, copies))
        gate = asyncio.Semaphore(16)
        end: float = last if copies > 1 else 0 if afresh else math.inf
        await asyncio.gather(*(_reader(session, identity, party, gate, end) for party in parties))
    except ApiError as error:
        raise Unreachable(f"the broker cannot set up its queues: {error}", where=session.account.url) from None
    except Error as error:
        what = f"the broker does not set up its queues ({type(error).__name__})"
        raise Unreachable(what, where=session.account.url) from None


async def _stream(session: Session, identity: str, queues: Queues, copies: int) -> int:
    """The number of its last message."""
    size = queues.size
    while True:
        try:
            return await _put(session, stream(identity), _letters(identity, queues, size, copies))
        except ApiError as error:
            if error.code not in NO_ROOM or size // 2 < SMALLEST:
                raise
            size //= 2  # a broker with a smaller disk holds less


async def _put(session: Session, name: str, wanted: dict[str, Any]) -> int:
    try:
        found = await api(session, f"STREAM.INFO.{name}")
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        # Never with `first_seq`: nats-server 2.10 empties such a stream whenever it starts.
        await api(session, f"STREAM.CREATE.{name}", wanted)
        return 0
    there = found.get("config", {})
    limits = ("max_msgs_per_subject", "max_msg_size", "num_replicas")
    if any(there.get(key) != wanted[key] for key in limits):
        # A queue stays as large as the disk allowed once; what shows the federation file has to hold two of them.
        kept = {"max_bytes": max(there.get("max_bytes", wanted["max_bytes"]), 2 * wanted["max_msg_size"])}
        await api(session, f"STREAM.UPDATE.{name}", wanted | kept)
    last = found.get("state", {}).get("last_seq", 0)
    return last if isinstance(last, int) else 0


def _letters(identity: str, queues: Queues, size: int, copies: int) -> dict[str, Any]:
    return _stored(stream(identity), f"potluck.{identity}.*.*", size, copies) | {
        "retention": "workqueue",
        "discard": "new",
        "discard_new_per_subject": True,
        "max_msgs_per_subject": queues.letters,
        "max_msgs": -1,
        "max_msg_size": MESSAGE,
        "max_consumers": -1,
        "duplicate_window": 120 * NANO,
    }


def _lease(identity: str, copies: int) -> dict[str, Any]:
    return _stored(lease_stream(identity), lease_subject(identity), 64 * 1024, copies) | {
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": 1,
        "max_msgs": 1,
        "max_msg_size": 4096,
        "max_consumers": 0,
        "duplicate_window": NANO,
    }


def _notice(identity: str, copies: int) -> dict[str, Any]:
    place = _stored(notice_stream(identity), notice_subject(identity), 4 * NOTICE, copies)
    return _lease(identity, copies) | place | {"max_msg_size": NOTICE + 4096}


def _stored(name: str, subject: str, size: int, copies: int) -> dict[str, Any]:
    place = {"name": name, "subjects": [subject], "storage": "file", "num_replicas": copies}
    return place | {"max_bytes": size, "max_age": 0}


async def _reader(session: Session, identity: str, party: Party, gate: asyncio.Semaphore, end: float) -> None:
    """Make a party's reader, anew where it has delivered beyond `end`, or where that is 0."""
    name, me = stream(identity), token(party)
    config = {
        "durable_name": me,
        "name": me,
        "filter_subject": f"potluck.{identity}.{me}.*",
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": int(ACK_WAIT * NANO),
        "max_deliver": -1,
        "max_ack_pending": 65536,
        "max_waiting": 64,
        "replay_policy": "instant",
    }
    async with gate:
        if end == 0 or (end < math.inf and await _delivered(session, name, me) > end):
            try:
                await api(session, f"CONSUMER.DELETE.{name}.{me}")
            except ApiError as error:
                if error.code not in NOT_FOUND:
                    raise
        await api(session, f"CONSUMER.DURABLE.CREATE.{name}.{me}", {"stream_name": name, "config": config})


async def _delivered(session: Session, name: str, reader: str) -> float:
    """The number of the last message that a reader delivered; 0 where there is none."""
    try:
        found = (await api(session, f"CONSUMER.INFO.{name}.{reader}")).get("delivered", {}).get("stream_seq", 0)
    except ApiError as error:
        if error.code not in NOT_FOUND:
            raise
        return 0
    return found if isinstance(found, int) else 0
