"""A site's signature on papers about its part in runs: who can read the federation file can verify it.

It says that the site's key signed these very bytes, and nothing about whether what they say is true: the site wrote
them, and whoever has its key can write others. The tag keeps it from being taken for a signature on anything else.
"""

import base64
import hashlib
from typing import Literal

import msgspec

from potluck.core.errors import Refused
from potluck.core.party import Party, Role
from potluck.core.rounds import Abort
from potluck.core.visible import visible
from potluck.members import tables
from potluck.members.card import Card, fingerprint
from potluck.members.federation import Federation, titled
from potluck.members.home import SiteHome

_TAG = b"potluck papers 1\0"
_PAGE = b"potluck papers' page 1\0"
_SIZE = 64


class _Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    role: Literal["site", "compute"]
    name: str
    fingerprint: str
    signature: str
    page: str = ""


def sealed(home: SiteHome, data: bytes, page: bytes) -> str:
    """The signatures on `data`, and on the `page` that says the same, by the key that the pinned federation lists for
    this site, as a file. The federation file may have expired: papers are filed afterwards, too.

    Raises UsageError: not joined. Refused: forged, not a member, or keys that others can read.
    """
    federation = home.pinned()
    keys = home.held(federation)
    card = federation.cards[home.me]
    signature = base64.b64encode(keys.signing.sign(_TAG + data)).decode()
    beside = base64.b64encode(keys.signing.sign(_said(data, page))).decode()
    role: Literal["site", "compute"] = "compute" if home.role is Role.COMPUTE else "site"
    seal = _Seal(1, role, home.name, fingerprint(card), signature, beside)
    return tables.write(seal, "whose signatures are on annex.json and annex.html")


def verified(federation: Federation, text: str, data: bytes, where: str) -> Card:
    """The card of the member that signed `data`. text: as `sealed` made it; federation: itself verified.

    Raises UsageError: malformed. Refused: another signed it, it was changed, or nobody of that name is a member.
    """
    seal = tables.read(text, _Seal, where)
    signature = tables.decoded(seal.signature, _SIZE, "signature", where)
    party = Party(Role(seal.role), seal.name)
    card = federation.cards.get(party)
    if card is None:
        what = f"{visible(seal.name)} is not a member by {titled(federation.version, federation.digest)}"
        hint = "verify papers from before it left by the federation file beside them; who has its old key can make more"
        raise Refused(what, where=where, hint=hint)
    try:
        federation.roster().verify(party, _TAG + data, signature)
    except Abort:
        what = f"{visible(seal.name)} did not sign this: it was changed, or signed by another key"
        hint = "after new keys, verify by the federation file that lies beside the papers; else do not trust them"
        raise Refused(what, where=where, hint=hint) from None
    return card


def verified_page(federation: Federation, text: str, data: bytes, page: bytes, where: str) -> None:
    """That who signed `data` signed this page of it. text: verified with `data` before; where: the page is.

    Raises UsageError: malformed. Refused: it was changed, belongs to other papers, or was never signed: whoever would
    change a page could remove its signature as well.
    """
    seal = tables.read(text, _Seal, where)
    if not seal.page:
        what = "no page is signed here: a Potluck from before it signed pages made these papers, or a line was removed"
        hint = "annex.json is as it was signed: read that, with the page moved away, or ask for the papers again"
        raise Refused(what, where=where, hint=hint)
    signature = tables.decoded(seal.page, _SIZE, "page", where)
    try:
        federation.roster().verify(Party(Role(seal.role), seal.name), _said(data, page), signature)
    except Abort:
        what = f"{visible(seal.name)} did not sign this page: it was changed, or is of other papers"
        raise Refused(what, where=where, hint="read annex.json, or ask for the papers again") from None


def _said(data: bytes, page: bytes) -> bytes:
    """What is signed of a page: it and the papers that it belongs to."""
    return _PAGE + hashlib.sha256(data).digest() + page
