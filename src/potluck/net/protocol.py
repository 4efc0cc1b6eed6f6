"""What a NATS broker sends, as bytes: lines, and messages with their headers. Reference: NATS documentation, "Client
Protocol".

Everything is hostile. What does not fit, or is longer than the bounds, is `Malformed`, and nothing after it is read.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

LINE = 64 * 1024
"""The most bytes of a line: the broker's first says a lot about itself."""
MOST = 1024**2
"""The most bytes of a message, twice what a piece of a letter has."""
_VERSION = b"NATS/1.0"


class Malformed(Exception):
    """Bytes that are not of this protocol."""


@dataclass(frozen=True, slots=True)
class Message:
    """What came. status: the broker's word about a request ("404 No Messages"); empty: it is a message proper."""

    subject: str
    reply: str
    data: bytes = field(repr=False)
    status: str = ""


@dataclass(frozen=True, slots=True)
class _Coming:
    """A message whose bytes are awaited. head, size: bytes of its headers, and of all of it."""

    subscription: bytes
    subject: str
    reply: str
    head: int
    size: int


class Reader:
    """Takes bytes as they come. on_message: gets (subscription, message); on_line: (verb, rest) of any other line."""

    def __init__(self, on_message: Callable[[bytes, Message], None], on_line: Callable[[bytes, bytes], None]) -> None:
        self._on_message = on_message
        self._on_line = on_line
        self._came = bytearray()
        self._coming: _Coming | None = None

    def feed(self, data: bytes) -> None:
        """Hand on all that is whole. Raises Malformed."""
        self._came += data
        while self._line() if self._coming is None else self._message(self._coming):
            pass

    def _line(self) -> bool:
        """Take one line; False: it is not there yet."""
        end = self._came.find(b"\r\n", 0, LINE)
        if end < 0:
            if len(self._came) >= LINE:
                raise Malformed
            return False
        verb, _, rest = bytes(self._came[:end]).partition(b" ")
        del self._came[: end + 2]
        if verb in (b"MSG", b"HMSG"):
            self._coming = _announced(verb == b"HMSG", rest.split())
        else:
            self._on_line(verb, rest)
        return True

    def _message(self, coming: _Coming) -> bool:
        """Take the message that was announced; False: it is not whole yet."""
        end = coming.size + 2
        if len(self._came) < end:
            return False
        if self._came[coming.size : end] != b"\r\n":
            raise Malformed
        with memoryview(self._came) as view:
            head, data = bytes(view[: coming.head]), bytes(view[coming.head : coming.size])
        del self._came[:end]
        self._coming = None
        self._on_message(
            coming.subscription, Message(coming.subject, coming.reply, data, _status(head) if head else "")
        )
        return True


def _announced(headed: bool, words: list[bytes]) -> _Coming:
    """words: subject, subscription, (where to answer,) (bytes of headers,) bytes."""
    sizes = 2 if headed else 1
    if len(words) not in (2 + sizes, 3 + sizes):
        raise Malformed
    try:
        subject, reply = words[0].decode("ascii"), words[2].decode("ascii") if len(words) == 3 + sizes else ""
        head, size = int(words[-2]) if headed else 0, int(words[-1])
    except ValueError:
        raise Malformed from None
    if not 0 <= head <= size <= MOST:
        raise Malformed
    return _Coming(words[1], subject, reply, head, size)


def _status(head: bytes) -> str:
    """The word on the first line of a message's headers, after their version."""
    first = head.partition(b"\r\n")[0]
    if not first.startswith(_VERSION):
        raise Malformed
    return first[len(_VERSION) :].decode(errors="replace").strip()
