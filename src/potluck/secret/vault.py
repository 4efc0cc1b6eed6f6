"""A vault: secret bytes too long to be shared, locked under a secret that is not: AES-256-GCM under a one-time key.

The key is derived from the secret and what the vault is for, and locks ONE vault, so that the nonce may be zero.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from potluck.core.rounds import Abort, Cause
from potluck.secret.container import Secret
from potluck.secret.stream import derive

TAG = 16
_NONCE = bytes(12)


def lock(key: Secret, info: bytes, content: Secret) -> bytes:
    """content of n bytes -> n + TAG bytes. info: names what this vault is for; with one key, one info locks once."""
    return AESGCM(derive(key, info).expose()).encrypt(_NONCE, content.expose(), None)


def unlock(key: Secret, info: bytes, vault: bytes) -> Secret:
    """The content. Raises Abort(BOX): another key, another info, or not the bytes that were locked."""
    try:
        return Secret(AESGCM(derive(key, info).expose()).decrypt(_NONCE, vault, None))
    except (InvalidTag, ValueError):
        raise Abort(Cause.BOX) from None
