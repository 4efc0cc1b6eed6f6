"""Keyed bytes: HKDF-SHA256 for keys, AES-256-CTR with a zero IV under one-time keys for keystreams."""

import hashlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from potluck.core.slices import Bytes
from potluck.secret.container import Secret

CHUNK = 1 << 18
_ZEROS = memoryview(bytes(CHUNK))


def derive(secret: Secret, info: bytes, size: int = 32) -> Secret:
    """HKDF-SHA256 (RFC 5869) without salt. info: what the key is for; different infos give unrelated keys."""
    return Secret(HKDF(SHA256(), size, None, info).derive(secret.expose()))


def digest(*parts: Bytes) -> bytes:
    """SHA-256 over length-prefixed parts: no two different lists of parts give the same input."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.digest()


class Keystream:
    """The AES-256-CTR keystream of a key that is used ONCE (the IV is zero)."""

    def __init__(self, key: Secret) -> None:
        self._cipher = Cipher(algorithms.AES256(key.expose()), modes.CTR(bytes(16))).encryptor()

    def read_into(self, buffer: bytearray | memoryview) -> None:
        """Fill `buffer` with the next bytes. `update_into` in chunks that stay in the cache."""
        view = memoryview(buffer).cast("B")
        for start in range(0, len(view), CHUNK):
            piece = view[start : start + CHUNK]
            self._cipher.update_into(_ZEROS[: len(piece)], piece)

    def read(self, size: int) -> bytes:
        """The next `size` bytes."""
        buffer = bytearray(size)
        self.read_into(buffer)
        return bytes(buffer)
