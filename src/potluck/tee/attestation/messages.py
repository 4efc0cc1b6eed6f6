"""How a party asks an enclave for evidence, and what it is shown: the same before a sum and before a prediction.

The host carries both. What is shown counts once `judge` has believed it.
"""

from potluck.core.party import Party, Role
from potluck.core.rounds import Abort, Cause
from potluck.core.wire import Hash, Message, Signature
from potluck.secret.box import BoxPublic
from potluck.secret.keys import Roster
from potluck.secret.stream import digest

NONCE = "tee/nonce"
EVIDENCE = "tee/evidence"


class Nonce(Message, frozen=True):
    """An owner's fresh challenge, and the hash of the policy under which it will judge the answer."""

    nonce: Hash
    policy: Hash
    signature: Signature


class Shown(Message, frozen=True):
    """Evidence for one owner's challenge, with the enclave's public keys of this boot."""

    box: BoxPublic
    sign: Hash
    format: str
    raw: bytes
    endorsements: tuple[bytes, ...]


def nonce_statement(session: bytes, site: bytes, nonce: bytes, policy: bytes) -> bytes:
    """What an owner signs to ask for evidence."""
    return b"potluck tee nonce 1\0" + digest(session, site, nonce, policy)


def evidence_hash(shown: Shown) -> bytes:
    """32 bytes over everything that was shown."""
    parts = (shown.box, shown.sign, shown.format.encode(), shown.raw, *shown.endorsements)
    return digest(b"potluck tee evidence 1", *parts)


def check_enclave(key: bytes, statement: bytes, signature: bytes) -> None:
    """Raises Abort(SIGNATURE): the enclave's key of this boot did not sign it, or is none."""
    enclave = Party(Role.ENCLAVE, "enclave")
    try:
        Roster({enclave: key}).verify(enclave, statement, signature)
    except ValueError:
        raise Abort(Cause.SIGNATURE, party=enclave, detail="its key is malformed") from None
