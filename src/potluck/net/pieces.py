"""A letter as messages of at most half a mebibyte, and back.

A message: magic, version, letter id (16 bytes), index, count (4 bytes each), total length (8 bytes), payload. Every
piece but the last holds `PIECE` bytes, so that count and lengths follow from the total and a header that says
otherwise is malformed. Nothing here is authentic: whoever may publish may forge pieces; the joined letter is verified
by its reader.
"""

import struct
from collections import OrderedDict
from dataclasses import dataclass, field

from potluck.core.errors import UsageError
from potluck.core.slices import LONG, Sliced
from potluck.secret.spool import Spooled

MAGIC = b"PTLK"
VERSION = 1
HEADER = struct.Struct(">4sB16sIIQ")
PIECE = 512 * 1024
LARGEST = 256 * 1024**2
MESSAGE = PIECE + 4096
"""The most bytes a message has, headers of the broker's included."""
FILES = 256
"""Long letters that are unfinished at a time, of all senders: each has a file open, and a process may have 1,024."""
OVERHEAD = 1024
"""What a partial letter counts for beside its bytes."""


class Malformed(ValueError):
    """Bytes that are no piece of a letter."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One message, read."""

    letter: bytes
    index: int
    count: int
    total: int
    payload: memoryview = field(repr=False)


def count(total: int) -> int:
    """How many pieces a letter of `total` bytes has: at least one."""
    return max(1, -(-total // PIECE))


def message(letter: bytes, data: Sliced, index: int) -> bytes:
    """One message of `data`; letter: its id, 16 bytes that no other letter has."""
    head = HEADER.pack(MAGIC, VERSION, letter, index, count(len(data)), len(data))
    return b"".join((head, data[index * PIECE : (index + 1) * PIECE]))


def read(message: bytes, largest: int) -> Piece:
    """The piece in `message`. Raises Malformed."""
    if len(message) < HEADER.size:
        raise Malformed("too short")
    magic, version, letter, index, pieces, total = HEADER.unpack_from(message)
    if magic != MAGIC or version != VERSION:
        raise Malformed("another format")
    if total > largest or pieces != count(total) or index >= pieces:
        raise Malformed("inconsistent header")
    if len(message) - HEADER.size != min(PIECE, total - index * PIECE):
        raise Malformed("wrong length")
    return Piece(letter, index, pieces, total, memoryview(message)[HEADER.size :])


Key = tuple[str, bytes]
"""Sender's token and letter id: a sender cannot disturb another's letters."""


@dataclass(slots=True)
class _Partial:
    """What has come of a letter: its pieces, or of a long one a file and which of its pieces are there."""

    total: int
    touched: float
    file: Spooled | None
    size: int = OVERHEAD
    pieces: dict[int, bytes] = field(default_factory=dict)

    def put(self, piece: Piece) -> None:
        if self.file is None:
            self.pieces[piece.index] = bytes(piece.payload)
            return
        self.file.write(piece.index * PIECE, piece.payload)
        self.pieces[piece.index] = b""

    def whole(self) -> Sliced:
        return self.file or b"".join(self.pieces[index] for index in range(len(self.pieces)))


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a message."""

    key: Key
    whole: Sliced | None = field(default=None, repr=False)
    ended: tuple[Key, ...] = ()  # dropped for good: their sender has more unfinished letters than it may
    later: tuple[Key, ...] = ()  # dropped for want of room: fetch them again later
    cramped: UsageError | None = None  # why there was none on the disk


class Assembler:
    """Joins pieces, in any order and repeated, within hard bounds.

    largest: bytes of a letter. partials, each: unfinished letters and bytes a sender. hold: bytes of all senders.
    Beyond a sender's bounds its own oldest unfinished letter goes, beyond `hold` and FILES the one that was untouched
    for longest.
    """

    def __init__(self, largest: int = LARGEST, partials: int = 8, each: int | None = None, hold: int | None = None):
        self.largest = largest
        self._partials = partials
        self._each = 2 * largest + OVERHEAD * partials if each is None else each
        self._hold = max(2 * largest, 4 * 1024**3) if hold is None else hold
        self._open: OrderedDict[Key, _Partial] = OrderedDict()  # oldest first
        self._senders: dict[str, OrderedDict[Key, None]] = {}
        self.size = 0
        self._files = 0

    def __len__(self) -> int:
        return len(self._open)

    def add(self, sender: str, message: bytes, now: float) -> Added:
        """Take a message. now: seconds on any clock that only moves forward. Raises Malformed: nothing changed."""
        piece = read(message, self.largest)
        key = (sender, piece.letter)
        partial = self._open.get(key)
        if partial is None:
            if piece.count == 1:
                return Added(key, whole=bytes(piece.payload))
            try:
                file = Spooled(piece.total) if piece.total > LONG else None
            except UsageError as error:
                return Added(key, later=(key, *self._eased(sender)), cramped=error)
            partial = self._open[key] = _Partial(piece.total, now, file)
            self._files += file is not None
            self._senders.setdefault(sender, OrderedDict())[key] = None
            self.size += OVERHEAD
        elif partial.total != piece.total:
            raise Malformed("another length than its other pieces")
        if piece.index not in partial.pieces:
            try:
                partial.put(piece)
            except UsageError as error:  # as where there is none in memory
                self.drop(key)
                return Added(key, later=(key, *self._eased(sender)), cramped=error)
            partial.size += len(piece.payload)
            partial.touched = now
            self.size += len(piece.payload)
            self._open.move_to_end(key)
        if len(partial.pieces) == piece.count:
            self.drop(key)
            return Added(key, whole=partial.whole())
        return Added(key, ended=self._within(sender), later=self._room(key))

    def _within(self, sender: str) -> tuple[Key, ...]:
        own = self._senders[sender]
        ended: list[Key] = []
        while len(own) > self._partials or (len(own) > 1 and sum(self._open[k].size for k in own) > self._each):
            ended.append(next(iter(own)))
            self.drop(ended[-1])
        return tuple(ended)

    def _room(self, key: Key) -> tuple[Key, ...]:
        later: list[Key] = []
        for oldest, partial in list(self._open.items()):
            if oldest == key or (self.size <= self._hold and self._files <= FILES):  # never the one that has just moved
                break
            if self.size > self._hold or partial.file is not None:
                later.append(oldest)
                self.drop(oldest)
        return tuple(later)

    def _eased(self, sender: str) -> tuple[Key, ...]:
        """Another sender that holds more than this one lets go of its longest open letter, so that nobody keeps the
        others out."""
        held = {who: sum(self._open[key].size for key in keys) for who, keys in self._senders.items()}
        most = max(held, key=lambda who: held[who], default=sender)
        if most == sender or held[most] <= held.get(sender, 0):
            return ()
        key = next(iter(self._senders[most]))
        self.drop(key)
        return (key,)

    def stale(self, before: float) -> list[Key]:
        """Unfinished letters that no piece has joined since `before`."""
        return [key for key, partial in self._open.items() if partial.touched < before]

    def drop(self, key: Key) -> None:
        """Forget an unfinished letter."""
        partial = self._open.pop(key, None)
        if partial is None:
            return
        self.size -= partial.size
        self._files -= partial.file is not None
        own = self._senders[key[0]]
        del own[key]
        if not own:
            del self._senders[key[0]]
