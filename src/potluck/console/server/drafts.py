"""Plans that were sent from a browser and are not started: a folder each, gone when the program ends.

A draft does not change: who sends a plan again has another draft. It is seen by who sent it alone.
"""

import contextlib
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from potluck.console.server.rehearsal import PLAN, Sheet
from potluck.console.shell import Upload
from potluck.core import private
from potluck.core.errors import UsageError, unwritable
from potluck.members.tokens import fresh

TEXT = 256 << 10
"""Bytes of a plan."""
UPLOAD = 32 << 20
"""Bytes of a plan and of its files."""
EACH, ALL = 6, 24
"""Most drafts of a person, and in all: the oldest gives way."""
UNCHECKED = Sheet(errors=("it was not checked",))
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


@dataclass
class Draft:
    """One. person: whose, as `Visit.whose` says it; digest: of its files' bytes; run: what it was started as, else "";
    starting: held by who starts it."""

    name: str
    person: str
    folder: Path
    digest: str
    sheet: Sheet = UNCHECKED
    run: str = ""
    starting: threading.Lock = field(default_factory=threading.Lock)

    def names(self) -> list[str]:
        """Of what was sent."""
        try:
            return sorted(path.name for path in self.folder.iterdir())
        except OSError:
            return []

    def files(self) -> dict[str, bytes]:
        """All that was sent, by name; empty: another took its place meanwhile."""
        try:
            return {name: private.read(self.folder / name) for name in self.names()}
        except OSError:
            return {}

    def text(self) -> str:
        """The plan, as it was sent; empty: another took its place meanwhile."""
        try:
            return private.read(self.folder / PLAN).decode(errors="replace")
        except OSError:
            return ""


class Drafts:
    """Below one folder, which is theirs."""

    def __init__(self, folder: Path, draw: Callable[[], str] = fresh) -> None:
        self._folder, self._draw, self._lock = folder, draw, threading.Lock()
        self._all: OrderedDict[str, Draft] = OrderedDict()

    def add(self, person: str, text: str, files: Sequence[Upload], before: Draft | None = None) -> Draft:
        """A new one. before: the one that is sent again, whose other files it has where no newer ones came. Raises
        UsageError: a plan or name that will not do, or the disk."""
        kept = before.files() if before else {}
        plan, others = _apart(text, files, kept.pop(PLAN, b""))
        others = kept | others
        if len(plan) + sum(map(len, others.values())) > UPLOAD:
            raise UsageError(f"a plan and its files have at most {UPLOAD >> 20} MB", hint="send fewer of them")
        name = self._draw()[:32]
        folder = self._folder / name
        try:
            private.folder(self._folder, taken=True)
            private.folder(folder)
            for file, data in {PLAN: plan, **others}.items():
                private.write(folder / file, data)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise unwritable(error, folder, "is the disk full?") from None
        told = sha256()
        for file, data in sorted({PLAN: plan, **others}.items()):
            told.update(f"{file} {sha256(data).hexdigest()}\n".encode())
        draft = Draft(name, person, folder, told.hexdigest())
        with self._lock:
            self._all[name] = draft
            own = [one for one in self._all.values() if one.person == person]
            gone = [*own[: max(0, len(own) - EACH)], *[*self._all.values()][: max(0, len(self._all) - ALL)]]
            for one in gone:
                self._drop(one.name)
        return draft

    def of(self, name: str, person: str) -> Draft | None:
        """One of a person's; None: there is none of this name."""
        with self._lock:
            draft = self._all.get(name)
            return draft if draft is not None and draft.person == person else None

    def drop(self, name: str) -> None:
        """It is wanted no more."""
        with self._lock:
            self._drop(name)

    def _drop(self, name: str) -> None:
        draft = self._all.pop(name, None)
        if draft is not None:
            shutil.rmtree(draft.folder, ignore_errors=True)


@contextlib.contextmanager
def drafts(folder: Path) -> Iterator[Drafts]:
    """Drafts of the home in `folder`, until the block ends. What a kill left of earlier ones is removed."""
    place = folder / "drafts"
    shutil.rmtree(place, ignore_errors=True)
    try:
        yield Drafts(place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _apart(text: str, files: Sequence[Upload], before: bytes) -> tuple[bytes, dict[str, bytes]]:
    """(the plan's bytes, the other files by name). before: the plan that stood in the box. Raises UsageError."""
    plan, others = text.encode(), dict[str, bytes]()
    for one in files:
        if one.field == "file" and one.name:
            if text.split() and text.split() != before.decode(errors="replace").split():
                raise UsageError("there is a plan in the box and one in a file", hint="go back and take one of them")
            plan = one.data
        elif one.name:
            if not _NAME.fullmatch(one.name) or one.name == PLAN:
                raise UsageError("a file of a plan is named by letters of a to z, digits, points, - and _",
                                 hint="name it so, and in the plan as well")  # fmt: skip
            if one.name in others:
                raise UsageError("two files have one name", hint="send each once")
            others[one.name] = one.data
    if not plan.strip():
        raise UsageError("there is no plan", hint="paste one into the box, or choose its file")
    if len(plan) > TEXT:
        raise UsageError(f"a plan has at most {TEXT >> 10} KB, this one has {len(plan) >> 10}", hint="is it a plan?")
    return plan, others
