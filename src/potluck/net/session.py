"""One connection to the broker, from its first byte to its end, and its failures in plain words.

TLS comes before anything else, so that nobody on the way can talk the client out of it; only the federation's own
authority is trusted and the host's name is checked. A connection that ends is not repaired: the link opens another,
and whatever was in flight is sent or fetched again. A hostile broker can make its client read without end; limit a
site's memory from outside where that matters.
"""

import asyncio
import base64
import contextlib
import ssl
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import nkeys

from potluck.core.errors import PotluckError, Refused, Unreachable, UsageError
from potluck.core.party import Party
from potluck.net.address import federation, inbox
from potluck.net.connection import BrokerError, Connection, Ended, Login, NoResponders, Silent
from potluck.net.protocol import Message
from potluck.secret.container import Secret

ATTEMPT = 10.0
"""Seconds that one attempt to connect may take."""
EXPIRED, NOT_YET = 10, 9
WRONG_HOST = (62, 64)


@dataclass(frozen=True, slots=True)
class Account:
    """Who connects where, and with what. seed: the nkey seed ("SU..."); authority: the broker's CA (PEM)."""

    federation: str
    me: Party
    url: str
    authority: str = field(repr=False)
    seed: Secret = field(repr=False)

    @property
    def place(self) -> tuple[str, int]:
        """Host and port. Raises UsageError: not a broker's address."""
        try:
            parts = urlsplit(self.url)
            if parts.scheme == "tls" and parts.hostname:
                return parts.hostname, parts.port or 4222
        except ValueError:
            pass
        raise UsageError("not a broker's address", where=self.url, hint="tls://broker.example:4222")


class Session:
    """A live connection. `ended` is set when it is gone; `denied` holds what the broker did not allow."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.ended = asyncio.Event()
        self.denied: list[str] = []
        self._connection = Connection(_login(account), self._problem, self._over)
        self._answers = f"{inbox(account.me)}.{uuid.uuid4().hex}"
        self._asked: dict[str, tuple[str, asyncio.Future[Message]]] = {}
        self._count = 0

    @property
    def broker(self) -> str:
        """What this start of the broker calls itself: another after every restart."""
        return str(self._connection.info.get("server_id", ""))

    async def open(self, host: str, port: int) -> None:
        """Connect, and wait until the broker has let us in. Raises OSError, BrokerError."""
        await asyncio.get_running_loop().create_connection(
            lambda: self._connection,
            host,
            port,
            ssl=_context(self.account.authority),
            server_hostname=host,
            ssl_handshake_timeout=2 * ATTEMPT,  # whoever calls waits less long, and says why
        )
        await self._connection.ready
        self.listen(f"{self._answers}.*", self._answered)  # from now on answers to `request` arrive

    def _problem(self, error: str) -> None:
        text = error.lower()
        waits = [one for one in self._asked.values() if f'"{one[0].lower()}"' in text and not one[1].done()]
        for subject, answer in waits:
            answer.set_exception(self._refusal(subject))
        self.denied = self.denied if waits else [*self.denied[-31:], text]

    def _over(self) -> None:
        self.ended.set()
        for _, answer in self._asked.values():
            if not answer.done():
                answer.set_exception(Ended())

    async def request(
        self, subject: str, data: bytes, wait: float, headers: Mapping[str, str] | None = None
    ) -> Message:
        """Ask and await the answer.

        Raises BrokerError: no answer in `wait` seconds, nobody there, the connection ended. Refused: not allowed.
        """
        known = [text for text in self.denied if f'"{subject.lower()}"' in text]
        if known:
            self.denied = [text for text in self.denied if text not in known]  # said once an attempt
            raise self._refusal(subject)
        if self._connection.full:
            await asyncio.wait_for(self._connection.room(), wait)
        if self.ended.is_set():
            raise Ended
        self._count += 1
        loop = asyncio.get_running_loop()
        name, answer = str(self._count), loop.create_future()
        self._asked[name] = subject, answer
        timer = loop.call_later(wait, _overdue, answer)
        try:
            self._connection.publish(subject, data, f"{self._answers}.{name}", headers)
            message: Message = await answer
            return message
        finally:
            timer.cancel()
            del self._asked[name]
            if answer.done() and not answer.cancelled():
                answer.exception()

    def _answered(self, message: Message) -> None:
        _, answer = self._asked.get(message.subject.rsplit(".", 1)[-1], ("", None))
        if answer is None or answer.done():
            return
        if message.status.startswith("503"):
            answer.set_exception(NoResponders())
        else:
            answer.set_result(message)

    def _refusal(self, subject: str) -> Refused:
        hint = "ask the coordinator to add this party to the federation again"
        return Refused(f"the broker does not allow {self.account.me} to do this", where=subject, hint=hint)

    def listen(self, subject: str, hear: Callable[[Message], None]) -> None:
        """Hear what comes on `subject`."""
        self._connection.subscribe(subject, hear)

    def tell(self, subject: str, data: bytes, reply: str = "") -> None:
        """Send without awaiting an answer; lost where the connection is gone."""
        self._connection.publish(subject, data, reply)

    async def flush(self, wait: float) -> None:
        """Wait until the broker has taken what was sent. Raises Ended; TimeoutError: not within `wait` seconds."""
        await asyncio.wait_for(self._connection.flush(), wait)

    async def end(self, wait: float = 5.0) -> None:
        """Hang up, within `wait` seconds."""
        if self._connection.close():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), wait)
        self._connection.abort()
        self._over()


def _overdue(answer: asyncio.Future[Message]) -> None:
    if not answer.done():
        answer.set_exception(Silent())


def _login(account: Account) -> Login:
    """Raises Refused: the seed is none."""
    try:
        pair = nkeys.from_seed(bytearray(account.seed.expose()))
    except (nkeys.NkeysError, ValueError):
        raise Refused("the key for the broker is damaged", hint="restore this party's folder") from None
    return Login(pair.public_key.decode(), lambda nonce: base64.b64encode(pair.sign(nonce.encode())).decode())


async def connect(account: Account) -> Session:
    """A new connection. Raises Refused: it will not get better by itself. Unreachable: it may."""
    host, port = account.place
    federation(account.federation)
    session = Session(account)
    good = False
    try:
        await asyncio.wait_for(session.open(host, port), ATTEMPT)
        good = not session.ended.is_set()
        if not good:
            raise Ended
        return session
    except (OSError, BrokerError, TimeoutError) as error:
        raise explain(error, account) from None
    finally:
        if not good:
            await session.end(0.2)  # a stream whose handshake failed never says that it is closed


def _context(authority: str) -> ssl.SSLContext:
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
    if "authorization violation" in str(error).lower():
        hint = "ask the coordinator whether this card was added and the broker runs with the latest configuration"
        return Refused(f"the broker does not know this key of {account.me}", where=where, hint=hint)
    if isinstance(error, TimeoutError):
        hint = "is it the broker's address? a nats-server of one's own needs tls { handshake_first: true }"
        return Unreachable("what is there does not answer in TLS 1.3", where=where, hint=hint)
    if "maximum connections" in str(error).lower():
        return Unreachable("the broker has no room for another connection", where=where)
    hint = "is the broker running, and does the firewall let this machine connect to it?"
    return Unreachable("the broker does not answer", where=where, hint=hint)


def _certificate(error: ssl.SSLCertVerificationError, where: str) -> Refused:
    if error.verify_code == EXPIRED:
        hint = "the coordinator renews it with: potluck broker FOLDER --renew"
        return Refused("the broker's certificate has expired", where=where, hint=hint)
    if error.verify_code == NOT_YET:
        hint = "is this machine's clock right?"
        return Refused("the broker's certificate is not valid yet", where=where, hint=hint)
    if error.verify_code in WRONG_HOST:
        hint = "the address in the federation file must be the one that the certificate is for"
        return Refused("the broker's certificate is for another host", where=where, hint=hint)
    hint = "is this the right federation file? else somebody else answers at that address"
    return Refused("the broker's certificate is not from this federation's authority", where=where, hint=hint)
