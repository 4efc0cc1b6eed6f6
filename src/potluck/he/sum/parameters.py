"""The parameters of the threshold sum: BFV over two rings, with the margins that make it exact and its partials safe.

Reference: Brakerski (CRYPTO 2012) and Fan, Vercauteren (eprint 2012/144) for the scheme; Mouchet et al.,
Multiparty Homomorphic Encryption from Ring-Learning-with-Errors, PETS 2021 (eprint 2020/304), for keys and
decryption by all. Both sets keep to the tables of the HE standard for 128 bits against a classical attacker with
ternary secrets: log2 q at most 218 for N = 8192 and 438 for N = 16384.

A ciphertext is encrypted at two towers (q0, q1) and travels there. To decrypt it is lifted to three: multiplied by q2,
so that it and its noise grow by 2^60. Each key holder adds a flood to c1 s, in every coefficient uniform over the q1 q2
(about 2^120) integers around zero, and divides by q2 and by q1 with rounding: a partial travels at one tower.

- Exact: a flood, at most q1 q2 / 2, comes to 1/2 at one tower, and the two roundings to 1/2 (and some 2^-60). So n
  partials add up to the sum of the ciphertexts to within n; the ciphertexts' own noise, divided by q1, is below 1. The
  engine decodes in float64, x / q0 * t with |x| <= q0 / 2 < 2^59: three roundings of at most 2^-54 of 2^59, and q0's
  own, which together come to less than 128 in x. So decoding is right if 2 (n + 1 + 128) t < q0.
- Safe: what a partial must hide is the noise of the sum, which depends on all secrets. A fresh ciphertext under the
  joint key of n ternary keys has noise e u + e1 + e2 s of standard deviation 3.19 sqrt(4 N n / 3 + 1) a coefficient
  (e, s: sums of n keys' errors and secrets; e1, e2, u of one encryption), n of them sqrt(n) times that; the rounding of
  the messages, below n, is nothing beside it. Lifted, that is q2 times as much. Shifting a uniform of width W by v
  moves it by |v| / W in statistical distance; with six standard deviations for v, and W = q1 q2, it must be at most
  2^-40. Dividing and rounding afterwards gives nothing more away. This is a coefficient's distance: those of a vector
  add up, so 2^20 coefficients stay below 2^-20 at the largest cohort, and below 2^-26 with three sites.

The engine chooses towers for a noise estimate of its own, in which a cohort of hundreds needs a larger ring. It is
told of two parties always, so that the sets stay what this table says: the two bounds above are the ones that count.
They hold for honest ciphertexts only: a ciphertext made to attack the key holders is not covered by any flood.
"""

from dataclasses import dataclass, replace

from potluck.core.errors import PlanError
from potluck.he.sum.packing import Layout, arrange

WIRE = 2
"""Towers at which ciphertexts and keys travel."""
LIFTED = 3
"""Towers at which a partial decryption is made: the engine's flooding needs three."""
PARTIAL = 1
"""Towers at which a partial decryption travels."""
WORD = 8
FLOOD_BITS = 40
SIGMAS = 6
DECODING = 128
"""What the engine's float64 may be off in decoding, in units of a tower below 2^60."""
DEVIATION = (319, 100)
"""The standard deviation of the engine's discrete Gaussian, 3.19, as a fraction."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """One set for one cohort. ring: N; plain: t; moduli: q0, q1, ... of all towers; parties: n, who hold a key."""

    name: str
    ring: int
    plain: int
    moduli: tuple[int, ...]
    parties: int

    @property
    def ciphertext_bytes(self) -> int:
        """One ciphertext as it travels: two polynomials at two towers."""
        return 2 * WIRE * self.ring * WORD

    @property
    def key_bytes(self) -> int:
        """One public key as it travels: b at two towers (the common polynomial a comes from a seed)."""
        return WIRE * self.ring * WORD

    @property
    def partial_bytes(self) -> int:
        """One partial decryption of one ciphertext as it travels: one tower."""
        return PARTIAL * self.ring * WORD

    @property
    def exact(self) -> bool:
        """Whether all parties' floods and roundings, and the decoding's, stay below half a step of the plaintext."""
        return 2 * (self.parties + 1 + DECODING) * self.plain < self.moduli[0]

    @property
    def flooded(self) -> bool:
        """Whether a partial's flood hides the noise of the sum: 6 s q2 2^40 <= q1 q2, squared, in whole numbers."""
        n, (top, low) = self.parties, DEVIATION
        noise = (SIGMAS * top << FLOOD_BITS) ** 2 * n * (4 * self.ring * n + 3)  # 3 low^2 times its square
        return noise <= 3 * (low * min(self.moduli)) ** 2


SMALL = Parameters("small", 8192, 268369921, (1152921504606830593, 1152921504606748673, 1152921504606683137), parties=2)
"""t is the largest prime below 2^28 that is 1 mod 2N; log2 q = 180."""
LARGE = Parameters(
    "large",
    16384,
    1125899904679937,
    (1152921504606748673, 1152921504606683137, 1152921504606584833, 1152921504605962241),
    parties=2,
)
"""t is the largest prime below 2^50 that is 1 mod 2N; log2 q = 240."""
TABLE = (SMALL, LARGE)


def problems(sites: int) -> list[str]:
    """What stands in the way of a threshold sum over `sites` key holders; nothing if it can be carried."""
    if sites < 2:
        return [f"he needs at least 2 sites, the plan has {sites}"]
    if not _fitting(sites):
        return [f"he carries at most {most()} sites (beyond, partial decryptions leak), the plan has {sites}"]
    return []


def most() -> int:
    """The largest number of key holders that any set carries."""
    return max(n for n in range(2, 1024) if _fitting(n))


def _fitting(sites: int) -> list[Parameters]:
    sets = (replace(row, parties=sites) for row in TABLE)
    return [row for row in sets if row.exact and row.flooded]


def choose(bits: int, length: int, sites: int) -> tuple[Parameters, Layout]:
    """The set and layout with which a site sends the fewest bytes for a vector of `length` words of `bits` bits.

    Raises PlanError: too few or too many sites. Raises ValueError: bits not 1 to 64, or no word at all.
    """
    for problem in problems(sites):
        raise PlanError(problem, where="protect.with", hint='protect.with = "mask" carries any number of sites')
    options = []
    for row in _fitting(sites):
        layout = arrange(bits, length, sites, row.ring, row.plain)
        if layout is not None:
            options.append((row, layout))
    return min(options, key=lambda option: sent(*option))


def sent(parameters: Parameters, layout: Layout) -> int:
    """Bytes that one site sends in one sum: its key, its ciphertexts and its partial decryptions."""
    each = parameters.ciphertext_bytes + parameters.partial_bytes
    return parameters.key_bytes + layout.ciphertexts * each
