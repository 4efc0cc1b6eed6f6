"""A ledger as evidence: its entries as JSON lines, which anyone verifies with the site's key and a signed head.

One entry a line, `value` and `hash` in base64, nothing left out: it holds costs, times, names of runs and hashes, never
a value of a row. It proves which entries the site stood by when it signed that head, NOT that nothing else left it.
"""

from collections.abc import Iterable, Iterator

import msgspec

from potluck.core.errors import Refused
from potluck.core.schema import readable
from potluck.owner.chain import GENESIS, Entry, Head, Row, follow
from potluck.owner.ledger_heads import SignedHead, verify


def lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    """One line an entry, with its newline; the same bytes for the same entry."""
    for entry in entries:
        yield msgspec.json.encode(entry) + b"\n"


def verify_export(exported: Iterable[bytes], signed: SignedHead, public: bytes, site: str, federation: bytes) -> Head:
    """The head that was signed, once every line up to it is verified. exported: lines, as an open file gives them.

    Raises Refused: a line was changed, removed, added or moved (the first one is named), or the head is not the site's.
    """
    head = verify(signed, public, site, federation)
    where = f"exported ledger of {site}"
    found = follow(GENESIS, _rows(exported, where), where)
    if found != head:
        what = f"it ends at entry {found.seq}, the signed head is entry {head.seq}"
        raise Refused(what if found.seq != head.seq else "its last entry is not the signed one", where=where)
    return head


def _rows(exported: Iterable[bytes], where: str) -> Iterator[Row]:
    for number, line in enumerate(exported, 1):
        try:
            entry = msgspec.json.decode(line, type=readable(Entry))
            same = msgspec.json.encode(entry) + b"\n" == line
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            same = False
        if not same or not 0 <= entry.seq < 1 << 63:
            raise Refused(f"line {number} is not an entry as it was exported", where=where)
        yield entry.row()
