"""What a hostile network or a lying party can do to letters: carriers and wrappers for attack tests."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from potluck.core.desk import Letter
from potluck.core.party import Party
from potluck.core.rounds import Abort, Credentials, Exchange, Half, Inbox, Parcel
from potluck.drivers.memory import Carry
from potluck.testing.protection import AnyHalf, Play

Chosen = Callable[[Letter], bool]
"""Which letters are tampered with."""


def _changing(chosen: Chosen, change: Callable[[bytes], bytes]) -> Carry:
    return lambda letter: (replace(letter, data=change(letter.data)),) if chosen(letter) else (letter,)


def flipped(chosen: Chosen) -> Carry:
    """One bit of the body's last byte is turned."""
    return _changing(chosen, lambda data: data[:-1] + bytes([data[-1] ^ 1]))


def flipped_header(chosen: Chosen) -> Carry:
    """One bit of what the letter says about itself is turned."""
    return _changing(chosen, lambda data: data[:12] + bytes([data[12] ^ 1]) + data[13:])


def truncated(chosen: Chosen) -> Carry:
    """The last byte is missing."""
    return _changing(chosen, lambda data: data[:-1])


def swallowed(chosen: Chosen) -> Carry:
    """The letter never arrives."""
    return lambda letter: () if chosen(letter) else (letter,)


def duplicated(chosen: Chosen) -> Carry:
    """The letter arrives three times."""
    return lambda letter: (letter,) * 3 if chosen(letter) else (letter,)


def replayed(chosen: Chosen) -> Carry:
    """Before the letter, everything that its receiver ever got from its sender arrives once more."""
    seen: list[Letter] = []

    def carry(letter: Letter) -> Iterable[Letter]:
        again = [old for old in seen if (old.sender, old.to) == (letter.sender, letter.to)] if chosen(letter) else []
        seen.append(letter)
        return (*again, letter)

    return carry


def _in_pairs(chosen: Chosen, both: Callable[[Letter, Letter], Iterable[Letter]]) -> Carry:
    held: list[Letter] = []

    def carry(letter: Letter) -> Iterable[Letter]:
        if not chosen(letter):
            return (letter,)
        if not held:
            held.append(letter)
            return ()
        return both(held.pop(), letter)

    return carry


def reordered(chosen: Chosen) -> Carry:
    """Of each two letters the later one arrives first."""
    return _in_pairs(chosen, lambda first, second: (second, first))


def swapped(chosen: Chosen) -> Carry:
    """Of each two letters each arrives where the other should."""
    return _in_pairs(chosen, lambda first, second: (replace(first, to=second.to), replace(second, to=first.to)))


def altering(change: Callable[[Credentials, Party, str, bytes], bytes]) -> Play:
    """A party that runs its half, but changes what it sends: change(seat, to, step, body) -> body."""

    def play(seat: Credentials, half: AnyHalf) -> Half[object]:
        return _altered(half, lambda to, step, body: change(seat, to, step, body))

    return play


def _altered(half: AnyHalf, change: Callable[[Party, str, bytes], bytes]) -> Half[object]:
    inbox: Inbox | None = None
    thrown: Abort | None = None
    while True:
        try:
            exchange: Exchange = half.throw(thrown) if thrown else half.send(inbox) if inbox else next(half)
        except StopIteration as stop:
            return stop.value
        send = {
            to: Parcel(parcel.label, change(to, parcel.label.step, parcel.body)) for to, parcel in exchange.send.items()
        }
        inbox, thrown = None, None
        try:
            inbox = yield replace(exchange, send=send)
        except Abort as abort:
            thrown = abort
