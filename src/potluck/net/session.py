"""One connection to the broker, from its first byte to its end, and its failures in plain words.

TLS comes before anything else, so that nobody on the way can talk the client out of it; only the federation's own
authority is trusted and the host's name is checked. A connection that ends is not repaired: the link opens another,
and whatever was in flight is sent or fetched again. A hostile broker can make its client read without end; limit a
site's memory from outside where that matters.
"""

import asyncio
import contextlib
import ssl
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from potluck.core.errors import PotluckError, Refused, Unreachable, UsageError
from potluck.core.party import Party
from potluck.net.address import federation, inbox
from potluck.secret.container import Secret

ATTEMPT = 10.0
"""Seconds that one attempt to connect may take."""
MOMENT = 0.3
"""Seconds until a broker that turned us away is asked again."""
EXPIRED, NOT_YET = 10, 9
WRONG_HOST = (62, 64)
STRANGER = "the broker does not know this key"
"""How the error begins where a broker lets a party in no more, or not yet."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who connects where, and with what. url: the broker's address, or those of its nodes with commas between; seed:
    the nkey seed ("SU..."); authority: the broker's CA (PEM)."""

    federation: str
    me: Party
    url: str
    authority: str = field(repr=False)
    seed: Secret = field(repr=False)

    @property
    def places(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each node. Raises UsageError: not a broker's address."""
        return tuple(_place(one) for one in self.url.split(","))


def _place(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        if parts.scheme == "tls" and parts.hostname:
            return parts.hostname, parts.port or 4222
    except ValueError:
        pass
    raise UsageError("not a broker's address", where=url, hint="tls://broker.example:4222")


class Session:
    """A live connection. `ended` is set when it is gone; `denied` holds what the broker did not allow."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.ended = asyncio.Event()
        self.denied: list[str] = []
        self.client = Client()
        self._problems: list[Exception] = []
        self._answers = f"{inbox(account.me)}.{uuid.uuid4().hex}"
        self._asked: dict[str, tuple[str, asyncio.Future[Msg]]] = {}
        self._count = 0

    @property
    def broker(self) -> str:
        """What this start of the broker calls itself: another after every restart."""
        return str(self.client._server_info.get("server_id", ""))

    async def _problem(self, error: Exception) -> None:
        text = str(error).lower()
        if "permissions violation" in text:
            waits = [one for one in self._asked.values() if f'"{one[0].lower()}"' in text and not one[1].done()]
            for subject, answer in waits:
                answer.set_exception(self._refusal(subject))
            self.denied = self.denied if waits else [*self.denied[-31:], text]
        else:
            self._problems = [*self._problems[-7:], error]

    def watch(self) -> None:
        """Notice the end. The client's closed-callback is not reliable: it never comes if closing fails."""
        reader = self.client._reading_task
        if reader is None or reader.done():
            self._over()
        else:
            reader.add_done_callback(lambda task: self._over())

    def _over(self) -> None:
        self.ended.set()
        for _, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(nats.errors.ConnectionClosedError())

    async def hear(self) -> None:
        """From now on answers to `request` arrive."""
        await self.listen(f"{self._answers}.*", self._answered)

    async def request(self, subject: str, data: bytes, wait: float, headers: dict[str, str] | None = None) -> Msg:
        """Ask and await the answer.

        Raises nats.errors.Error: no answer in `wait` seconds, nobody there, the connection ended. Refused: not allowed.
        """
        known = [text for text in self.denied if f'"{subject.lower()}"' in text]
        if known:
            self.denied = [text for text in self.denied if text not in known]  # said once an attempt
            raise self._refusal(subject)
        if self.ended.is_set():
            raise nats.errors.ConnectionClosedError
        self._count += 1
        # Not by the client's own `request`: with a future of our own the loop turns a third less often.
        name, answer = str(self._count), asyncio.Future[Msg]()
        self._asked[name] = subject, answer
        timer = asyncio.get_running_loop().call_later(wait, _overdue, answer)
        try:
            await self.client.publish(subject, data, reply=f"{self._answers}.{name}", headers=headers)
            return await answer
        finally:
            timer.cancel()
            del self._asked[name]
            if answer.done() and not answer.cancelled():
                answer.exception()

    async def _answered(self, message: Msg) -> None:
        _, answer = self._asked.get(message.subject.rsplit(".", 1)[-1], ("", None))
        if answer is None or answer.done():
            return
        if (message.headers or {}).get("Status") == "503":
            answer.set_exception(nats.errors.NoRespondersError())
        else:
            answer.set_result(message)

    def _refusal(self, subject: str) -> Refused:
        hint = "ask the coordinator to add this party to the federation again"
        return Refused(f"the broker does not allow {self.account.me} to do this", where=subject, hint=hint)

    async def listen(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> None:
        """Hear what comes on `subject`."""
        await self.client.subscribe(subject, cb=callback)

    async def tell(self, subject: str, data: bytes, reply: str = "") -> None:
        """Send without awaiting an answer; lost where the connection is gone."""
        with contextlib.suppress(nats.errors.Error, OSError):
            await self.client.publish(subject, data, reply=reply)

    async def end(self, wait: float = 5.0) -> None:
        """Hang up, within `wait` seconds."""
        with contextlib.suppress(nats.errors.Error, OSError, TimeoutError, AssertionError):
            await asyncio.wait_for(self.client.close(), wait)
        transport: Any = self.client._transport
        if transport is not None:
            transport.close()  # left open where the client's closing failed half-way
        self._over()


def _overdue(answer: asyncio.Future[Msg]) -> None:
    if not answer.done():
        answer.set_exception(nats.errors.TimeoutError())


async def connect(account: Account, first: int = 0) -> Session:
    """A new connection, to any of the broker's nodes: `first`, modulo their number, is tried first.

    Raises Refused: it will not get better by itself. Unreachable: it may.
    """
    federation(account.federation)
    nodes, failed = account.places, list[PotluckError]()
    for number in range(len(nodes)):
        try:
            return await _sure(account, *nodes[(first + number) % len(nodes)])
        except PotluckError as error:
            failed.append(error)
    # One that is away may know what another refuses: it has read a newer federation file.
    worst = next((error for error in failed if not isinstance(error, Unreachable)), failed[0])
    if any(isinstance(error, Unreachable) for error in failed) and not isinstance(worst, Unreachable):
        raise Unreachable(f"{worst.what}, and another node does not answer", where=account.url, hint=worst.hint)
    raise worst


async def _sure(account: Account, host: str, port: int) -> Session:
    """A refusal counts once it is said twice: while it reads its users anew, nats-server turns away whoever has
    connected and not signed yet (seen with 2.10). Raises as `connect`."""
    with contextlib.suppress(Refused):
        return await _connect(account, host, port)
    await asyncio.sleep(MOMENT)
    return await _connect(account, host, port)


async def _connect(account: Account, host: str, port: int) -> Session:
    session = Session(account)
    good = False
    try:
        await asyncio.wait_for(_open(session, host, port), ATTEMPT)
        good = session.client.is_connected
        if not good:
            raise Unreachable("the broker closed the connection", where=account.url)
        session.watch()
        await session.hear()
        return session
    except (OSError, nats.errors.Error, TimeoutError, asyncio.IncompleteReadError) as error:
        tried: tuple[BaseException, ...] = (error, *reversed(session._problems))
        cause: BaseException = next((e for e in tried if isinstance(e, ssl.SSLError)), error)
        raise explain(cause, account) from None
    finally:
        if not good:
            await session.end(0.2)  # a stream whose handshake failed never says that it is closed


async def connect_any(accounts: Sequence[Account], first: int = 0) -> Session:
    """By the first of these accounts that the broker lets in. Raises as `connect`: what it said to the last one."""
    for account in accounts[:-1]:
        with contextlib.suppress(Refused):
            return await connect(account, first)
    return await connect(accounts[-1], first)


async def _open(session: Session, host: str, port: int) -> None:
    account = session.account
    shown = f"[{host}]" if ":" in host else host
    await session.client.connect(
        f"tls://{shown}:{port}",
        tls=authority_context(account.authority),
        tls_hostname=host,
        tls_handshake_first=True,
        nkeys_seed_str=account.seed.expose().decode("ascii", errors="replace"),
        inbox_prefix=inbox(account.me),
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0,
        connect_timeout=5,
        ping_interval=3,
        max_outstanding_pings=3,
        error_cb=session._problem,
        name="potluck",
    )


def authority_context(authority: str) -> ssl.SSLContext:
    """TLS 1.3 to a broker whose certificate this authority (PEM) signed. Raises UsageError: it is no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError):
        raise UsageError("the federation file's authority is not a certificate", hint="join again") from None
    return context


def explain(error: BaseException, account: Account) -> PotluckError:
    """A failed connection, in plain words."""
    where = account.url
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error, where)
    if isinstance(error, ssl.SSLError):
        hint = "does the address belong to this federation's broker (potluck broker FOLDER)?"
        return Refused("what answers there does not speak TLS 1.3 as a broker should", where=where, hint=hint)
    if "authorization violation" in str(error).lower() or isinstance(error, nats.errors.AuthorizationError):
        hint = "ask the coordinator: it was removed, was not added yet, or the broker has not read the newest file"
        return Refused(f"{STRANGER} of {account.me}", where=where, hint=hint)
    if isinstance(error, TimeoutError):
        hint = "is it the broker's address? a nats-server of one's own needs tls { handshake_first: true }"
        return Unreachable("what is there does not answer in TLS 1.3", where=where, hint=hint)
    if "maximum connections" in str(error).lower():
        return Unreachable("the broker has no room for another connection", where=where)
    hint = "is the broker running, and does the firewall let this machine connect to it?"
    return Unreachable("the broker does not answer", where=where, hint=hint)


def _certificate(error: ssl.SSLCertVerificationError, where: str) -> PotluckError:
    """What is wrong with it. A day that does not fit gets better by itself: clocks are set after a start, and
    certificates are renewed. So whoever waits for a broker waits for these, too; nothing is sent meanwhile."""
    if error.verify_code == EXPIRED:
        hint = "the coordinator renews it: potluck broker FOLDER --renew, of three nodes with --node N"
        return Unreachable("the broker's certificate has expired", where=where, hint=hint)
    if error.verify_code == NOT_YET:
        hint = "is this clock right? If so, the coordinator's was ahead: potluck federation rotate there again"
        return Unreachable("the broker's certificate is not valid yet", where=where, hint=hint)
    if error.verify_code in WRONG_HOST:
        hint = "the address in the federation file must be the one that the certificate is for"
        return Refused("the broker's certificate is for another host", where=where, hint=hint)
    hint = "is this the right federation file? else somebody else answers at that address"
    return Refused("the broker's certificate is not from this federation's authority", where=where, hint=hint)
