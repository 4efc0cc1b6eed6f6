"""Signing keys (Ed25519, RFC 8032) and agreement keys (X25519, RFC 7748), checked on arrival."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.secret.container import Secret


class SigningKey:
    """A party's long-term Ed25519 key."""

    def __init__(self, seed: Secret) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed.expose())

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        return "SigningKey(hidden)"


class Roster:
    """The pinned public signing keys of a federation."""

    def __init__(self, keys: dict[Party, bytes]) -> None:
        self._keys = {party: Ed25519PublicKey.from_public_bytes(raw) for party, raw in keys.items()}

    def verify(self, party: Party, message: bytes, signature: bytes) -> None:
        """Raises Abort(SIGNATURE): `party` did not sign `message`, or is not in the federation."""
        key = self._keys.get(party)
        if key is None:
            raise Abort(Cause.SIGNATURE, party=party, detail="not a member of the federation")
        try:
            key.verify(signature, message)
        except InvalidSignature:
            raise Abort(Cause.SIGNATURE, party=party) from None

    def public(self, party: Party) -> bytes:
        """The pinned key of `party`, 32 bytes. Raises Abort(SIGNATURE): not in the federation."""
        key = self._keys.get(party)
        if key is None:
            raise Abort(Cause.SIGNATURE, party=party, detail="not a member of the federation")
        return key.public_bytes_raw()


class AgreementKey:
    """An X25519 key pair, from a 32-byte seed."""

    def __init__(self, seed: Secret) -> None:
        self._key = X25519PrivateKey.from_private_bytes(seed.expose())

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return self._key.public_key().public_bytes_raw()

    def agree(self, other: bytes) -> Secret:
        """The shared secret with the holder of `other`. Raises Abort(KEYS): malformed or of low order."""
        try:
            return Secret(self._key.exchange(X25519PublicKey.from_public_bytes(other)))
        except ValueError:
            raise Abort(Cause.KEYS, detail="an agreement key is malformed") from None

    def __repr__(self) -> str:
        return "AgreementKey(hidden)"
