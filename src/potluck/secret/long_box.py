"""Boxes that are too long to hold, sealed and opened piece by piece: byte for byte those of the library."""

from collections.abc import Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from potluck.core.rounds import Abort, Cause
from potluck.core.slices import PIECE, Sliced, slices
from potluck.secret.container import Secret
from potluck.secret.schedule import TAG

_BLOCK = 16


class LongBox:
    """What is sealed in a box, opened slice by slice. See `slices.Sliced`."""

    def __init__(self, box: Sliced, start: int, key: Secret, nonce: bytes, bound: bytes = b"") -> None:
        """box: what was sealed begins at `start`; it must not change any more. bound: what was authenticated with it.

        Raises Abort(BOX): it does not open; then nothing of it is shown.
        """
        self._size = len(box) - start - TAG
        if self._size < 0:
            raise Abort(Cause.BOX)
        self._box, self._start, self._key, self._nonce = box, start, key, nonce
        try:
            self._verify(bound)
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

    def _verify(self, bound: bytes) -> None:
        end = self._start + self._size
        mode = modes.GCM(self._nonce, bytes(self._box[end : end + TAG]))
        cipher, seen = Cipher(algorithms.AES256(self._key.expose()), mode).decryptor(), bytearray(PIECE + _BLOCK)
        cipher.authenticate_additional_data(bound)
        for part in slices(end, PIECE, start=self._start):
            cipher.update_into(self._box[part], seen)
        cipher.finalize()


def pieces(plaintext: Sliced, key: Secret, nonce: bytes, bound: bytes = b"") -> Iterator[bytes]:
    """A plaintext, sealed, in pieces that follow each other."""
    cipher = Cipher(algorithms.AES256(key.expose()), modes.GCM(nonce)).encryptor()
    cipher.authenticate_additional_data(bound)
    for part in slices(len(plaintext), PIECE):
        yield cipher.update(plaintext[part])
    yield cipher.finalize() + cipher.tag
