"""The federation file at the broker: one last word that the server puts up, and every member reads.

A member gets it when it connects, hears of each new one at once, and asks every minute whether there is a newer one,
for what the broker hands on may be lost. It is as hostile as the broker: whoever takes it verifies it. A broker can
withhold it or show an old one; what it shows last says nothing about what is newest.
"""

import asyncio
import base64
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Any, TypeVar

import nats.errors
from nats.aio.msg import Msg

from potluck.core.errors import PotluckError, Refused, Unreachable, UsageError
from potluck.core.party import Party
from potluck.net import topology
from potluck.net.address import NOTICE, notice_stream, notice_subject
from potluck.net.session import Account, Session, connect
from potluck.net.thread import SHARED
from potluck.net.topology import ApiError, Queues, api, parse

AGAIN = 60.0
"""Seconds between two looks at the broker's last word."""
WAIT, PAUSE = 3.0, 0.2
SLOW = 125_000
"""Bytes a second of a slow line: 1 Mbit/s. What takes longer is asked for again."""
T = TypeVar("T")
Take = Callable[[bytes], None]


async def put(session: Session, text: bytes) -> None:
    """Put the file up, in the place of the one before; members that are connected hear of it.

    Raises UsageError: longer than NOTICE. Unreachable: the broker did not take it. Refused: not the server's.
    """
    if len(text) > NOTICE:
        hint = "send federation.toml by mail: each member joins with it"
        raise UsageError(f"the federation file has {len(text)} bytes, and the broker shows {NOTICE}", hint=hint)
    identity = session.account.federation
    try:
        said = parse((await session.request(notice_subject(identity), text, WAIT + len(text) / SLOW)).data)
    except (ApiError, nats.errors.Error, OSError, TimeoutError):
        said = {}
    if said.get("stream") != notice_stream(identity):
        raise Unreachable("the broker did not take the federation file", where=session.account.url)


def shown(account: Account, patience: float) -> bytes | None:
    """The file that is up, over a connection of its own; None as `read`. account: the server's.

    Raises as `connect`, once `patience` seconds are over.
    """
    return _alone(_shown(account, time.monotonic() + patience))


def post(account: Account, parties: Collection[Party], text: bytes, patience: float) -> None:
    """Put the file up over a connection of its own, and set up the queues of all `parties`. account: the server's.

    Raises as `put`, and as `connect`, once `patience` seconds are over: a broker takes a moment to read its users.
    """
    _alone(_post(account, tuple(parties), text, time.monotonic() + patience))


def _alone(work: Coroutine[Any, Any, T]) -> T:
    loop = SHARED.enter()
    try:
        return asyncio.run_coroutine_threadsafe(work, loop).result()
    finally:
        SHARED.leave()


async def _closed(account: Account) -> bool:
    """Whether nothing listens at any of the broker's places, or has that name: a moment would not change that."""
    for place in account.places:
        try:
            (await asyncio.to_thread(socket.create_connection, place, WAIT)).close()
            return False
        except (ConnectionRefusedError, socket.gaierror):
            continue
        except OSError:
            return False
    return True


async def _post(account: Account, parties: tuple[Party, ...], text: bytes, end: float) -> None:
    async def put_up(session: Session) -> None:
        await topology.ensure(session, parties, Queues(), afresh=False)
        await put(session, text)

    await _connected(account, put_up, end)


async def _shown(account: Account, end: float) -> bytes | None:
    return await _connected(account, read, end)


async def _connected(account: Account, work: Callable[[Session], Awaitable[T]], end: float) -> T:
    """What `work` gives, tried again until it succeeds or `end` has come, where anything listens."""
    end = time.monotonic() if await _closed(account) else end
    while True:
        try:
            session = await connect(account)
            try:
                return await work(session)
            finally:
                await session.end()
        except (Unreachable, Refused):
            if time.monotonic() >= end:
                raise
        await asyncio.sleep(PAUSE)


async def read(session: Session) -> bytes | None:
    """The file that is up; None: none is, or the broker does not say. It may be anything."""
    found = await _newer(session, 0)
    return None if found is None else found[1]


async def _newer(session: Session, after: int) -> tuple[int, bytes] | None:
    """The file that is up, and its number, where that is above `after`; None as `read`. Only what is newer is sent: of
    all members the whole file every minute would fill the broker's line."""
    identity = session.account.federation
    subject = notice_subject(identity)
    wanted = {"seq": after + 1, "next_by_subj": subject} if after else {"last_by_subj": subject}
    try:
        found = await api(session, f"STREAM.MSG.GET.{notice_stream(identity)}", wanted, WAIT + 4 / 3 * NOTICE / SLOW)
        message = found["message"]
        return int(message["seq"]), base64.b64decode(message["data"], validate=True)[: NOTICE + 1]
    except (ApiError, PotluckError, nats.errors.Error, OSError, TimeoutError, KeyError, TypeError, ValueError):
        return None


async def watch(session: Session, take: Take) -> None:
    """Hand over every file that is up or put up, until the connection ends."""

    async def heard(message: Msg) -> None:
        take(bytes(message.data[: NOTICE + 1]))

    await session.listen(notice_subject(session.account.federation), heard)
    number = 0
    while not session.ended.is_set():
        found = await _newer(session, number)
        if found is not None:
            number, text = found
            take(text)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.ended.wait(), AGAIN)
