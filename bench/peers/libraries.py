"""What is measured of others' work: Flower's own secure aggregation, and OpenDP's discrete Gaussian.

Imported when first used, since neither is needed to list the bench.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from numpy.typing import NDArray

FLOWER = "Flower 1.42"
OPENDP = "OpenDP 0.16"
MOD_RANGE = 1 << 32
"""Flower's default modulus."""

Arrays = list[NDArray[np.int64]]
Generate = Callable[[bytes, int, list[tuple[int, ...]]], Arrays]
Combine = Callable[[Arrays, Arrays], Arrays]


@dataclass(frozen=True, slots=True)
class Flower:
    """The functions that Flower's SecAgg+ client and server call, by their own names."""

    create_shares: Callable[[bytes, int, int], list[bytes]]
    combine_shares: Callable[[list[bytes]], bytes]
    pseudo_rand_gen: Generate
    parameters_addition: Combine
    parameters_subtraction: Combine
    parameters_mod: Callable[[Arrays, int], Arrays]
    generate_shared_key: Callable[[ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey], bytes]
    generate_key_pairs: Callable[[], tuple[ec.EllipticCurvePrivateKey, ec.EllipticCurvePublicKey]]
    private_key_to_bytes: Callable[[ec.EllipticCurvePrivateKey], bytes]
    public_key_to_bytes: Callable[[ec.EllipticCurvePublicKey], bytes]
    bytes_to_private_key: Callable[[bytes], ec.EllipticCurvePrivateKey]
    bytes_to_public_key: Callable[[bytes], ec.EllipticCurvePublicKey]


@lru_cache(maxsize=1)
def flower() -> Flower:
    """Flower's functions, where it is installed (`make bench` does that)."""
    crypto = "flwr.common.secure_aggregation.crypto"
    shamir = import_module(f"{crypto}.shamir")
    symmetric = import_module(f"{crypto}.symmetric_encryption")
    arithmetic = import_module("flwr.common.secure_aggregation.ndarrays_arithmetic")
    utils = import_module("flwr.common.secure_aggregation.secaggplus_utils")
    keys = import_module("flwr.supercore.primitives.asymmetric")
    return Flower(
        shamir.create_shares,
        shamir.combine_shares,
        utils.pseudo_rand_gen,
        arithmetic.parameters_addition,
        arithmetic.parameters_subtraction,
        arithmetic.parameters_mod,
        symmetric.generate_shared_key,
        keys.generate_key_pairs,
        keys.private_key_to_bytes,
        keys.public_key_to_bytes,
        keys.bytes_to_private_key,
        keys.bytes_to_public_key,
    )


def opendp_gaussian(sigma: float) -> Callable[[list[int]], list[int]]:
    """OpenDP's measurement that adds discrete Gaussian noise to a vector of integers."""
    dp = import_module("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    measurement: Callable[[list[int]], list[int]] = dp.m.make_gaussian(*space, scale=sigma)
    return measurement


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """TenSEAL's C++ prints a warning for every vector that is longer than a ciphertext."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)
