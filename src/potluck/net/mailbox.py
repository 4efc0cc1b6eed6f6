"""The receiving side of a link: fetches messages within a window, joins letters, keeps and acknowledges them.

A message is acknowledged when its whole letter is done with; until then the broker is told every two seconds that it
is still in work, so that it does not send it again. What comes twice all the same is told apart by letter id: within
this process a letter is handed out once (the last 16,384 are remembered). Across processes it may come again.
"""

import asyncio
import json
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from potluck.core.errors import UsageError
from potluck.core.slices import LONG, Sliced
from potluck.net.address import inbox, stream, token
from potluck.net.pieces import MESSAGE, Added, Assembler, Key, Malformed, read
from potluck.net.session import Account, Session
from potluck.net.topology import NANO

SMALL, LARGE = MESSAGE + 64 * 1024, 16 * 1024**2
"""Bytes that may be on their way to us: starts small, so that on a slow line nothing is sent twice."""
PREFETCH = 64 * 1024**2
"""Bytes of whole letters that wait for the caller before fetching pauses."""
BATCH, EXPIRES, BEAT, SILENCE = 512, 10.0, 1.5, 4.0
KEEP, STALE, RETRY = 2.0, 300.0, 5.0
ALONE = 15.0
"""Seconds without a stream or reader after which another node is tried: this one may have lost the others."""
LATER = 0.25
"""Seconds after which letters that are done with are acknowledged, all at once: out of the way of what is awaited."""
REMEMBERED = 16384
ACK, WORKING, AGAIN = b"+ACK", b"+WPI", b'-NAK {"delay": %d}' % (RETRY * NANO)


@dataclass(slots=True)
class _Pull:
    number: int
    asked: float
    heard: float
    window: int
    left: int = BATCH
    over: asyncio.Event = field(default_factory=asyncio.Event)
    status: str = ""


class Mailbox:
    """Letters to one party. All but `take`, `waiting`, `full`, `done` run on the loop."""

    def __init__(self, account: Account, assembler: Assembler, ready: threading.Condition) -> None:
        self._account = account
        self._assembler = assembler
        self._ready = ready
        self._letters: deque[tuple[Key, Sliced]] = deque()
        self._waiting = 0
        self._room = asyncio.Event()
        self._replies: dict[Key, dict[int, str]] = {}
        self._whole: set[Key] = set()  # joined, not done with
        self._newest = 0
        self.served = 0  # connections
        self._broker = ""
        self._cramped: tuple[float, UsageError] | None = None
        self._fetching = math.inf  # since when without a pause
        self._barren = math.inf  # since when there is no stream or reader
        self._done: OrderedDict[Key, None] = OrderedDict()
        self._finished: deque[Key] = deque()
        self._session: Session | None = None
        self._pull: _Pull | None = None
        self._number = 0
        self._window = SMALL
        self._inbox = f"{inbox(account.me)}.letters"
        self._next = f"$JS.API.CONSUMER.MSG.NEXT.{stream(account.federation)}.{token(account.me)}"
        self._tasks: set[asyncio.Task[None]] = set()

    # From the caller's thread; `take` under the condition.

    @property
    def waiting(self) -> bool:
        """Whether a whole letter is there."""
        return bool(self._letters)

    @property
    def full(self) -> bool:
        """Whether fetching pauses until a letter is taken."""
        return self._waiting >= PREFETCH

    @property
    def cramped(self) -> UsageError | None:
        """Why a long letter was not kept a moment ago; None: none was refused."""
        when, error = self._cramped or (-math.inf, None)
        return error if time.monotonic() - when < 3 * RETRY else None

    def take(self) -> tuple[Key, Sliced]:
        """The next letter."""
        key, data = self._letters.popleft()
        self._waiting -= len(data)
        return key, data

    def done(self, key: Key) -> bool:
        """The letter is done with. Gives whether `soon` is to be called: it is the first of those not yet said."""
        self._finished.append(key)
        return len(self._finished) == 1

    # On the loop.

    def soon(self) -> None:
        """Say in a moment what is done with."""
        asyncio.get_running_loop().call_later(LATER, self._finish_all)

    def _finish_all(self) -> None:
        while self._finished:
            self.finish(self._finished.popleft())

    def roomier(self) -> None:
        """The caller took a letter: fetching may go on."""
        self._room.set()

    def finish(self, key: Key) -> None:
        """The letter is done with: acknowledge its messages, now and whenever they come again."""
        self._done[key] = None
        while len(self._done) > REMEMBERED:
            self._done.popitem(last=False)
        self._whole.discard(key)
        self._say(self._replies.pop(key, {}).values(), ACK)

    async def settle(self) -> None:
        """Wait until what was to be said is said."""
        self._finish_all()
        while self._tasks:
            await asyncio.wait(set(self._tasks), timeout=2)

    async def serve(self, session: Session) -> None:
        """Fetch over this connection until it ends."""
        self._session, self._window, self.served = session, SMALL, self.served + 1
        if session.broker != self._broker:
            self._forget()
        self._broker = session.broker
        keeper = asyncio.ensure_future(self._keep(session))
        try:
            await session.listen(f"{self._inbox}.*", self._arrived)
            silent, self._fetching, self._barren = 0, time.monotonic(), math.inf
            while not session.ended.is_set():
                if self.full:
                    self._room.clear()
                    await _first(self._room.wait(), session.ended.wait(), KEEP)
                    self._fetching = time.monotonic()
                    continue
                silent = silent + 1 if await self._fetch(session) else 0
                if silent == 3:  # connected, yet mute: a new connection tells
                    return
                if len(self._account.places) > 1 and time.monotonic() - self._barren > ALONE:
                    return
        finally:
            keeper.cancel()
            self._session = self._pull = None

    async def _fetch(self, session: Session) -> bool:
        """One request for messages, until it is used up. Gives whether the broker was silent."""
        self._number += 1
        now = time.monotonic()
        pull = self._pull = _Pull(self._number, now, now, self._window)
        body = {"batch": BATCH, "max_bytes": pull.window, "expires": int(EXPIRES * NANO)}
        body["idle_heartbeat"] = int(BEAT * NANO)
        await session.tell(self._next, json.dumps(body).encode(), f"{self._inbox}.{pull.number}")
        while not pull.over.is_set():
            await _first(pull.over.wait(), session.ended.wait(), SILENCE / 4)
            if session.ended.is_set():
                return False
            if time.monotonic() - pull.heard > SILENCE:
                return True
        self._adapt(pull)
        if pull.status in ("503", "404") or "Consumer" in pull.status or "Shutdown" in pull.status:
            self._barren = min(self._barren, pull.asked)
            await _first(session.ended.wait(), None, 0.25)  # no stream or reader there (yet): the server makes them
        else:
            self._barren = math.inf
        return False

    def _adapt(self, pull: _Pull) -> None:
        """Twice the bytes where a window took below half a second, half where above two."""
        took = time.monotonic() - pull.asked
        if "MaxBytes" in pull.status or pull.left == 0:
            factor = 2.0 if took < 0.5 else 0.5 if took > 2 else 1.0
            self._window = int(min(LARGE, max(SMALL, pull.window * factor)))

    async def _arrived(self, message: Msg) -> None:
        pull = self._pull
        if pull is not None:
            pull.heard = time.monotonic()
        if message.subject.startswith(self._inbox):
            self._status(pull, message)
            return
        if pull is not None:
            pull.left -= 1
            if pull.left == 0:
                pull.over.set()
        if message.reply.startswith("$JS.ACK."):
            self._take(message.subject.rsplit(".", 1)[-1], message.data, message.reply)

    def _status(self, pull: _Pull | None, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status", "")
        if pull is None or status == "100" or not message.subject.endswith(f".{pull.number}"):
            return
        pull.status = f"{status} {headers.get('Description', '')}".strip()
        pull.over.set()

    def _renumbered(self, reply: str) -> None:
        """A first delivery has a higher number than all before, or the reader was made anew."""
        delivered, number = _numbers(reply)
        if delivered == 1 and number <= self._newest:
            self._forget()
        self._newest = max(self._newest, number)

    def _forget(self) -> None:
        """What was delivered comes again, maybe under other numbers: an old acknowledgement could hit a new message."""
        for replies in self._replies.values():
            replies.clear()
        self._newest = 0

    def _take(self, sender: str, data: bytes, reply: str) -> None:
        self._renumbered(reply)
        try:
            piece = read(data, self._assembler.largest)
            key = (sender, piece.letter)
            if key in self._done:
                self._say([reply], ACK)
                return
            known = self._replies.get(key, {})
            if key in self._whole or piece.index in known:
                known[piece.index] = reply
                return
            added = self._assembler.add(sender, data, time.monotonic())
        except Malformed:
            self._say([reply], ACK)
            return
        self._replies.setdefault(key, {})[piece.index] = reply
        if piece.total > LONG:
            self._cramped = (time.monotonic(), added.cramped) if added.cramped else None
        self._dropped(added)
        if added.whole is not None:
            self._whole.add(key)
            with self._ready:
                self._letters.append((key, added.whole))
                self._waiting += len(added.whole)
                self._ready.notify_all()

    def _dropped(self, added: Added) -> None:
        for key in added.ended:
            self._end(key)
        for key in added.later:
            self._say(self._replies.pop(key, {}).values(), AGAIN)

    def _end(self, key: Key) -> None:
        """An unfinished letter is given up for good."""
        self._assembler.drop(key)
        self.finish(key)

    def _say(self, replies: Iterable[str], word: bytes) -> None:
        session, all_of_them = self._session, list(replies)
        if session is None or not all_of_them:
            return
        task = asyncio.ensure_future(_tell(session, all_of_them, word))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, session: Session) -> None:
        while True:
            await asyncio.sleep(KEEP)
            before = time.monotonic() - STALE
            # What waits at the broker while nothing is fetched is not late.
            for key in self._assembler.stale(before) if self._fetching < before else ():
                self._end(key)
            for replies in list(self._replies.values()):
                await _tell(session, list(replies.values()), WORKING)


def _numbers(reply: str) -> tuple[int, int]:
    """How often this message was delivered, and its number in the stream; zeros where the broker says nonsense."""
    parts = reply.split(".")  # $JS.ACK.<stream>.<reader>.<delivered>.<number>..., newer ones with two names before
    place = 4 if len(parts) == 9 else 6
    try:
        return int(parts[place]), int(parts[place + 1])
    except (ValueError, IndexError):
        return 0, 0


async def _tell(session: Session, replies: list[str], word: bytes) -> None:
    for reply in replies:
        if session.ended.is_set():
            return
        await session.tell(reply, word)


async def _first(one: object, other: object, wait: float) -> None:
    """Wait for either, at most `wait` seconds."""
    tasks = {asyncio.ensure_future(part) for part in (one, other) if asyncio.iscoroutine(part)}
    try:
        await asyncio.wait(tasks, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
