"""Sealed boxes: HPKE (RFC 9180) base mode with the hybrid KEM MLKEM768-X25519, HKDF-SHA256, AES-256-GCM.

Safe as long as either ML-KEM-768 or X25519 is. Base mode does not say who sealed: callers sign their boxes and
put (what, from, to) into `info`. Sealing draws its own randomness inside the library, so vectors replay `unseal` only.
"""

from typing import Annotated

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.core.slices import Bytes
from potluck.secret import schedule
from potluck.secret.container import Secret
from potluck.secret.keys import agreement_key
from potluck.secret.schedule import HEAD, TAG, Schedule

SEED = 96
PUBLIC = 1184 + 32
OVERHEAD = HEAD + TAG
BoxPublic = Annotated[bytes, msgspec.Meta(min_length=PUBLIC, max_length=PUBLIC)]
"""A public key in a message: its length is checked as it is read, all else by `PublicBoxKey`."""
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class PublicBoxKey:
    """The public half, PUBLIC bytes: the ML-KEM key, then the X25519 key."""

    def __init__(self, raw: bytes) -> None:
        """Raises Abort(KEYS): malformed. Checked on arrival, since a bad key would only fail at first use."""
        if len(raw) != PUBLIC:
            raise Abort(Cause.KEYS, detail=f"a box key has {PUBLIC} bytes, not {len(raw)}")
        try:
            kem = MLKEM768PublicKey.from_public_bytes(raw[:1184])
            self._key = hpke.MLKEM768X25519PublicKey(kem, agreement_key(raw[1184:]))
            self._raw = raw
        except (ValueError, Abort):
            raise Abort(Cause.KEYS, detail="a box key is malformed") from None

    def seal(self, plaintext: Bytes, info: bytes) -> bytes:
        """plaintext of n bytes -> a box of n + OVERHEAD bytes that only the key's holder opens, with the same info."""
        return _SUITE.encrypt(plaintext, self._key, info=info)

    def encapsulated(self, info: bytes) -> tuple[bytes, Schedule]:
        """What several messages to the key's holder are sealed with, and the HEAD bytes that tell it to the holder."""
        kem, agree = MLKEM768PublicKey.from_public_bytes(self._raw[:1184]), agreement_key(self._raw[1184:])
        return schedule.encapsulated(kem, agree, info)


def box_key(party: Party, raw: bytes, step: str = "") -> PublicBoxKey:
    """A party's public key, as it came in its letter of `step`. Raises Abort(KEYS) naming it: malformed."""
    try:
        return PublicBoxKey(raw)
    except Abort as abort:
        raise Abort(abort.cause, party=party, step=step, detail=abort.detail) from None


class BoxKey:
    """The private half, from SEED bytes: 64 for ML-KEM, 32 for X25519."""

    def __init__(self, seed: Secret) -> None:
        raw = seed.expose()
        if len(raw) != SEED:
            raise ValueError(f"a box key's seed has {SEED} bytes")
        kem = MLKEM768PrivateKey.from_seed_bytes(raw[:64])
        agree = X25519PrivateKey.from_private_bytes(raw[64:])
        self._kem, self._agree = kem, agree
        self._key = hpke.MLKEM768X25519PrivateKey(kem, agree)
        self.public = kem.public_key().public_bytes_raw() + agree.public_key().public_bytes_raw()

    def decapsulated(self, head: bytes, info: bytes) -> Schedule:
        """What the sender of `head` sealed with. Raises Abort(BOX): it cannot be one."""
        return schedule.decapsulated(self._kem, self._agree, head, info)

    def unseal(self, box: Bytes, info: bytes) -> bytes:
        """The plaintext. Raises Abort(BOX): tampered with, for somebody else, or sealed under another info."""
        try:
            return _SUITE.decrypt(box, self._key, info=info)
        except (InvalidTag, ValueError):
            raise Abort(Cause.BOX) from None

    def __repr__(self) -> str:
        return "BoxKey(hidden)"
