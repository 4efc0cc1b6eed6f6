"""What was kept of a run (`--record`), as bytes that nobody vouches for: who read what, and what a party said or found.

Every body has its size and hash in the index, and beside it stands how many letters there are in all. They find
damage, not a forger: whoever can write the folder can write all of it. So what a body says is decoded by the program's
own strict decoders, and what does not fit is an error that names the file. Sizes are compared at once, a hash where its
body is used.
"""

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from stat import S_ISREG
from typing import Annotated

import msgspec

from potluck.core import private
from potluck.core.errors import UsageError, reason
from potluck.core.schema import readable
from potluck.core.slices import PIECE
from potluck.drivers.transcript import END, INDEX, letters_at_end

FILE = re.compile(r"[0-9]{6,12}\.bin")
MOST = 10_000_000
"""Letters of one record."""
LARGEST = 1 << 30
"""Bytes of a letter whose length no plan says: an announced model."""
HINT = "a record is made with --record, and nothing in it may be changed"


class Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """One line of the index. to: who read it; where that is the sender, what it said or found by itself."""

    file: str
    round: Annotated[int, msgspec.Meta(ge=0)]
    step: str
    sender: str
    to: str
    bytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Letter:
    """One line and its body, which is read when it is asked for. kept: the body, where it is asked for again."""

    line: Line
    path: Path
    kept: bytes | None = field(default=None, repr=False)

    def sized(self) -> None:
        """Raises UsageError naming the file: it is missing, no file, or not as long as the index says."""
        try:
            status = self.path.lstat()
        except OSError as error:
            raise UsageError(f"cannot be read ({reason(error)})", where=str(self.path), hint=HINT) from None
        if status.st_size != self.line.bytes or not S_ISREG(status.st_mode):
            what = f"has {status.st_size} bytes where the index says {self.line.bytes}, or is no file"
            raise UsageError(what, where=str(self.path), hint=HINT)

    def body(self, most: int = LARGEST) -> bytes:
        """Its bytes. Raises UsageError naming the file: as `sized`, they are more than such a letter may have, or not
        those that the index says."""
        if self.kept is not None:
            return self.kept
        if self.line.bytes > most:
            what = f"has {self.line.bytes:,} bytes where such a letter has at most {most:,}"
            raise UsageError(what, where=str(self.path), hint=HINT)
        return b"".join(self._pieces())

    def checked(self) -> None:
        """The same of a letter of any length, of which a piece at a time is held."""
        for _ in self._pieces() if self.kept is None else ():
            pass

    def held(self, most: int = LARGEST) -> "Letter":
        """The same, which has its body at hand. Raises UsageError as `body`."""
        return replace(self, kept=self.body(most))

    def _pieces(self) -> Iterator[bytes]:
        self.sized()
        state = hashlib.sha256()
        try:
            with private.regular(self.path) as file:
                while piece := file.read(PIECE):
                    state.update(piece)
                    yield piece
        except OSError as error:
            raise UsageError(f"cannot be read ({reason(error)})", where=str(self.path), hint=HINT) from None
        if state.hexdigest() != self.line.sha256:
            raise UsageError("its bytes are not those of the index", where=str(self.path), hint=HINT)


@dataclass(frozen=True, slots=True)
class Record:
    """The letters of a run, in order. whole: who kept it ended by itself, so that none is lacking."""

    letters: tuple[Letter, ...] = field(repr=False)
    whole: bool = False

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """The record in a folder. Raises UsageError: it is none, lacks letters at its end, or has a body of another
        size."""
        letters = tuple(_lines(folder))
        if not letters:
            raise UsageError("holds no letter", where=str(folder / INDEX), hint=HINT)
        for letter in letters:
            letter.sized()
        return cls(letters, _whole(folder, len(letters)))

    @property
    def digest(self) -> str:
        """SHA-256 of what its index says, the hash of every body with it."""
        return hashlib.sha256(msgspec.json.encode((self.whole, [one.line for one in self.letters]))).hexdigest()

    def seen_by(self, names: Collection[str]) -> tuple[Letter, ...]:
        """Those that one of these parties read, or itself said or found."""
        return tuple(letter for letter in self.letters if letter.line.to in names)


def _whole(folder: Path, letters: int) -> bool:
    path = folder / END
    try:
        said = letters_at_end(folder)
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path), hint=HINT) from None
    except msgspec.MsgspecError:
        raise UsageError("does not say how many letters there are", where=str(path), hint=HINT) from None
    if said is not None and said > letters:
        what = f"was cut short: it names {letters} letters, and {END} says {said}"
        raise UsageError(what, where=str(folder / INDEX), hint=HINT)
    return said == letters  # who began again after an end, and was cut off, has more


def _lines(folder: Path) -> Iterator[Letter]:
    path, known = folder / INDEX, set[str]()
    decoder = msgspec.json.Decoder(readable(Line))
    try:
        with private.regular(path) as file:
            for number, text in enumerate(file, 1):
                line = decoder.decode(text)
                if number > MOST or not FILE.fullmatch(line.file) or line.file in known:
                    raise UsageError(f"line {number}: names no file of a record", where=str(path), hint=HINT)
                known.add(line.file)
                yield Letter(line, folder / line.file)
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path), hint=HINT) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError(f"line {len(known) + 1}: is no line of a record", where=str(path), hint=HINT) from None
