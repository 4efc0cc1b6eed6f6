"""Signing keys (Ed25519, RFC 8032) and agreement keys (X25519, RFC 7748), checked on arrival.

Signatures are libsodium's, which verifies in half the time of OpenSSL, and refuses keys of low order.
"""

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from nacl.bindings import crypto_sign, crypto_sign_open, crypto_sign_seed_keypair
from nacl.exceptions import BadSignatureError

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause
from potluck.secret.container import Secret

STRANGER = "not a member by the federation file in use"
"""The detail of an abort: the federation file lists nobody of the name, so nothing could be verified."""
_PRIME = 2**255 - 19
_OF_ORDER_EIGHT = (
    0xB8495F16056286FDB1329CEB8D09DA6AC49FF1FAE35616AEB8413B7C7AEBE0,
    0x57119FD0DD4E22D8868E1C58C45C44045BEF839C55B1D0B1248C50A3BC959C5F,
)
# With any of these every key agrees on zero: the coordinates of small order on the curve and its twist, in each of
# their spellings (RFC 7748, section 7).
_LOW_ORDER = frozenset({0, 1, *_OF_ORDER_EIGHT, _PRIME - 1, _PRIME, _PRIME + 1})


class SigningKey:
    """A party's long-term Ed25519 key. public: 32 bytes."""

    def __init__(self, seed: Secret) -> None:
        self.public, key = crypto_sign_seed_keypair(seed.expose())
        self._key = Secret(key)

    def sign(self, message: bytes) -> bytes:
        """64 bytes."""
        return crypto_sign(message, self._key.expose())[:64]

    def __repr__(self) -> str:
        return "SigningKey(hidden)"


class Roster:
    """The pinned public signing keys of a federation."""

    def __init__(self, keys: dict[Party, bytes]) -> None:
        if any(len(raw) != 32 for raw in keys.values()):
            raise ValueError("a signing key has 32 bytes")
        self._keys = dict(keys)

    def verify(self, party: Party, message: bytes, signature: bytes) -> None:
        """Raises Abort(SIGNATURE): `party` did not sign `message`, or is not in the federation."""
        key = self.public(party)
        try:
            if len(signature) != 64:  # the library takes both as one text
                raise BadSignatureError
            crypto_sign_open(signature + message, key)
        except BadSignatureError:
            raise Abort(Cause.SIGNATURE, party=party) from None

    def public(self, party: Party) -> bytes:
        """The pinned key of `party`, 32 bytes. Raises Abort(SIGNATURE): not in the federation."""
        key = self._keys.get(party)
        if key is None:
            raise Abort(Cause.SIGNATURE, party=party, detail=STRANGER)
        return key


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
        return Secret(self._key.exchange(agreement_key(other)))

    def __repr__(self) -> str:
        return "AgreementKey(hidden)"


def agreement_key(raw: bytes) -> X25519PublicKey:
    """Another's public key. Raises Abort(KEYS): not 32 bytes, or of low order."""
    if len(raw) != 32 or int.from_bytes(raw, "little") % 2**255 in _LOW_ORDER:
        raise Abort(Cause.KEYS, detail="an agreement key is malformed")
    return X25519PublicKey.from_public_bytes(raw)
