"""A secret key as it might be written somewhere, and whether it is: in letters and files, or in words."""

import base64

import numpy as np

from potluck.he.sum.parameters import WIRE
from potluck.he.sum.residues import dump as flat
from support.he.ring import coefficients
from support.he.rogue import rows


def ternary(letter):
    """Whether a letter holds 64 bytes, or 8 words, that a ternary polynomial would give."""
    data = np.frombuffer(letter, np.uint8)
    small = (data <= 1) | (data == 255)
    wide = np.concatenate([[0], np.cumsum(small)])
    return len(data) >= 64 and bool((wide[64:] - wide[:-64] == 64).any())


def forms(secret, parameters):
    """A secret key as it might be written: residues, and coefficients in words of several sizes."""
    both = rows(secret, parameters, WIRE)[0]
    plain = coefficients(both[0], parameters.moduli[0])
    yield flat(both)
    yield flat(both[1])
    for dtype in ("i1", "<i2", "<i4", "<i8", ">i8"):
        yield plain.astype(dtype).tobytes()
    yield np.packbits(plain == 1).tobytes()
    yield np.packbits(plain != 0, bitorder="little").tobytes()
    yield flat(np.array([int(c) % parameters.moduli[0] for c in plain], np.uint64))


def held(letters, secret, parameters):
    """Whether any form of the key is in the letters: one of its windows of 128 bytes, 16 words at least."""
    for form in forms(secret, parameters):
        for at in range(0, len(form) - 128, len(form) // 16):
            if any(form[at : at + 128] in letter for letter in letters):
                return True
    return False


def spelled(secret):
    """A secret's first and last 48 bytes as text of ours or of a library might show them."""
    for part in (secret[:48], secret[-48:]):
        words = np.frombuffer(part[: len(part) // 8 * 8], "<u8")
        yield from (str(int(word)) for word in words[:4] if word > 10**6)
        for piece in (part[:12], part[12:24]):
            yield from (piece.hex(), piece.hex().upper(), repr(piece)[2:-1], piece.decode("latin-1"))
            yield ", ".join(map(str, piece))
        yield from (base64.b64encode(part[at : at + 24]).decode()[:32] for at in range(3))
