"""The OpenFHE worker: its tables of operations, its self-test, and what it says of itself."""

from collections.abc import Sequence

import openfhe

from potluck.engines.frames import OpError
from potluck.engines.openfhe import bfv, ckks
from potluck.engines.serving import Operations, serve, versions

TABLES: tuple[Operations, ...] = (bfv.OPS, ckks.OPS)


def main(tables: Sequence[Operations] = TABLES) -> None:
    """Serve until stdin closes. The first argument is the memory limit in bytes."""
    serve(tables, _ready)


def _ready() -> list[str]:
    selftest()
    return versions("openfhe", "numpy")


def selftest() -> None:
    """A sum of two small ciphertexts, exactly. It also makes the engine draw its randomness while a file can be opened.

    Raises OpError: the engine gives wrong answers.
    """
    parameters = openfhe.CCParamsBFVRNS()
    parameters.SetPlaintextModulus(65537)
    parameters.SetMultiplicativeDepth(0)
    parameters.SetSecurityLevel(openfhe.HEStd_NotSet)
    parameters.SetRingDim(64)
    context = openfhe.GenCryptoContext(parameters)
    for feature in (openfhe.PKESchemeFeature.PKE, openfhe.PKESchemeFeature.LEVELEDSHE):
        context.Enable(feature)
    pair = context.KeyGen()
    first, second = list(range(8)), list(range(100, 108))
    boxes = [context.Encrypt(pair.publicKey, context.MakePackedPlaintext(values)) for values in (first, second)]
    opened = context.Decrypt(context.EvalAdd(*boxes), pair.secretKey).GetPackedValue()[:8]
    if list(opened) != [a + b for a, b in zip(first, second, strict=True)]:
        raise OpError("the self-test gives a wrong sum")
