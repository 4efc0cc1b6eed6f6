"""Threshold BFV inside the worker: keys, encryption, partial decryption and decoding for one set of parameters.

Polynomials come and go as residues (see `blobs`), so that all additions are made outside, by whoever needs the sum.
Ciphertexts are encrypted at the first `wire` towers, lifted to the first `lifted` for the engine's flooding, and
partial decryptions are divided down to the first `partial`. `he/sum/parameters.py` derives the margins behind that.

Secret keys never leave but by `export`. Errors hold no value. It knows nothing of rounds: that a sum is decrypted once
is for the caller to see to.
"""

import itertools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import openfhe
from numpy.typing import NDArray

from potluck.engines.frames import OpError
from potluck.engines.openfhe.blobs import OTHERS, WORD, Residues, Template, residues, take, template

State = dict[str, Any]

SCALING = 60
"""Bits of a modulus."""
DIGIT = 20
COHORT = 2
"""The engine's own noise estimate chooses larger rings for larger cohorts; the bounds that count are `parameters`'."""


@dataclass(frozen=True, slots=True)
class Open:
    """A set of parameters that passed its self-test: the engine's context and the shapes of its objects."""

    context: Any = field(repr=False)
    ring: int
    plain: int
    moduli: tuple[int, ...]
    wire: int
    lifted: int
    partial: int
    shapes: dict[str, Template] = field(repr=False)


def keygen(state: State, wanted: bytes, common: bytes) -> list[bytes]:
    """common: a [towers, N] -> the handle of a fresh secret key, and its public key b = e - a s [wire, N]."""
    now = _opened(state, wanted)
    a = residues(common, (len(now.moduli), now.ring), now.moduli)
    key, b = _generate(now, a)
    return [_keep(state, now, key), b.tobytes()]


def encrypt(state: State, wanted: bytes, common: bytes, joint: bytes, slots: bytes) -> list[bytes]:
    """a [wire, N], b [wire, N], slots [c, N], each below t -> ciphertexts [c, 2, wire, N]."""
    now = _opened(state, wanted)
    a, b = (residues(body, (now.wire, now.ring), now.moduli) for body in (common, joint))
    rows = residues(slots, (-1, 1, now.ring), (now.plain,))[:, 0]
    return [b"".join(_encrypt(now, _public(now, b, a), row).tobytes() for row in rows)]


def partial(state: State, wanted: bytes, handle: bytes, lead: bytes, total: bytes) -> list[bytes]:
    """ciphertexts [c, 2, wire, N] -> flooded partial decryptions [c, partial, N]. lead: b"\\1", the one who adds c0."""
    now = _opened(state, wanted)
    key = _key(state, now, handle)
    rows = residues(total, (-1, 2, now.wire, now.ring), now.moduli)
    return [b"".join(_partial(now, key, row, lead == b"\1").tobytes() for row in rows)]


def fuse(state: State, wanted: bytes, total: bytes) -> list[bytes]:
    """The sum of all partial decryptions [c, partial, N] -> slots [c, N], each below t."""
    now = _opened(state, wanted)
    rows = residues(total, (-1, now.partial, now.ring), now.moduli)
    return [b"".join(_decode(now, row).tobytes() for row in rows)]


def export(state: State, wanted: bytes, handle: bytes) -> list[bytes]:
    """The secret key [wire, N]. It is never multiplied by anything but a ciphertext's `wire` towers."""
    now = _opened(state, wanted)
    return [take(_key(state, now, handle), now.ring, now.moduli)[: now.wire].tobytes()]


def rebuild(state: State, wanted: bytes, secret: bytes, common: bytes, public: bytes) -> list[bytes]:
    """secret, a, b, each [wire, N] -> the handle, or nothing: the key does not decrypt what b encrypts."""
    now = _opened(state, wanted)
    s, a, b = (residues(body, (now.wire, now.ring), now.moduli) for body in (secret, common, public))
    above = np.zeros((len(now.moduli) - now.wire, now.ring), np.uint64)
    key = now.shapes["secret"].fill(np.concatenate([s, above]), openfhe.DeserializePrivateKeyString)
    slots = _edges(now)[0]
    opened = _decode(now, _partial(now, key, _encrypt(now, _public(now, b, a), slots), lead=True))
    return [_keep(state, now, key) if np.array_equal(opened, slots) else b""]


def forget(state: State, handle: bytes) -> list[bytes]:
    """Drop a secret key, if it is here."""
    state.get("keys", {}).pop(handle, None)
    return []


OPS: dict[str, Callable[..., list[bytes]]] = {
    "bfv.keygen": keygen,
    "bfv.encrypt": encrypt,
    "bfv.partial": partial,
    "bfv.fuse": fuse,
    "bfv.export": export,
    "bfv.rebuild": rebuild,
    "bfv.forget": forget,
}


def _opened(state: State, wanted: bytes) -> Open:
    """The set of parameters that every operation names; the first time it is made and tested.

    wanted: JSON of ring, plain, moduli and the numbers of towers. Raises OpError: the engine makes something else of
    them, or gives wrong sums.
    """
    sets: dict[bytes, Open] = state.setdefault("sets", {})
    if wanted not in sets:
        made = _make(json.loads(wanted))
        _selftest(made)
        sets[wanted] = made
    return sets[wanted]


def _keep(state: State, now: Open, key: Any) -> bytes:
    handle: bytes = next(state.setdefault("handles", itertools.count(1))).to_bytes(WORD, "little")
    state.setdefault("keys", {})[handle] = (now, key)
    return handle


def _key(state: State, now: Open, handle: bytes) -> Any:
    """Raises OpError: no such key, or one of another set of parameters."""
    made, key = state.get("keys", {}).get(handle, (None, None))
    if made is not now:
        raise OpError("no such key")
    return key


def _make(wanted: dict[str, Any]) -> Open:
    """The engine's context, and objects of a throw-away key to take the shapes from."""
    ring, plain, moduli = wanted["ring"], wanted["plain"], tuple(wanted["moduli"])
    wire, lifted, part = wanted["wire"], wanted["lifted"], wanted["partial"]
    context = _context(plain)
    if context.GetRingDimension() != ring or context.GetPlaintextModulus() != plain:
        raise OpError("the engine's ring or plaintext modulus is another than the table's")
    if not math.isclose(context.GetModulus(), math.prod(moduli), rel_tol=1e-9):  # a float; it tells how many there are
        raise OpError(OTHERS)
    pair = context.KeyGen()
    zeros = np.zeros(ring, np.int64)
    large = context.Encrypt(pair.publicKey, context.MakePackedPlaintext(zeros, 1, level=len(moduli) - lifted))
    given = context.Compress(context.MultipartyDecryptLead([large], pair.secretKey)[0], part)
    shapes = {
        "public": template(pair.publicKey, ring, moduli * 2),
        "secret": template(pair.secretKey, ring, moduli),
        "lifted": template(large, ring, moduli[:lifted] * 2),
        "partial": template(given, ring, moduli[:part]),
    }
    return Open(context, ring, plain, moduli, wire, lifted, part, shapes)


def _context(plain: int) -> Any:
    """The engine chooses the smallest ring that the HE standard's tables allow at 128 bits (classical)."""
    parameters = openfhe.CCParamsBFVRNS()
    parameters.SetPlaintextModulus(plain)
    parameters.SetMultiplicativeDepth(0)
    parameters.SetScalingModSize(SCALING)
    parameters.SetSecurityLevel(openfhe.HEStd_128_classic)
    parameters.SetKeySwitchTechnique(openfhe.BV)  # HYBRID would lengthen the modulus
    parameters.SetDigitSize(DIGIT)
    parameters.SetMultipartyMode(openfhe.NOISE_FLOODING_MULTIPARTY)
    parameters.SetThresholdNumOfParties(COHORT)
    parameters.SetEvalAddCount(COHORT)
    context = openfhe.GenCryptoContext(parameters)
    feature = openfhe.PKESchemeFeature
    for each in (feature.PKE, feature.KEYSWITCH, feature.LEVELEDSHE, feature.ADVANCEDSHE, feature.MULTIPARTY):
        context.Enable(each)
    return context


def _generate(now: Open, a: Residues) -> tuple[Any, Residues]:
    """A secret key, and b [wire, N] of its public key under the common a [towers, N]."""
    pair = now.context.MultipartyKeyGen(_public(now, np.zeros_like(a), a), False, True)
    return pair.secretKey, take(pair.publicKey, now.ring, now.moduli * 2)[: now.wire]


def _public(now: Open, b: Residues, a: Residues) -> Any:
    """A public key from its first towers; the others are zero and not used."""
    full = np.zeros((2, len(now.moduli), now.ring), np.uint64)
    full[0, : len(b)], full[1, : len(a)] = b, a
    return now.shapes["public"].fill(full.reshape(-1, now.ring), openfhe.DeserializePublicKeyString)


def _encrypt(now: Open, public: Any, slots: Residues) -> Residues:
    plaintext = now.context.MakePackedPlaintext(slots.view(np.int64), 1, level=len(now.moduli) - now.wire)
    return take(now.context.Encrypt(public, plaintext), now.ring, now.moduli[: now.wire] * 2)


def _partial(now: Open, key: Any, ciphertext: Residues, lead: bool) -> Residues:
    context = now.context
    large = now.shapes["lifted"].fill(_lift(now, ciphertext), openfhe.DeserializeCiphertextString)
    decrypt = context.MultipartyDecryptLead if lead else context.MultipartyDecryptMain
    return take(context.Compress(decrypt([large], key)[0], now.partial), now.ring, now.moduli[: now.partial])


def _decode(now: Open, total: Residues) -> Residues:
    given = now.shapes["partial"].fill(total, openfhe.DeserializeCiphertextString)
    signed: NDArray[np.int64] = now.context.MultipartyDecryptFusion([given]).GetPackedValueArray()
    return np.where(signed < 0, signed + now.plain, signed).view(np.uint64)


def _lift(now: Open, ciphertext: Residues) -> Residues:
    """[2, wire, N] -> [2 * lifted, N]: times the moduli of the further towers, where the product is zero."""
    large = np.zeros((2, now.lifted, now.ring), np.uint64)
    large[:, : now.wire] = ciphertext.reshape(2, now.wire, now.ring)
    for k, modulus in enumerate(now.moduli[: now.wire]):
        for factor in now.moduli[now.wire : now.lifted]:
            large[:, k] = _times(large[:, k], factor % modulus, modulus)
    return large.reshape(-1, now.ring)


def _times(values: Residues, factor: int, modulus: int) -> Residues:
    """values * factor mod the modulus (below 2^61), where factor or -factor is below 2^32.

    The quotient is below 2^32 and a float64 gives it to within one; the rest is exact, mod 2^64.
    """
    negative = factor > modulus // 2
    small, q = (modulus - factor if negative else factor), np.uint64(modulus)
    if small >> 32:
        raise OpError("the table's moduli are too far apart")
    quotient = (values.astype(np.float64) * (small / modulus)).astype(np.uint64)
    rest = values * np.uint64(small) - quotient * q  # from -q to 2 q; where negative it wraps to something huge
    rest = np.minimum(rest, rest + q)
    rest = np.minimum(rest, rest - q)
    if not negative:
        return rest
    rest = q - rest
    rest[rest == q] = 0
    return rest


def _edges(now: Open) -> tuple[Residues, Residues]:
    """Two vectors [N] at the edges of t: largest, zero, one, both sides of t / 2, in two orders."""
    half = now.plain // 2
    edges = np.array([now.plain - 1, 0, 1, half, half + 1, now.plain - 2, 2], np.uint64)
    return np.resize(edges, now.ring), np.resize(edges[::-1], now.ring)


def _add(total: Residues, more: Residues, moduli: tuple[int, ...]) -> Residues:
    """Both [towers, N], reduced; the moduli belong to the towers."""
    primes = np.array(moduli, np.uint64)[:, None]
    plain = total + more
    reduced: Residues = np.minimum(plain, plain - primes)
    return reduced


def _selftest(now: Open) -> None:
    """The sum of two vectors at the edges of t, under the joint key of two parties, exactly.

    Raises OpError: it is wrong.
    """
    wire = now.moduli[: now.wire]
    a = take(now.context.KeyGen().publicKey, now.ring, now.moduli * 2)[len(now.moduli) :]
    (my_key, my_b), (other_key, other_b) = (_generate(now, a) for _ in range(2))
    public = _public(now, _add(my_b, other_b, wire), a)
    first, second = _edges(now)
    total = _add(_encrypt(now, public, first), _encrypt(now, public, second), wire * 2)
    mine, others = _partial(now, my_key, total, lead=True), _partial(now, other_key, total, lead=False)
    opened = _decode(now, _add(mine, others, now.moduli[: now.partial]))
    if not np.array_equal(opened, (first + second) % np.uint64(now.plain)):
        raise OpError("the self-test gives a wrong sum")
