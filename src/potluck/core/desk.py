"""One half and its mailbox: every rule about which letter counts, and no clock.

The desk verifies a letter before the half sees anything of it; discards a forgery and keeps waiting; takes the
first valid letter of a (sender, label) and ignores the rest; keeps letters that come early, within bounds; and
answers one that comes after its sender was declared gone with `stop`. All runners share it and only move letters.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from potluck.core.ledger import Ledger
from potluck.core.party import Party, Role
from potluck.core.rounds import CHARGE, Abort, Cause, Exchange, Half, Inbox, Label, Parcel, Record, RoundId
from potluck.core.slices import Sliced, whole
from potluck.core.wire import dump, load

T = TypeVar("T")
STOP = "stop"
EARLY_PER_SENDER = 8
EARLY_BYTES = 1 << 26

Seal = Callable[[Party, Parcel], Sliced]
"""(to, parcel) -> a signed letter."""
Unseal = Callable[[Sliced], tuple[Party, Parcel]]
"""A letter -> its verified (sender, parcel). Raises Abort where it is not for us or not from whom it says."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A sealed parcel on its way; `label` and `sender` are what the sending desk says, for routing and transcripts."""

    sender: Party
    to: Party
    label: Label
    data: Sliced = field(repr=False)


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """Why a half stopped and whom it accuses: all that travels of an abort."""

    cause: str
    role: str
    name: str


@dataclass(slots=True)
class _Waiting:
    exchange: Exchange
    got: dict[Party, bytes]
    gone: dict[Party, Cause]

    def missing(self) -> frozenset[Party]:
        return self.exchange.expect - self.got.keys() - self.gone.keys()


class Desk(Generic[T]):
    """One party's half in one round. Call `start`, then `receive`, `leave` and `expire`; each gives letters to send.

    `notices`: (who stopped, why, whom it accuses), one for each party that said so.
    `lost`: who did not answer, and the first cause.
    `charged`: whether a charge was written. `contributing`: the labels under which contributions left, or are awaited.
    `fixed`: the parties in the sum, once an exchange has named them; empty before.
    When `done`, `result` holds what the half returned, or `abort` holds why it ended.
    """

    def __init__(self, me: Party, round: RoundId, half: Half[T], seal: Seal, unseal: Unseal, ledger: Ledger) -> None:
        self.me = me
        self.round = round
        self.done = False
        self.result: T | None = None
        self.abort: Abort | None = None
        self.on_read: Callable[[Party, Label, Sliced], None] | None = None
        self.notices: list[tuple[Party, Cause, Party | None]] = []
        self.lost: dict[Party, Cause] = {}
        self.charged = False
        self.contributing: set[Label] = set()
        self.fixed: frozenset[Party] = frozenset()
        self._half = half
        self._seal = seal
        self._unseal = unseal
        self._ledger = ledger
        self._waiting: _Waiting | None = None
        self._passed: dict[Label, _Waiting] = {}
        self._early: dict[tuple[Party, Label], Sliced] = {}
        self._left: dict[Party, Cause] = {}
        self._told: set[Party] = set()
        self._partners: set[Party] = set()
        self._owed: list[Record] = []
        self._out: list[Letter] = []

    @property
    def hops(self) -> int:
        """How many times the runner's patience the present wait may last (0: not waiting)."""
        return self._waiting.exchange.hops if self._waiting else 0

    @property
    def step(self) -> str:
        """The step that is awaited."""
        return self._waiting.exchange.label.step if self._waiting else ""

    @property
    def hopeless(self) -> bool:
        """Whether fewer can still answer than are needed."""
        waiting = self._waiting
        return waiting is not None and len(waiting.got) + len(waiting.missing()) < waiting.exchange.at_least

    @property
    def answered(self) -> frozenset[Party]:
        """Those who have answered what is awaited."""
        return frozenset(self._waiting.got) if self._waiting else frozenset()

    def awaited(self) -> frozenset[Party]:
        """Those who have neither answered nor left."""
        return self._waiting.missing() if self._waiting else frozenset()

    def start(self) -> list[Letter]:
        """Run the half up to its first wait."""
        self._advance(lambda: next(self._half))
        return self._flush()

    def receive(self, data: Sliced) -> list[Letter]:
        """Take one letter from outside."""
        try:
            sender, parcel = self._unseal(data)
        except Abort:
            return []  # a forgery proves nothing about anybody: keep waiting
        return self.accept(sender, parcel)

    def accept(self, sender: Party, parcel: Parcel) -> list[Letter]:
        """Take one parcel that whoever calls has verified."""
        if not self.done and parcel.label.round == self.round:
            self._take(sender, parcel)
        return self._flush()

    def leave(self, party: Party, cause: Cause) -> list[Letter]:
        """The runner knows that `party` is gone."""
        if not self.done:
            self._gone(party, cause)
        return self._flush()

    def expire(self) -> list[Letter]:
        """hops x patience have passed since the wait began."""
        if not self.done and self._waiting:
            for party in self._waiting.missing():
                self._waiting.gone[party] = Cause.SILENT
            self._resume_if_complete()
        return self._flush()

    def close(self) -> None:
        """The round is over: the half ends where it waits and lets go of its keys. No letter is sent."""
        self._half.close()

    def _take(self, sender: Party, parcel: Parcel) -> None:
        waiting, label = self._waiting, parcel.label
        if label.step == STOP:
            self._stopped(sender, parcel.body)
        elif label in self._passed:
            if sender in self._passed[label].gone:
                self._too_late(sender)
        elif waiting and label == waiting.exchange.label:
            if sender in waiting.gone:
                self._too_late(sender)
            elif sender in waiting.missing():
                self._accept(waiting, sender, parcel.body)
                self._resume_if_complete()
        else:
            self._keep(sender, parcel)

    def _too_late(self, sender: Party) -> None:
        """The sender is told once: a replayed letter must not cause more letters."""
        if sender not in self._told:
            self._told.add(sender)
            self._post(sender, farewell(self.round, Abort(Cause.LATE)))

    def _gone(self, party: Party, cause: Cause) -> None:
        self._left.setdefault(party, cause)
        if self._waiting and party in self._waiting.missing():
            self._waiting.gone[party] = cause
            self._resume_if_complete()

    def _stopped(self, sender: Party, body: Sliced) -> None:
        try:
            notice = load(body, Notice, sender)
            cause = Cause(notice.cause)
            accused = Party(Role(notice.role), notice.name) if notice.name else None
        except (Abort, ValueError):
            cause, accused = Cause.MALFORMED, None
        if all(sender != known for known, _, _ in self.notices):
            self.notices.append((sender, cause, accused))
        self._gone(sender, cause)

    def _accept(self, waiting: _Waiting, sender: Party, body: Sliced) -> None:
        read, take, opened = waiting.exchange.read, waiting.exchange.take, b""
        try:
            if take:
                said = take(sender, body)
            else:
                said = opened = read(sender, whole(body)) if read else whole(body)
        except Abort as abort:
            waiting.gone[sender] = abort.cause
            return
        if self.on_read:
            self.on_read(sender, waiting.exchange.label, said)
        waiting.got[sender] = opened

    def _keep(self, sender: Party, parcel: Parcel) -> None:
        """Each sender has bounds of its own, so that nobody can fill the mailbox for the others."""
        mine = [len(body) for (who, _), body in self._early.items() if who == sender]
        if len(mine) < EARLY_PER_SENDER and sum(mine) + len(parcel.body) <= EARLY_BYTES:
            self._early.setdefault((sender, parcel.label), parcel.body)

    def _resume_if_complete(self) -> None:
        waiting = self._waiting
        if waiting is None or waiting.missing():
            return
        self._waiting = None
        for party, cause in waiting.gone.items():
            self.lost.setdefault(party, cause)
        self._passed[waiting.exchange.label] = waiting
        if len(waiting.got) < waiting.exchange.at_least:
            self._advance(lambda: self._half.throw(_too_few(waiting)))
        else:
            inbox = Inbox(dict(waiting.got), dict(waiting.gone))
            waiting.got = dict.fromkeys(waiting.got, b"")  # bodies are the half's now: only who answered is kept
            self._advance(lambda: self._half.send(inbox))

    def _advance(self, go: Callable[[], Exchange]) -> None:
        exchange = self._step(go)
        while exchange is not None and not exchange.expect:
            exchange = self._step(lambda: self._half.send(Inbox()))
        if exchange is not None:
            self._resume_if_complete()

    def _step(self, go: Callable[[], Exchange]) -> Exchange | None:
        """Run the half to its next exchange and begin it; None where it ended."""
        try:
            exchange = self._yielded(go)
            self._begin(exchange)
        except StopIteration as stop:
            self._finish(stop.value, None)
            return None
        except Abort as abort:
            self._half.close()
            self._finish(None, abort)
            return None
        return exchange

    def _yielded(self, go: Callable[[], Exchange]) -> Exchange:
        try:
            return go()
        except Exception:
            self._write()  # what was put off came before this end
            raise

    def _begin(self, exchange: Exchange) -> None:
        if exchange.record:
            charges = exchange.record.key.startswith(CHARGE)
            if charges and not exchange.contributes:
                raise ValueError(f"{exchange.label.step} charges, and does not say that it contributes")
            self._owed.append(exchange.record)
            if not exchange.later:
                self._write()
            self.charged = self.charged or charges
        if exchange.send:
            self._write()
        if exchange.known and self.on_read:
            self.on_read(self.me, exchange.label, exchange.known())
        if exchange.contributes:
            self.contributing.add(exchange.label)
        self.fixed |= exchange.fixes
        for to, parcel in exchange.send.items():
            self._post(to, parcel)
        if not exchange.expect:
            return
        self._partners |= exchange.expect
        left = {party: cause for party, cause in self._left.items() if party in exchange.expect}
        waiting = self._waiting = _Waiting(exchange, {}, left)
        for sender in waiting.missing():
            body = self._early.pop((sender, exchange.label), None)
            if body is not None:
                self._accept(waiting, sender, body)

    def _write(self) -> None:
        """What is owed to the ledger, at one wait for the disk."""
        owed, self._owed = self._owed, []
        if owed:
            self._ledger.write(*owed)

    def _finish(self, result: T | None, abort: Abort | None) -> None:
        self.done = True
        self.result, self.abort = result, abort
        _bare(abort)
        self._waiting = None
        self._early.clear()
        if abort:
            for party in sorted(self._partners):
                self._post(party, farewell(self.round, abort))

    def _post(self, to: Party, parcel: Parcel) -> None:
        if parcel.label.step != STOP:
            self._partners.add(to)
        self._out.append(Letter(self.me, to, parcel.label, self._seal(to, parcel)))

    def _flush(self) -> list[Letter]:
        letters, self._out = self._out, []
        return letters


def _bare(abort: Abort | None) -> None:
    """What an abort knows of where it came from are frames, and in them the keys of the round: they go with the round,
    not with whoever keeps the abort."""
    if abort is not None:
        abort.__traceback__ = abort.__context__ = abort.__cause__ = None


def farewell(round: RoundId, abort: Abort) -> Parcel:
    """What is said of an abort: its cause, and whom it accuses."""
    accused = abort.party
    notice = Notice(abort.cause.value, accused.role.value if accused else "", accused.name if accused else "")
    return Parcel(Label(round, STOP), dump(notice))


def _too_few(waiting: _Waiting) -> Abort:
    """What a half is told when fewer than `at_least` answered: the one cause where there is one, else TOO_FEW."""
    exchange = waiting.exchange
    gone = {str(party): cause for party, cause in sorted(waiting.gone.items())}
    text = ", ".join(f"{name}: {cause.value}" for name, cause in gone.items())
    detail = f"{len(waiting.got)} answers where {exchange.at_least} are needed; gone: {text or 'nobody'}"
    one = next(iter(waiting.gone)) if len(waiting.gone) == 1 else None
    cause = waiting.gone[one] if one is not None and one.role is not Role.SITE else Cause.TOO_FEW
    return Abort(cause, party=one, step=exchange.label.step, detail=detail, stands=exchange.stands)
