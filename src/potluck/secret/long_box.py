"""Boxes that are too long to hold, sealed and opened piece by piece: byte for byte those of `secret.box`.

The library seals and opens at once, so the key schedule is here a second time: HPKE in base mode (RFC 9180, sections
4, 5.1 and 5.2, one message) with the KEM MLKEM768-X25519 (X-Wing, draft-connolly-cfrg-xwing-kem, section 5). Its parts
(ML-KEM, X25519, HMAC, AES-GCM) are the libraries'. A test opens each one's boxes with the other.
"""

import hmac
from collections.abc import Iterator
from hashlib import sha3_256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from potluck.core.rounds import Abort, Cause
from potluck.core.slices import PIECE, Sliced, slices
from potluck.secret.container import Secret

CIPHERTEXT, HEAD, TAG = 1088, 1088 + 32, 16
"""Bytes of ML-KEM's part of a box, of all that comes before what is sealed, and of what comes after it."""
_BLOCK = 16
_SUITE = b"HPKE\x64\x7a\x00\x01\x00\x02"
"""KEM MLKEM768-X25519, HKDF-SHA256, AES-256-GCM."""


class LongBox:
    """What is sealed in a box, opened slice by slice. See `slices.Sliced`."""

    def __init__(self, box: Sliced, start: int, kem: MLKEM768PrivateKey, agree: X25519PrivateKey, info: bytes) -> None:
        """box: from `start` on; it must not change any more. Raises Abort(BOX): it does not open; then nothing of it is
        shown."""
        self._size = len(box) - start - HEAD - TAG
        if self._size < 0:
            raise Abort(Cause.BOX)
        self._box, self._start = box, start + HEAD
        head = bytes(box[start : self._start])
        try:
            shared = kem.decapsulate(head[:CIPHERTEXT])
            met = agree.exchange(X25519PublicKey.from_public_bytes(head[CIPHERTEXT:]))
            public = agree.public_key().public_bytes_raw()
            self._key, self._nonce = _schedule(_combined(shared, met, head[CIPHERTEXT:], public), info)
            self._verify()
        except (InvalidTag, ValueError):
            raise Abort(Cause.BOX) from None

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, where: slice, /) -> bytes:
        start, stop, _ = where.indices(self._size)
        first = start // _BLOCK  # GCM is counter mode from block 2 on
        counter = modes.CTR(self._nonce + (first + 2).to_bytes(4, "big"))
        cipher = Cipher(algorithms.AES256(self._key.expose()), counter).decryptor()
        skipped = start - _BLOCK * first
        found = cipher.update(self._box[self._start + start - skipped : self._start + max(start, stop)])
        return found[skipped:] if skipped else found

    def _verify(self) -> None:
        end = self._start + self._size
        mode = modes.GCM(self._nonce, bytes(self._box[end : end + TAG]))
        cipher, seen = Cipher(algorithms.AES256(self._key.expose()), mode).decryptor(), bytearray(PIECE + _BLOCK)
        for part in slices(end, PIECE, start=self._start):
            cipher.update_into(self._box[part], seen)
        cipher.finalize()


def pieces(plaintext: Sliced, kem: MLKEM768PublicKey, agree: X25519PublicKey, info: bytes) -> Iterator[bytes]:
    """The box of a plaintext, in pieces that follow each other. Draws its own randomness, as the library does."""
    shared, ciphertext = kem.encapsulate()
    mine = X25519PrivateKey.generate()
    sent, public = mine.public_key().public_bytes_raw(), agree.public_bytes_raw()
    key, nonce = _schedule(_combined(shared, mine.exchange(agree), sent, public), info)
    cipher = Cipher(algorithms.AES256(key.expose()), modes.GCM(nonce)).encryptor()
    yield ciphertext + sent
    for part in slices(len(plaintext), PIECE):
        yield cipher.update(plaintext[part])
    yield cipher.finalize() + cipher.tag


def _combined(shared: bytes, met: bytes, sent: bytes, public: bytes) -> bytes:
    """X-Wing's combiner."""
    return sha3_256(shared + met + sent + public + b"\\.//^\\").digest()


def _schedule(shared: bytes, info: bytes) -> tuple[Secret, bytes]:
    """(key, nonce) of the first and only message."""
    context = b"\0" + _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared, b"secret", b"")
    return Secret(_expand(secret, b"key", context, 32)), _expand(secret, b"base_nonce", context, 12)


def _extract(salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt, b"HPKE-v1" + _SUITE + label + material, "sha256")


def _expand(key: bytes, label: bytes, context: bytes, size: int) -> bytes:
    """At most one block of SHA-256."""
    info = size.to_bytes(2, "big") + b"HPKE-v1" + _SUITE + label + context
    return hmac.digest(key, info + b"\x01", "sha256")[:size]
