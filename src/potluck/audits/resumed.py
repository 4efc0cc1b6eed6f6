"""What an interrupted call had finished: a file that the next call takes over, of attacks as of audits.

It says what it is about: what was asked, and the program's own files. A call about anything else refuses it. It is
written anew whenever one of them has ended, and put in place of the one before, so that no crash leaves half of it.
Nothing of a row is in it, nor a hash of one: whoever can guess the row would know it by that. Nobody vouches for it:
whoever can write the file writes what was found, and so it is said what was taken from it.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from potluck.core import private
from potluck.core.errors import UsageError, reason
from potluck.core.prose import agree, count, listed
from potluck.core.schema import readable

PROGRAM = Path(__file__).parents[1]
HINT = "another file, or remove it to begin again"
Kept = TypeVar("Kept")


class Finished(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file. about: see `subject`; done: by name, what each came to."""

    about: dict[str, str]
    done: dict[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Resumed(Generic[Kept]):
    """path: of the file; about: see `subject`; done: by name, what each that ended came to; taken: what of it this
    call has taken over."""

    path: Path
    about: dict[str, str]
    done: dict[str, Kept] = field(repr=False)
    taken: list[str] = field(default_factory=list)

    def before(self, name: str) -> Kept | None:
        """What this one came to in an earlier call, which is taken over. None: it had not ended."""
        if name not in self.done:
            return None
        self.taken.append(name)
        return self.done[name]

    def warnings(self) -> list[str]:
        """What was taken over, in words."""
        if not self.taken:
            return []
        many = f"{count(len(self.taken), 'answer')} {agree(len(self.taken), 'was', 'were')} taken"
        return [f"{many} from {self.path}, and nobody vouches for that file: {listed(self.taken)}"]

    def after(self, name: str, found: Kept) -> None:
        """This one has ended. Raises UsageError: it cannot be written."""
        self.done[name] = found
        self.write()

    def write(self) -> None:
        """All of it. Raises UsageError: it cannot be written."""
        done = {name: msgspec.Raw(msgspec.json.encode(one)) for name, one in self.done.items()}
        try:  # another file, and then in its place: what is there is whole
            fresh = self.path.with_name(f"{self.path.name}.new")
            private.write(fresh, msgspec.json.encode(Finished(self.about, done)))
            fresh.replace(self.path)
        except OSError as error:
            raise UsageError(f"cannot be written ({reason(error)})", where=str(self.path)) from None


def resumed(path: Path, about: dict[str, str], kind: type[Kept]) -> Resumed[Kept]:
    """What is in this file, which is made where there is none: so it is known before anything is tried that it can be.
    kind: what one comes to. Raises UsageError: it is about something else, or cannot be read or written."""
    try:
        kept = msgspec.json.decode(private.read(path), type=readable(Finished))
        if kept.about == about:
            done = {name: msgspec.json.decode(one, type=readable(kind)) for name, one in kept.done.items()}
            return Resumed(path, about, done)
    except FileNotFoundError:
        begun: Resumed[Kept] = Resumed(path, about, {})
        begun.write()
        return begun
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path)) from None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError("is not what an interrupted call keeps", where=str(path), hint=HINT) from None
    unlike = [name for name in about.keys() | kept.about.keys() if about.get(name) != kept.about.get(name)]
    what = f"is about something else than this call: not the same {listed(sorted(unlike))}"
    raise UsageError(what, where=str(path), hint=HINT)


def subject(verb: str, **asked: object) -> dict[str, str]:
    """What the findings of a call follow from, each part as its hash: what was asked, by its name with spaces for
    underscores, and the program's own files."""
    program = sha256()
    for path in sorted(PROGRAM.rglob("*.py")):
        program.update(sha256(path.read_bytes()).digest())
    parts = {name.replace("_", " "): sha256(msgspec.json.encode(it)).hexdigest() for name, it in asked.items()}
    return {"verb": verb, "program": program.hexdigest()} | parts


def going_on(path: Path) -> str:
    """What to say where a call with this file is interrupted."""
    try:
        done = len(msgspec.json.decode(path.read_bytes(), type=readable(Finished)).done)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return f"{path} keeps nothing"
    return f"{path} keeps what {done} came to; the same call, unchanged, goes on after {agree(done, 'it', 'them')}"
