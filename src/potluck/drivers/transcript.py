"""What moved in a run: labels and sizes of every letter, never its contents.

With `record` (for the attacks and the owner's own preview) the bodies are kept too, as the receiver reads them. Who
kept them says at its end how many there are, so that a part is not taken for the whole.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec

from potluck.core import private
from potluck.core.party import Party, Role
from potluck.core.rounds import Label
from potluck.core.schema import readable
from potluck.core.slices import PIECE, Bytes, Sliced, slices
from potluck.core.visible import json_line

INDEX, END = "index.jsonl", "end.json"
"""Of a folder of bodies: a line for each, and how many there were when who kept them ended by itself."""


class End(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What END says. letters: of the index, as long as nothing more was kept."""

    letters: Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True, slots=True)
class Move:
    """One letter: its label, who sent it to whom, and its size in bytes as it crossed the wire."""

    label: Label
    sender: Party
    to: Party
    size: int


@dataclass(slots=True)
class Traffic:
    """What one round moved, by direction (from the sites, and to them) and by step."""

    up: int = 0
    down: int = 0
    steps: dict[str, tuple[int, int]] = field(default_factory=dict)


class Transcript:
    """The letters of a run, in order. folder: where bodies go, None (the default) where none are kept. lines: a file
    that gets a line a letter as it moves, so that a process that is killed loses none."""

    def __init__(self, folder: Path | None = None, lines: Path | None = None) -> None:
        self.moves: list[Move] = []
        self._rounds: dict[int, Traffic] = {}
        self._folder = folder
        self._lines = lines
        self._open: int | None = None
        self._kept = _kept(folder)
        self._letters = _indexed(folder)

    def moved(self, label: Label, sender: Party, to: Party, size: int) -> None:
        """A letter crossed the wire."""
        move = Move(label, sender, to, size)
        self.moves.append(move)
        self._count(move)
        if self._lines is not None:
            if self._open is None:
                self._open = _opened(self._lines)
            private.append(self._open, _line(move))

    def close(self) -> None:
        """Let go of the file of lines, which another letter opens again, and say how many bodies were kept."""
        if self._folder is not None and self._letters:
            ended(self._folder, self._letters)
        if self._open is not None:
            os.close(self._open)
            self._open = None

    def reader(self, to: Party) -> Callable[[Party, Label, Sliced], None] | None:
        """Keeps what `to` reads. None: nothing is kept, and nobody need make it."""
        return None if self._folder is None else lambda sender, label, body: self.read(label, sender, to, body)

    def read(self, label: Label, sender: Party, to: Party, body: Sliced) -> None:
        """A body was read by its receiver, unsealed; or the receiver said or found it by itself, and is the sender too.
        Kept only where the transcript records."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
        self._kept += 1
        name, state = f"{self._kept:06d}.bin", hashlib.sha256()
        _append(self._folder / name, _hashed(body, state))
        line = {"file": name, "from": str(sender), "round": label.round.number, "step": label.step, "to": str(to)}
        line |= {"bytes": len(body), "sha256": state.hexdigest()}
        _append(self._folder / INDEX, [json_line(line)])
        self._letters += 1

    def write(self, path: Path) -> None:
        """One line of JSON a letter: round, step, from, to, bytes."""
        private.write(path, b"".join(map(_line, self.moves)))

    def traffic(self, number: int) -> Traffic:
        """Bytes and letters of one round."""
        it = self._rounds.get(number, Traffic())
        return Traffic(it.up, it.down, dict(it.steps))

    def _count(self, move: Move) -> None:
        it = self._rounds.setdefault(move.label.round.number, Traffic())
        if move.to.role is Role.SITE:
            it.down += move.size
        elif move.sender.role is Role.SITE:
            it.up += move.size
        size, letters = it.steps.get(move.label.step, (0, 0))
        it.steps[move.label.step] = size + move.size, letters + 1


def ended(folder: Path, letters: int) -> None:
    """Say that a folder of bodies is whole, with so many of them."""
    private.write(folder / END, json_line(End(letters=letters)))


def letters_at_end(folder: Path) -> int | None:
    """How many bodies a folder had when who kept them ended. None: it was cut off, or is still at it. Raises OSError,
    msgspec.MsgspecError: what says so cannot be read."""
    try:
        return msgspec.json.decode(private.read(folder / END), type=readable(End)).letters
    except FileNotFoundError:
        return None


def _hashed(body: Sliced, state: "hashlib._Hash") -> Iterator[Bytes]:
    """The body's pieces, each of which enters the hash."""
    for part in slices(len(body), PIECE):
        piece = body[part]
        state.update(piece)
        yield piece


def _append(path: Path, parts: Iterable[Bytes]) -> None:
    handle = _opened(path)
    try:
        for part in parts:
            private.append(handle, part)
    finally:
        os.close(handle)


def _opened(path: Path) -> int:
    # Bodies are read by nobody else on this machine: under `clear` they are updates.
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, private.FILE)


def _kept(folder: Path | None) -> int:
    """How many bodies an earlier process has kept there."""
    return 0 if folder is None else len(list(folder.glob("*.bin")))


def _indexed(folder: Path | None) -> int:
    """How many of these the index names: of a body whose writer was killed it may not."""
    if folder is None or not (folder / INDEX).is_file():
        return 0
    with (folder / INDEX).open("rb") as lines:
        return sum(1 for _ in lines)


def _line(move: Move) -> bytes:
    label = move.label
    line = {"round": label.round.number, "step": label.step, "from": str(move.sender), "to": str(move.to)}
    return json_line(line | {"bytes": move.size})
