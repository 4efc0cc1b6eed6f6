"""A party's line to all others, over the broker: `core.line.Line` on NATS JetStream.

Calls block; the work is done on one background thread for all links of the process. Connects when made and again for
as long as it lives, a tenth of a second to two seconds after the last attempt. Letters arrive at least once, in any
order, and are as hostile as the broker: whoever reads one verifies it. A long letter lies in a file (`secret.spool`).
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as Overdue
from dataclasses import dataclass, field
from typing import Any, TypeVar

import nats.errors

from potluck.core.errors import PotluckError, Unreachable, UsageError
from potluck.core.line import Delivery
from potluck.core.party import Party
from potluck.core.slices import Sliced
from potluck.net import notice, topology
from potluck.net.address import stream, subject, token
from potluck.net.mailbox import Mailbox
from potluck.net.pieces import LARGEST, Assembler, Key, count, message
from potluck.net.session import Account, Session, connect_any
from potluck.net.thread import SHARED
from potluck.net.topology import ApiError, Queues
from potluck.secret.random import system

T = TypeVar("T")
IN_FLIGHT = 6
"""Messages of one letter that await the broker's word at a time."""
AT_ONCE = 24
"""Messages of all letters that do."""
SHORTEST, LONGEST = 0.1, 2.0
CLOSED, LOST = "this line is closed", "there is no connection to the broker"
ANSWER, BRIEF, SMALL = 15.0, 2.0, 64 * 1024
"""Seconds after which a message that the broker said nothing about is sent again (under the same id); of one of at most
so many bytes, which burdens no line: a node that dies takes unconfirmed messages along."""


@dataclass(frozen=True, slots=True)
class _Outgoing:
    """A letter on its way. name: 16 bytes that no other letter has."""

    name: bytes
    to: Party
    data: Sliced = field(repr=False)


class Link:
    """One party's connection. Safe to use from several threads.

    parties: given by the server alone: all whose queues it keeps set up, itself among them. largest: bytes of a letter.
    accounts: asked before every attempt to connect, for keys and addresses change; they are tried in turn. take: what
    is to be done, on the link's thread, with a federation file that the broker shows.
    """

    def __init__(
        self,
        account: Account,
        parties: Collection[Party] = (),
        largest: int = LARGEST,
        queues: Queues | None = None,
        assembler: Assembler | None = None,
        accounts: Callable[[], Sequence[Account]] | None = None,
        take: notice.Take | None = None,
    ) -> None:
        self._account = account
        _ = account.places  # a wrong address is said at once
        self._largest = largest
        self._parties = tuple(parties)
        self._queues = queues or Queues()
        self._accounts = accounts or (lambda: (account,))
        self._notice = take
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = threading.Condition()
        self._trouble: PotluckError | None = Unreachable("not connected yet", where=account.url)
        self._closed = False
        self._broker = ""  # whose queues this link has set up
        self._session: Session | None = None
        self._alive = asyncio.Event()
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._mailbox = Mailbox(account, assembler or Assembler(largest), self._changed)
        self._loop = SHARED.enter()
        self._task: asyncio.Task[None] | None = None
        asyncio.run_coroutine_threadsafe(self._live(), self._loop)

    # The line.

    def send(self, to: Party, data: Sliced, patience: float) -> None:
        """Hand over a letter; it is durable at the broker when this returns.

        Raises Unreachable: not within `patience` seconds, with the last reason. Refused: the broker does not know or
        allow this party, or is not the federation's. UsageError: longer than `largest`.
        """
        self._fits(data)
        self.wait_for(self._send(to, data, time.monotonic() + patience), patience + 5)

    def send_all(self, letters: Sequence[tuple[Party, Sliced]], patience: float) -> Mapping[Party, Unreachable]:
        """Hand over several letters at once. Gives to whom one could not be handed over within `patience`, and why.

        Raises Refused, UsageError: as `send`; then some may have gone.
        """
        for _, data in letters:
            self._fits(data)
        return self.wait_for(self._send_all(letters, time.monotonic() + patience), patience + 5)

    def _fits(self, data: Sliced) -> None:
        if len(data) > self._largest:
            raise UsageError(f"a letter of {len(data)} bytes is longer than {self._largest}", hint="a smaller model")

    def receive(self, wait: float) -> Delivery | None:
        """The next whole letter, or None after `wait` seconds, connected or not (see `trouble`).

        Raises Unreachable: closed. Refused: the broker does not know this party, or is not the federation's.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._mailbox.waiting or self._closed or self._refused, wait)
            if self._closed:
                raise _away(self._account, CLOSED)
            if not self._mailbox.waiting:
                if self._refused and self._trouble is not None:
                    raise self._trouble
                return None
            paused = self._mailbox.full
            key, data = self._mailbox.take()
        if paused:
            self._soon(self._mailbox.roomier)
        return Delivery(data, lambda: self._finish(key))

    def close(self) -> None:
        """Hang up; what was acknowledged is said first. Twice does nothing."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
        with contextlib.suppress(Overdue, CancelledError):
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        SHARED.leave()

    # What a runner asks beside.

    @property
    def trouble(self) -> PotluckError | None:
        """Why there is no connection now, or why a long letter cannot be kept here; None where all is well."""
        return self._trouble or self._mailbox.cramped

    def open(self, patience: float) -> None:
        """Wait for the connection (the server: and its queues). Raises Unreachable, Refused, UsageError."""
        self.wait_for(self._connected(time.monotonic() + patience), patience + 5)

    def keep(self, parties: Collection[Party]) -> None:
        """The server: the queues of these parties are kept set up from now on, or from the next connection on."""
        self._parties = tuple(parties)
        self._soon(lambda: self._over(asyncio.ensure_future(self._set_up())))

    def reconnect(self) -> None:
        """Hang up, and connect again by what `accounts` says now."""
        self._soon(lambda: self._over(asyncio.ensure_future(self._hang_up())))

    @property
    def connections(self) -> int:
        """How many were made so far, whether anybody noticed or not."""
        return self._mailbox.served

    @property
    def account(self) -> Account:
        """Whose link this is."""
        return self._account

    def wait_for(self, work: Coroutine[Any, Any, T], patience: float) -> T:
        """The result of a coroutine on the link's loop. Raises what it raises. Unreachable: not in `patience` s."""
        if self._closed:
            work.close()
            raise _away(self._account, CLOSED)
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(patience)
        except (Overdue, CancelledError):
            raise self._late() from None
        finally:
            future.cancel()

    async def session(self, deadline: float) -> Session:
        """The live connection. Raises Unreachable: none by `deadline` (time.monotonic). Refused: at once."""
        await self._connected(deadline)
        if self._session is None:
            raise self._late()
        return self._session

    # On the loop.

    async def _live(self) -> None:
        pause, node = SHORTEST, int(token(self._account.me), 16)  # parties spread over the nodes
        self._task = asyncio.current_task()
        while not self._closed:
            session, reader = None, None
            try:
                session = await connect_any(self._accounts(), node)
                self._account = session.account
                if self._parties:
                    await topology.ensure(session, self._parties, self._queues, session.broker != self._broker)
                    self._broker = session.broker
                self._state(session, None)
                pause = SHORTEST
                if self._notice is not None:
                    reader = asyncio.ensure_future(notice.watch(session, self._notice))
                await self._mailbox.serve(session)
            except PotluckError as error:
                self._state(None, error)
            except (OSError, nats.errors.Error):
                pass  # it ended while it was being set up
            finally:
                if reader is not None:
                    reader.cancel()
                if session is not None:
                    self._state(None, self._trouble or _away(self._account, LOST))
                    await session.end()
            if self._closed:
                return
            node += 1  # the one that just failed is tried last
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST)

    async def _hang_up(self) -> None:
        if self._session is not None:
            await self._session.end()

    async def _set_up(self) -> None:
        if self._session is not None:
            with contextlib.suppress(PotluckError):
                await topology.ensure(self._session, self._parties, self._queues, afresh=False)

    def _over(self, task: asyncio.Task[None]) -> None:
        """Keep it until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _state(self, session: Session | None, trouble: PotluckError | None) -> None:
        with self._changed:
            self._session, self._trouble = session, trouble
            (self._alive.set if session is not None else self._alive.clear)()
            self._changed.notify_all()

    @property
    def _refused(self) -> bool:
        return self._trouble is not None and not isinstance(self._trouble, Unreachable)

    async def _connected(self, deadline: float) -> None:
        while self._session is None:
            if self._refused and self._trouble is not None:
                raise self._trouble
            if self._closed or time.monotonic() >= deadline:
                raise self._late()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._alive.wait(), min(0.1, max(0.001, deadline - time.monotonic())))

    async def _send_all(self, letters: Sequence[tuple[Party, Sliced]], deadline: float) -> Mapping[Party, Unreachable]:
        if len(letters) == 1:  # as a site's mostly are: it needs no task beside this one
            to, data = letters[0]
            try:
                await self._send(to, data, deadline)
            except Unreachable as reason:
                return {to: reason}
            return {}
        done = await asyncio.gather(*(self._send(*one, deadline) for one in letters), return_exceptions=True)
        failed: dict[Party, Unreachable] = {}
        for (to, _), error in zip(letters, done, strict=True):
            if isinstance(error, Unreachable):
                failed[to] = error
            elif error is not None:
                raise error
        return failed

    async def _send(self, to: Party, data: Sliced, deadline: float) -> None:
        letter = _Outgoing(system(16), to, data)
        pieces = count(len(data))
        if pieces == 1:
            return await self._publish(letter, 0, deadline)
        indexes = iter(range(pieces))
        workers = [asyncio.ensure_future(self._worker(letter, indexes, deadline)) for _ in range(IN_FLIGHT)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()

    async def _worker(self, letter: _Outgoing, indexes: Iterator[int], deadline: float) -> None:
        for index in indexes:
            await self._publish(letter, index, deadline)

    async def _publish(self, letter: _Outgoing, index: int, deadline: float) -> None:
        identity, where = self._account.federation, subject(self._account.federation, letter.to, self._account.me)
        headers = {"Nats-Msg-Id": f"{letter.name.hex()}.{index}"}
        pause, reason = SHORTEST, ""
        while True:
            if reason and time.monotonic() + pause >= deadline:
                raise Unreachable(reason, where=self._account.url)
            if reason:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST)
            session = await self.session(deadline)
            try:
                async with self._gate:  # a message is made here, so that no more of them are held than may be sent
                    data = message(letter.name, letter.data, index)
                    wait = min(ANSWER if len(data) > SMALL else BRIEF, max(0.05, deadline - time.monotonic()))
                    said = topology.parse((await session.request(where, data, wait, headers)).data)
                if said.get("stream") == stream(identity):
                    return
                reason = "the broker keeps letters of this federation elsewhere than in its queues"
            except ApiError as error:
                reason = topology.said(error, letter.to)
            except nats.errors.NoRespondersError:
                reason = "the broker has no queues for this federation yet: the coordinator's server makes them"
            except (nats.errors.TimeoutError, TimeoutError):
                reason = "the broker did not confirm a letter"
            except (nats.errors.Error, OSError):
                reason, pause = "the connection to the broker was lost", SHORTEST

    async def _end(self) -> None:
        await self._mailbox.settle()
        if self._session is not None:
            with contextlib.suppress(nats.errors.Error, OSError, TimeoutError):
                await self._session.client.flush(2)
            await self._session.end()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=5)

    def _finish(self, key: Key) -> None:
        with self._changed:  # several runs read one link: only one of them is the first
            first = self._mailbox.done(key)
        if first:
            self._soon(self._mailbox.soon)

    def _soon(self, work: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # closed: the broker sends the letter again to whoever comes next
            self._loop.call_soon_threadsafe(work)

    def _late(self) -> PotluckError:
        return self._trouble or (_away(self._account, CLOSED) if self._closed else _away(self._account, LOST))


def _away(account: Account, what: str) -> Unreachable:
    return Unreachable(what, where=account.url)
