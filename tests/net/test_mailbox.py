"""What the receiving side does on its own, without a broker: when an unfinished letter is given up."""

import asyncio
import threading
import time

import pytest

from potluck.core.party import SERVER
from potluck.net import mailbox
from potluck.net.mailbox import ACK, Mailbox
from potluck.net.pieces import PIECE, Assembler, message

LETTER, ID = b"x" * (3 * PIECE), b"i" * 16


class Broker:
    """Writes down what is said of each message."""

    broker = "b"

    def __init__(self):
        self.ended = asyncio.Event()
        self.said = []

    async def tell(self, reply, word):
        self.said.append((reply.split(".")[5], word))


class Account:
    me, federation = SERVER, "f" * 32


class Message:
    """A piece of the letter, as the broker delivers it."""

    subject = "x.y.sender"

    def __init__(self, index):
        self.data = message(ID, LETTER, index)
        self.reply = f"$JS.ACK.s.c.1.{index + 1}.{index + 1}.0.0"


@pytest.mark.parametrize("fetching", [True, False])
def test_a_letter_is_late_only_while_messages_are_fetched(monkeypatch, fetching):
    """It may be whole at the broker while the caller is busy, or the line is down: then it is not given up."""
    monkeypatch.setattr(mailbox, "STALE", 0.2)
    monkeypatch.setattr(mailbox, "KEEP", 0.05)

    async def late():
        box, broker = Mailbox(Account(), Assembler(), threading.Condition()), Broker()
        box._session = broker
        for index in (0, 1):
            await box._arrived(Message(index))
        if fetching:
            box._fetching = time.monotonic()
        keeper = asyncio.ensure_future(box._keep(broker))
        await asyncio.sleep(1)
        keeper.cancel()
        await box._arrived(Message(2))
        await asyncio.sleep(0.05)
        return box.waiting, ("1", ACK) in broker.said

    assert asyncio.run(late()) == (not fetching, fetching)
