"""One server at a time: a word at the broker that its holder renews every second, by compare-and-set.

Whoever wants it watches whether the word moves: four seconds without a move and it may be taken. No two machines'
clocks are compared. While the broker's nodes choose who leads them, nobody can write it, and nobody counts that as
stillness. It keeps two honest servers of one federation apart; it proves nothing against a broker that
lies, and letters of a displaced server may still be on their way: rounds are told apart by what their letters say.
"""

import asyncio
import base64
import contextlib
import json
import time
from dataclasses import dataclass

import nats.errors

from potluck.core.errors import PotluckError, Refused, Unreachable
from potluck.net.address import lease_stream, lease_subject
from potluck.net.link import Link
from potluck.net.session import Session
from potluck.net.topology import ApiError, api, parse

RENEW = 1.0
STILL = 4.0
"""Seconds without a move after which the holder counts as dead."""
LOOK = 0.25
PATIENCE = 60.0
"""Seconds to ask again whether one is still the server: an election of a leader takes up to ten."""
NO_MESSAGE, MOVED = (10037,), (10071, 10164)


@dataclass(frozen=True, slots=True)
class _Word:
    sequence: int
    boot: str  # empty: given back


class Lease:
    """The right to be this federation's server. boot: this start's own id, up to 64 characters."""

    def __init__(self, link: Link, boot: str) -> None:
        self._link = link
        self._boot = boot
        self._subject = lease_subject(link.account.federation)
        self._stream = lease_stream(link.account.federation)
        self._sequence = 0
        self._renewed = 0.0
        self._lost: Refused | None = None
        self._task: asyncio.Task[None] | None = None

    def acquire(self, previous_boot: str | None = None, patience: float = 30.0) -> None:
        """Take the lease and keep renewing it.

        previous_boot: the id of my own dead predecessor, whose lease is taken at once. Takes four seconds where a
        foreign lease is there but dead. Raises Refused: another server runs this federation. Unreachable: no answer in
        time.
        """
        self._link.wait_for(self._acquire(previous_boot, time.monotonic() + patience), patience + STILL + 5)

    def check(self, patience: float = PATIENCE) -> None:
        """Am I still the server? Asks the broker where the last renewal is older than four seconds, until it answers.

        Raises Refused: another took over. Unreachable: it cannot be found out within `patience` seconds.
        """
        if self._lost is None and time.monotonic() - self._renewed > STILL:
            self._link.wait_for(self._insist(time.monotonic() + patience), patience + 5)
        if self._lost is not None:
            raise self._lost

    @property
    def lost(self) -> Refused | None:
        """That another took over, as far as it is known; asks nobody."""
        return self._lost

    def release(self) -> None:
        """Give it back, so that the next start need not wait. Never raises."""
        with contextlib.suppress(PotluckError):
            self._link.wait_for(self._release(), 3)

    async def _acquire(self, previous: str | None, deadline: float) -> None:
        seen, since = None, time.monotonic()
        while True:
            try:
                session = await self._link.session(deadline)
                word = await self._last(session)
                if word is not None and word.boot not in ("", self._boot, previous):
                    if seen is not None and word.sequence != seen:
                        raise _another(self._link)
                    if seen is None:
                        seen, since = word.sequence, time.monotonic()
                    if time.monotonic() - since < STILL:
                        await asyncio.sleep(LOOK)
                        continue
                await self._write(session, self._boot, 0 if word is None else word.sequence)
                break
            except ApiError as error:
                # Somebody was quicker, and has moved the word; or nobody can now, and it is watched anew from here on.
                seen = (-1 if seen is None else seen) if error.code in MOVED else None
            except (nats.errors.Error, OSError, TimeoutError):
                seen = None
            if time.monotonic() >= deadline:
                raise Unreachable("the broker does not answer for the server's lease", where=self._link.account.url)
            await asyncio.sleep(LOOK)
        self._task = asyncio.ensure_future(self._keep())

    async def _keep(self) -> None:
        while self._lost is None:
            await asyncio.sleep(RENEW)
            with contextlib.suppress(PotluckError):
                await self._ask(time.monotonic() + RENEW)

    async def _insist(self, deadline: float) -> None:
        """Renew, again and again. Raises Unreachable: not by the deadline; Refused."""
        while True:
            try:
                return await self._ask(deadline)
            except Unreachable:
                if time.monotonic() + LOOK >= deadline:
                    raise
            await asyncio.sleep(LOOK)

    async def _ask(self, deadline: float) -> None:
        """Renew once. Raises Unreachable, Refused; a loss is remembered."""
        try:
            session = await self._link.session(deadline)
            try:
                await self._write(session, self._boot, self._sequence)
            except ApiError as error:
                if error.code not in MOVED:
                    raise
                word = await self._last(session)
                if word is not None and word.boot != self._boot:
                    self._lost = _another(self._link)
                    raise self._lost from None
                # My own word whose confirmation was lost, or a broker that lost its store.
                await self._write(session, self._boot, 0 if word is None else word.sequence)
        except (ApiError, nats.errors.Error, OSError, TimeoutError):
            raise Unreachable("the server's lease cannot be renewed", where=self._link.account.url) from None

    async def _last(self, session: Session) -> _Word | None:
        try:
            message = (await api(session, f"STREAM.MSG.GET.{self._stream}", {"last_by_subj": self._subject}))["message"]
            word = json.loads(base64.b64decode(message["data"]))
            return _Word(int(message["seq"]), str(word["boot"]))
        except ApiError as error:
            if error.code in NO_MESSAGE:
                return None
            raise
        except (ValueError, KeyError, TypeError):
            raise ApiError(0, "nonsense") from None

    async def _write(self, session: Session, boot: str, after: int) -> None:
        asked = time.monotonic()
        headers = {"Nats-Expected-Last-Subject-Sequence": str(after)}
        data = json.dumps({"boot": boot}).encode()
        answer = parse((await session.request(self._subject, data, 2.0, headers)).data)
        sequence = answer.get("seq")
        if not isinstance(sequence, int):
            raise ApiError(0, "nonsense")
        self._sequence, self._renewed = sequence, asked

    async def _release(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1)
        if self._lost is None and self._sequence:
            with contextlib.suppress(ApiError, nats.errors.Error, OSError, TimeoutError):
                session = await self._link.session(time.monotonic() + 1)
                await self._write(session, "", self._sequence)
        self._lost = self._lost or Refused("this server has given its lease back", where=self._link.account.url)


def _another(link: Link) -> Refused:
    hint = "end it first; one that died is taken over after a few seconds"
    return Refused("another server runs this federation", where=link.account.url, hint=hint)
