"""Contexts of CKKS: made from a set's numbers, tested when they are opened; numbers into slots and out of them."""

from typing import Any

import numpy as np
import openfhe
from numpy.typing import NDArray
from openfhe import PKESchemeFeature

from potluck.engines.frames import OpError

Floats = NDArray[np.float64]
TOLERANCE = 2.0**-10
"""The self-test's: far above the noise of every set, far below what a wrong parameter does."""


def made(wanted: dict[str, Any]) -> Any:
    """A context. wanted: depth, ring, scale, first, digits, digit. The engine refuses what is not 128-bit secure."""
    parameters = openfhe.CCParamsCKKSRNS()
    parameters.SetSecurityLevel(openfhe.HEStd_128_classic)
    parameters.SetScalingTechnique(openfhe.FIXEDMANUAL)
    parameters.SetMultiplicativeDepth(wanted["depth"])
    parameters.SetRingDim(wanted["ring"])
    parameters.SetBatchSize(wanted["ring"] // 2)
    parameters.SetScalingModSize(wanted["scale"])
    parameters.SetFirstModSize(wanted["first"])
    if wanted["digits"]:
        parameters.SetKeySwitchTechnique(openfhe.HYBRID)
        parameters.SetNumLargeDigits(wanted["digits"])
    else:
        parameters.SetKeySwitchTechnique(openfhe.BV)
        parameters.SetDigitSize(wanted["digit"])
    context = openfhe.GenCryptoContext(parameters)
    for feature in ("PKE", "KEYSWITCH", "LEVELEDSHE", "ADVANCEDSHE"):
        context.Enable(getattr(PKESchemeFeature, feature))
    return context


def selftest(context: Any, pair: Any, slots: int, depth: int) -> list[float]:
    """What a rescaling leaves of 1, a level. Raises OpError: a product, a square or a rotation comes out wrong."""
    context.EvalMultKeyGen(pair.secretKey)
    context.EvalRotateKeyGen(pair.secretKey, [1])
    ramp = np.linspace(-1, 1, slots)
    ratios = []
    for level in range(depth):
        ones = context.Encrypt(pair.secretKey, context.MakeCKKSPackedPlaintext(np.ones(slots), 1, level))
        kept = context.Rescale(context.EvalMult(ones, context.MakeCKKSPackedPlaintext(np.ones(slots), 1, level)))
        ratios.append(float(values_of(context, pair.secretKey, kept, slots).mean()))
        plain = context.MakeCKKSPackedPlaintext(ramp, 1, level)
        one = context.Encrypt(pair.publicKey, plain)
        turned = context.Rescale(context.EvalRotate(context.EvalMult(one, plain), 1))
        squared = context.Rescale(context.EvalSquare(one))
        for got, right in ((turned, np.roll(ramp * ramp, -1)), (squared, ramp * ramp)):
            if not np.abs(values_of(context, pair.secretKey, got, slots) - right).max() < TOLERANCE:
                raise OpError("the self-test of a context gives a wrong product")
    if not all(abs(ratio - 1) < TOLERANCE for ratio in ratios):
        raise OpError("the self-test of a context gives a wrong scale")
    return ratios


def values_of(context: Any, secret: Any, ciphertext: Any, slots: int) -> Floats:
    """A ciphertext decrypted: [slots]."""
    plain = context.Decrypt(ciphertext, secret)
    plain.SetLength(slots)
    return np.asarray(plain.GetRealPackedValueArray(), np.float64)


def encoded(context: Any, values: Floats, level: int) -> Any:
    """values [slots] as a plaintext. What rounds to nothing the engine refuses to encode: it is nothing, then.

    What is lost so lies below the noise of any set.
    """
    try:
        return context.MakeCKKSPackedPlaintext(values, 1, level)
    except RuntimeError as error:
        if "Scaling factor too small" not in str(error):
            raise
        return context.MakeCKKSPackedPlaintext(np.zeros(len(values)), 1, level)
