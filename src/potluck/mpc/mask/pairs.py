"""What two sites share, what one site's root of a round gives, and how masks are added to words.

Each site draws one 32-byte root a round and deals shares of only that. From it come its X25519 mask key, a hybrid box
key pair (the "pair key") and, for each neighbour j later in the plan's order, r = PRF(root, j), which is sealed to j's
pair key. The pair's mask key is HKDF over X25519's result and r together: it stays unknown unless BOTH are known, so
masks recorded today do not open to a quantum computer, and rebuilding one vanished site's root recovers exactly its
pair keys (Bonawitz et al., CCS 2017, section 4.3, with a second, post-quantum half beside the Diffie-Hellman one).

It does NOT say who sealed r: the dealer signs it, and a commitment to it, in `messages`.
"""

from collections.abc import Iterable

import numpy as np

from potluck.core.party import Party
from potluck.core.rounds import Terms, Words
from potluck.secret import statement
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import AgreementKey
from potluck.secret.statement import named
from potluck.secret.stream import CHUNK, Keystream, derive, digest

_TAG = b"potluck mask 1"


def session(terms: Terms) -> bytes:
    """32 bytes that name version, terms and round: in every key and every signature of the round."""
    return statement.session(_TAG, terms)


class Root:
    """One site's secrets of one round that may have to be rebuilt: everything here follows from the 32-byte root."""

    def __init__(self, root: Secret, session: bytes) -> None:
        self.root = root
        self._session = session
        self.agreement = AgreementKey(derive(root, digest(b"mask key", session)))
        self.box = BoxKey(derive(root, digest(b"pair key", session), SEED))

    @property
    def public(self) -> tuple[bytes, bytes]:
        """(X25519 mask key, pair box key) as advertised."""
        return self.agreement.public, self.box.public

    def toward(self, other: Party) -> Secret:
        """r: this site's half of the secret it shares with `other`, a later site in the plan's order."""
        return derive(self.root, digest(b"pair half", self._session, named(other)))


def pair_mask(
    agreed: Secret, half: Secret, session: bytes, lower: tuple[bytes, bytes], upper: tuple[bytes, bytes]
) -> Secret:
    """The one-time key of a pair's mask. lower, upper: the public keys of the earlier and the later site."""
    return derive(Secret(agreed.expose() + half.expose()), digest(b"pair mask", session, *lower, *upper))


def self_mask(seed: Secret, session: bytes, public: tuple[bytes, bytes]) -> Secret:
    """The one-time key of a site's self-mask, from its seed b, which does not follow from its root."""
    return derive(seed, digest(b"self mask", session, *public))


def mask(words: Words, plus: Iterable[Secret] = (), minus: Iterable[Secret] = ()) -> None:
    """words [d], little-endian, in place: + the keystreams of `plus` - those of `minus`, mod 2^bits. Every key is used
    once.

    Chunk by chunk, so that everything stays in the cache.
    """
    if words.dtype != words.dtype.newbyteorder("<"):
        raise ValueError("words are little-endian")
    streams = [(Keystream(key), np.add) for key in plus] + [(Keystream(key), np.subtract) for key in minus]
    buffer = bytearray(CHUNK)
    stream_words = np.frombuffer(buffer, dtype=words.dtype)
    view = memoryview(buffer)
    for start in range(0, len(words), len(stream_words)):
        piece = words[start : start + len(stream_words)]
        taken = stream_words[: len(piece)]
        for stream, combine in streams:
            stream.read_into(view[: piece.nbytes])
            combine(piece, taken, out=piece)
