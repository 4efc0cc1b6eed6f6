"""Parameter sets of private prediction: CKKS with as many levels as a circuit needs, and how large its noise is.

Reference: Cheon, Kim, Kim, Song, ASIACRYPT 2017 (eprint 2016/421); in residues: Cheon et al., SAC 2018 (eprint
2018/931). All sets are HEStd_128_classic: 128 bits against a classical attacker, ternary secrets. The engine refuses
a ring that is too small for its modulus, so a wrong row of the table cannot lower the security.

Noise is counted in the slots, as standard deviations: a polynomial whose coefficients have variance V gives slots whose
real parts have variance V N / 2, divided by the scale. Reading doubles the variance: the engine adds as much noise as
it finds when it decrypts. The formulas are checked against the engine in the tests.
"""

from dataclasses import dataclass
from math import pi, sqrt

SIGMA = 3.19
"""The standard deviation of the engine's discrete Gaussian."""
TAIL = 8.0
"""Standard deviations that a bound allows: a normal variable is beyond with probability 2^-49."""
WORD = 8
FRAME = 1 << 16
"""Bytes of the engine's framing around a ciphertext or a key, at most."""


@dataclass(frozen=True, slots=True)
class Levels:
    """One set. depth: rescalings; ring: N; scale, first: bits of the scale and of the first prime.

    digits: of HYBRID key switching; with 0 it is BV with digits of `digit` bits. special: primes of HYBRID beside.
    bias: of a key switch's coefficients in units of the special modulus, as measured (see `turned`).
    """

    name: str
    depth: int
    ring: int
    scale: int
    first: int
    digits: int
    digit: int
    special: int
    bias: float

    @property
    def slots(self) -> int:
        """Numbers in a ciphertext."""
        return self.ring // 2

    @property
    def room(self) -> float:
        """The largest margin that the last level is trusted with: half of what decrypts right."""
        return 2.0 ** (self.first - self.scale - 2)

    def ciphertext(self, level: int) -> int:
        """Bytes of a ciphertext at a level, the framing left out."""
        return 2 * (self.depth + 1 - level) * self.ring * WORD

    def group(self, level: int) -> int:
        """Ciphertexts of a level that travel in one letter."""
        return max(1, PART // (self.ciphertext(level) + FRAME))

    @property
    def switch(self) -> int:
        """Bytes of a key for one rotation, or for products."""
        towers = self.depth + 1
        if self.digits:
            return 2 * self.digits * (towers + self.special) * self.ring * WORD
        return (
            2 * (-(-self.first // self.digit) + self.depth * -(-self.scale // self.digit)) * towers * self.ring * WORD
        )

    @property
    def encoded(self) -> float:
        """Deviation of a slot of an encoded vector: coefficients are rounded."""
        return self._slot(1 / 12)

    @property
    def rescaled(self) -> float:
        """Deviation that a rescaling adds: (1 + s) times roundings; s has 2 N / 3 coefficients of 1 or -1."""
        return self._slot((1 + 2 * self.ring / 3) / 12)

    @property
    def fresh(self) -> float:
        """Deviation of what is encrypted with the secret key."""
        return self._slot(SIGMA**2)

    @property
    def zero(self) -> float:
        """Deviation of an encryption under the public key: e u + e1 + e2 s."""
        return self._slot(SIGMA**2 * (4 * self.ring / 3 + 1))

    @property
    def turned(self) -> float:
        """A bound on the norm, over all slots, of what a rotation at the single scale adds beside a rescaling's noise.

        Key switching rounds all coefficients in one direction, so its error is a constant times 1 + X + X^2 + ...:
        small but in a few slots near X = 1, where it comes to 2 N / pi, times s there.
        """
        return self.bias * (2 * self.ring / pi) * TAIL * sqrt(self.ring / 3) * 2.0**-self.scale

    def _slot(self, variance: float) -> float:
        return sqrt(variance * self.ring / 2) * 2.0**-self.scale


TABLE = (
    Levels("1 level, N = 4096", 1, 4096, 40, 50, 0, 15, 0, 1.0),
    Levels("3 levels, N = 8192", 3, 8192, 34, 44, 4, 0, 1, 1.0),
    Levels("5 levels, N = 16384", 5, 16384, 40, 50, 3, 0, 2, 1.0),
    Levels("8 levels, N = 32768", 8, 32768, 40, 60, 1, 0, 7, 3.0),
    Levels("13 levels, N = 32768", 13, 32768, 40, 50, 2, 0, 5, 3.0),
)


def smallest(depth: int, width: int) -> Levels | None:
    """The first set with so many levels and slots for `width` numbers, or None."""
    return next((row for row in TABLE if row.depth >= depth and row.slots >= width), None)


DEEPEST = TABLE[-1].depth
WIDEST = TABLE[-1].slots
PART = 48 << 20
"""Bytes of one letter, about: a mailbox holds 64 MB that came early."""
