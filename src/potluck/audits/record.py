"""What was kept of a run (`--record`), as bytes that nobody vouches for: who read what, and what a party said or found.

Every body has its size and hash in the index. They find damage, not a forger: whoever can write the folder can write
both. So what a body says is decoded by the program's own strict decoders, and what does not fit is an error that names
the file.
"""

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from potluck.core.errors import UsageError, reason
from potluck.core.schema import readable

INDEX = "index.jsonl"
FILE = re.compile(r"[0-9]{6,12}\.bin")
MOST = 10_000_000
"""Letters of one record."""
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
    """One line and its body, which is read when it is asked for."""

    line: Line
    path: Path

    def body(self) -> bytes:
        """Its bytes. Raises UsageError naming the file: it is missing, or not as the index says."""
        try:
            size = self.path.lstat().st_size  # what is no file of this size is not read
            found = self.path.read_bytes() if size == self.line.bytes and self.path.is_file() else b""
        except OSError as error:
            raise UsageError(f"cannot be read ({reason(error)})", where=str(self.path), hint=HINT) from None
        if len(found) != self.line.bytes:
            what = f"has {size} bytes where the index says {self.line.bytes}"
            raise UsageError(what, where=str(self.path), hint=HINT)
        if hashlib.sha256(found).hexdigest() != self.line.sha256:
            raise UsageError("its bytes are not those of the index", where=str(self.path), hint=HINT)
        return found


@dataclass(frozen=True, slots=True)
class Record:
    """The letters of a run, in order."""

    letters: tuple[Letter, ...] = field(repr=False)

    @classmethod
    def read(cls, folder: Path) -> "Record":
        """The record in a folder, each body compared with the index. Raises UsageError: it is none, or damaged."""
        letters = tuple(_lines(folder))
        if not letters:
            raise UsageError("holds no letter", where=str(folder / INDEX), hint=HINT)
        for letter in letters:
            letter.body()
        return cls(letters)

    def seen_by(self, names: Collection[str]) -> tuple[Letter, ...]:
        """Those that one of these parties read, or itself said or found."""
        return tuple(letter for letter in self.letters if letter.line.to in names)


def _lines(folder: Path) -> Iterator[Letter]:
    path, known = folder / INDEX, set[str]()
    decoder = msgspec.json.Decoder(readable(Line))
    try:
        with path.open("rb") as file:
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
