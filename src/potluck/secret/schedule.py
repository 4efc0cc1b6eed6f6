"""HPKE's key schedule: base mode (RFC 9180, sections 4, 5.1) with the KEM MLKEM768-X25519 (X-Wing,
draft-connolly-cfrg-xwing-kem, section 5), HKDF-SHA256 and AES-256-GCM.

The library seals one message and opens it, at once, so the schedule is here a second time: for boxes that are too long
to hold (`long_box`) and for several messages under one encapsulation (`context`). Its parts (ML-KEM, X25519, HMAC,
AES-GCM) are the libraries'. A test opens each one's boxes with the other.
"""

import hmac
from dataclasses import dataclass
from hashlib import sha3_256

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from potluck.core.rounds import Abort, Cause
from potluck.secret.container import Secret

CIPHERTEXT, HEAD, TAG = 1088, 1088 + 32, 16
"""Bytes of ML-KEM's part of an encapsulation, of all of it, and of what comes after each sealed message."""
_SUITE = b"HPKE\x64\x7a\x00\x01\x00\x02"
"""KEM MLKEM768-X25519, HKDF-SHA256, AES-256-GCM."""


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """What one encapsulation gives under one info. nonce: 12 bytes, of message 0 (section 5.2)."""

    key: Secret
    nonce: bytes

    def nonce_of(self, number: int) -> bytes:
        """The nonce of one message (section 5.2, ComputeNonce)."""
        return (int.from_bytes(self.nonce, "big") ^ number).to_bytes(12, "big")


def encapsulated(kem: MLKEM768PublicKey, agree: X25519PublicKey, info: bytes) -> tuple[bytes, Schedule]:
    """(encapsulation [HEAD], schedule) towards a public key. Draws its own randomness, as the library does."""
    shared, ciphertext = kem.encapsulate()
    mine = X25519PrivateKey.generate()
    sent, public = mine.public_key().public_bytes_raw(), agree.public_bytes_raw()
    return ciphertext + sent, _schedule(_combined(shared, mine.exchange(agree), sent, public), info)


def decapsulated(kem: MLKEM768PrivateKey, agree: X25519PrivateKey, head: bytes, info: bytes) -> Schedule:
    """What the sender of `head` [HEAD] has. Raises Abort(BOX): it cannot be one."""
    try:
        shared = kem.decapsulate(head[:CIPHERTEXT])
        met = agree.exchange(X25519PublicKey.from_public_bytes(head[CIPHERTEXT:]))
    except ValueError:
        raise Abort(Cause.BOX) from None
    return _schedule(_combined(shared, met, head[CIPHERTEXT:], agree.public_key().public_bytes_raw()), info)


def _combined(shared: bytes, met: bytes, sent: bytes, public: bytes) -> bytes:
    """X-Wing's combiner."""
    return sha3_256(shared + met + sent + public + b"\\.//^\\").digest()


def _schedule(shared: bytes, info: bytes) -> Schedule:
    context = b"\0" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared, b"secret", b"")
    return Schedule(Secret(_expand(secret, b"key", context, 32)), _expand(secret, b"base_nonce", context, 12))


def _extract(salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + _SUITE + label + material, "sha256")


def _expand(key: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """At most one block of SHA-256."""
    info = size.to_bytes(2, "big") + b"HPKE-v1" + _SUITE + label + context
    return hmac.digest(key, info + b"\x01", "sha256")[:size]
