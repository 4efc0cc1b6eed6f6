"""Types that bytes and tables are read as: each is learnt once, by one thread at a time. And files of a later version.

The library learns a struct when it first reads one. A second thread that reads the same struct meanwhile crashes the
process (msgspec 0.22), and a struct holds others: so all are learnt under one lock, before anything is read as them.
"""

import contextlib
from threading import RLock
from typing import TypeVar, get_args, get_type_hints

import msgspec

from potluck.core.errors import PotluckError, Refused

T = TypeVar("T")
_LEARNT: set[object] = set()
_LEARNING = RLock()


def readable(kind: type[T]) -> type[T]:
    """The same type, which from here on any number of threads may read at once."""
    if kind not in _LEARNT:
        with _LEARNING:
            msgspec.msgpack.Decoder(kind)
            _LEARNT.add(kind)
    return kind


BACK = "run the Potluck that wrote it, or a newer one: potluck docs upgrade"


class _Head(msgspec.Struct, frozen=True):
    version: int


def later(what: str, found: int, ours: int, where: str) -> Refused:
    """The refusal. what: the file is, as "a ledger"; found, ours: the version of its form, and the one read here."""
    said = f"{what} of version {found}: a later Potluck wrote it, this one reads {ours}"
    return Refused(said, where=where, hint=BACK)


def of_later(error: PotluckError) -> bool:
    """Whether an error is `later`'s: what is merely unfinished or damaged may be passed over, what is newer may not."""
    return error.hint == BACK


def not_later(head: object, schema: type[msgspec.Struct], what: str, where: str) -> None:
    """Raises Refused: `head`, the file as tables, has a higher `version` than `schema` knows. The rest is not read."""
    known = get_args(get_type_hints(schema).get("version"))
    with contextlib.suppress(msgspec.ValidationError):
        found = msgspec.convert(head, type=readable(_Head)).version
        if known and found > max(known):
            raise later(what, found, max(known), where)
