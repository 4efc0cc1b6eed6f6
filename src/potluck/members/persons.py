"""Who may sign in at a home's pages: names, with a password's digest or passkeys; one file, 0600, replaced whole.

Somebody at the terminal invites a person, who chooses the secret in a browser: whoever invites never knows it. It does
NOT know what a person may do; the policy says how many must approve.
"""

import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from potluck.core.errors import Refused, UsageError
from potluck.core.schema import not_later, readable
from potluck.core.visible import visible
from potluck.members import files, passwords
from potluck.members.tokens import fresh

MOST, LONGEST = 100, 64
"""Persons of a home; letters of a name."""
INVITED = 3 * 86400.0
"""Seconds that an invitation is good for."""
GONE = "this invitation was used already, is older than three days, or was replaced by another"


class Passkey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key of an authenticator's. id: as it names it; key: COSE; count: of signatures, by its own word."""

    id: bytes
    key: bytes
    count: int


class Person(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """handle: what passkeys and sessions call the person, random; since: when first invited; password: its digest;
    invited: hash of an invitation that waits, until when; each empty where there is none. Times: seconds since 1970."""

    name: str
    handle: str
    since: float
    password: str = ""
    passkeys: tuple[Passkey, ...] = ()
    invited: str = ""
    until: float = 0.0

    @property
    def joined(self) -> bool:
        """Whether the person can sign in."""
        return bool(self.password or self.passkeys)

    @property
    def mark(self) -> str:
        """Of what the person signs in with: another once something else was chosen."""
        ways = (self.password.encode(), *(part for one in self.passkeys for part in (one.id, one.key)))
        return hashlib.sha256(b"".join(len(way).to_bytes(4, "big") + way for way in ways)).hexdigest()


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    persons: tuple[Person, ...]


@dataclass(frozen=True, slots=True)
class Persons:
    """The file of a home. Every change is durable when its method returns, and raises Refused where another is made
    meanwhile."""

    path: Path

    @classmethod
    def beside(cls, path: Path) -> "Persons":
        """Of the home in which a file lies."""
        return cls(path.with_name("persons.json"))

    def all(self) -> tuple[Person, ...]:
        """Everybody. Raises UsageError: damaged; Refused: others can reach the file, or a later version wrote it."""
        if not self.path.exists():
            return ()
        try:
            raw = files.private(self.path)
            not_later(msgspec.json.decode(raw), _File, "a file of persons", str(self.path))
            return msgspec.json.decode(raw, type=readable(_File)).persons
        except (msgspec.DecodeError, UnicodeDecodeError):
            hint = "put it back from a backup, or remove it and invite everybody again"
            raise UsageError("is damaged", where=str(self.path), hint=hint) from None

    def named(self, name: str) -> Person | None:
        """One of them."""
        return next((one for one in self.all() if one.name == name), None)

    def invite(self, name: str, now: float, draw: Callable[[], str] = fresh) -> str:
        """An invitation: of somebody new, or for another passkey or password of who is there. Raises UsageError: the
        name will not do."""
        if not 1 <= len(name) <= LONGEST or name != name.strip() or visible(name) != name or not folded(name):
            raise UsageError(f"a name has 1 to {LONGEST} visible letters", where=visible(name))
        token = draw()

        def change(found: dict[str, Person]) -> None:
            near = next((one for one in found if folded(one) == folded(name) and one != name), None)
            if near is not None:
                raise UsageError(f"{name!r} is too much like {near!r}", hint="names that differ by more are told apart")
            if len(scripts("".join((*found, name)))) > 1:
                what = f"{name!r} has letters of another script, which may look like those of other names here"
                raise UsageError(what, hint="write all names of a home in one script")
            if len(found) >= MOST and name not in found:
                raise UsageError(f"{MOST} persons are the most", hint="remove those who left")
            person = found.get(name) or Person(name=name, handle=draw(), since=now)
            found[name] = msgspec.structs.replace(person, invited=_hash(token), until=now + INVITED)

        self._change(change)
        return token

    def remove(self, name: str) -> None:
        """Nobody of this name signs in any more. Raises UsageError: there is none."""

        def change(found: dict[str, Person]) -> None:
            if found.pop(name, None) is None:
                raise UsageError(f"nobody is called {name!r} here", hint="potluck site person list shows who is")

        self._change(change)

    def invited(self, token: str, now: float) -> Person:
        """Whose invitation it is. Raises Refused: nobody's any more."""
        return _invited(self.all(), token, now)

    def choose(self, token: str, now: float, *, password: str = "", passkey: Passkey | None = None) -> Person:
        """The invited person has chosen; the invitation is used up, and what was chosen before is good no more.

        Raises as `invited`, before a digest is worked out; UsageError: a short one.
        """
        whose = (self.invited(token, now).name, self.path.parent.name)
        kept = passwords.digest(password, whose) if password else ""
        chosen: list[Person] = []

        def change(found: dict[str, Person]) -> None:
            person = _invited(tuple(found.values()), token, now)
            keys = () if passkey is None else (passkey,)
            others = (one for other in found.values() if other.name != person.name for one in other.passkeys)
            if passkey is not None and passkey.id in {one.id for one in others}:
                raise Refused("this passkey is known here already", hint="make another, or choose a password")
            person = msgspec.structs.replace(person, password=kept, passkeys=keys, invited="", until=0.0)
            found[person.name] = person
            chosen.append(person)

        self._change(change)
        return chosen[0]

    def signed(self, name: str, passkey: Passkey) -> None:
        """A passkey of the person's has signed: its count is kept."""

        def change(found: dict[str, Person]) -> None:
            person = found.get(name)
            if person is not None:
                keys = tuple(passkey if one.id == passkey.id else one for one in person.passkeys)
                found[name] = msgspec.structs.replace(person, passkeys=keys)

        self._change(change)

    def _change(self, change: Callable[[dict[str, Person]], None]) -> None:
        with files.locked(self.path.with_suffix(".lock"), "the list of persons is being changed"):
            found = {one.name: one for one in self.all()}
            change(found)
            files.replace(self.path, msgspec.json.encode(_File(1, tuple(found.values()))), files.PRIVATE)


def folded(name: str) -> str:
    """What of a name tells one person from another: its letters and digits, whatever their case, their width, and
    whatever stands between them."""
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return "".join(letter for letter in plain if letter.isalnum())


def scripts(text: str) -> set[str]:
    """Of its letters, by Unicode's names of them. Those that Chinese, Japanese and Korean write together are one."""
    letters = (unicodedata.name(one, "?").split()[0] for one in folded(text) if one.isalpha())
    return {"CJK" if one in ("HIRAGANA", "KATAKANA", "HANGUL") else one for one in letters}


def _invited(persons: tuple[Person, ...], token: str, now: float) -> Person:
    kept = _hash(token)
    for one in persons:
        if one.invited and hmac.compare_digest(one.invited, kept) and now <= one.until:
            return one
    raise Refused(GONE, hint="ask for a new one: potluck site person add")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
