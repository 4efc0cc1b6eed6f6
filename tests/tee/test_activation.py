"""Public areas of keys that a machine sends to be activated: each byte that makes one worthless is refused, and why.

The real protocol, with a TPM at its other end, is in test_tee_swtpm.
"""

import struct

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from potluck.core.errors import Refused
from potluck.tee.attestation.activation import challenge, listed
from support.tee.quotes import ECDSA, RSASSA, SHA256, is_ecc, rsa_key, sized, spki

EK, AK, CURVE = rsa_key(), rsa_key(), ec.generate_private_key(ec.SECP256R1())
BOUND = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16
STORES, SIGNS = BOUND | 1 << 17, BOUND | 1 << 18
AES_CFB = struct.pack(">HHH", 0x0006, 128, 0x0043)
NULL = struct.pack(">H", 0x0010)


def area(key, attributes, symmetric=NULL, scheme=NULL, named=SHA256, **more):
    """TPMT_PUBLIC. more: bits, exponent, kind, curve, derives, point, tail, policy, in place of the right ones."""
    numbers = key.public_key().public_numbers()
    head = struct.pack(">HHI", more.get("kind", 0x0023 if is_ecc(key) else 0x0001), named, attributes)
    head += sized(more.get("policy", bytes(32))) + symmetric + scheme
    if is_ecc(key):
        x, y = more.get("point", (numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")))
        body = struct.pack(">H", more.get("curve", 0x0003)) + more.get("derives", NULL) + sized(x) + sized(y)
    else:
        size = key.key_size // 8
        body = struct.pack(">HI", more.get("bits", key.key_size), more.get("exponent", 0)) + sized(
            numbers.n.to_bytes(size, "big")
        )
    return head + body + more.get("tail", b"")


def storage(key=EK, attributes=STORES, symmetric=AES_CFB, **more):
    return area(key, attributes, symmetric, **more)


def signing(key=AK, attributes=SIGNS, digest=SHA256, **more):
    scheme = struct.pack(">HH", ECDSA if is_ecc(key) else RSASSA, digest)
    return area(key, attributes, **({"scheme": scheme} | more))


def refused(ek=None, ak=None):
    with pytest.raises(Refused) as caught:
        challenge(storage() if ek is None else ek, signing() if ak is None else ak, [spki(EK)])
    return str(caught.value)


def test_the_right_keys_are_challenged_bare_or_with_their_size_before_them():
    for ak in (AK, CURVE):
        for wrapped in (bytes, sized):
            made = challenge(wrapped(storage()), wrapped(signing(ak)), [spki(EK)])
            assert made.key == spki(ak) == listed(signing(ak))
            assert made.proven(made.secret.expose()) == spki(ak)


def test_another_endorsement_key_is_nobodys():
    assert "not among 1 trusted" in refused(ek=storage(rsa_key()))


@pytest.mark.parametrize("bit", [1, 4, 5, 16, 17])
def test_an_endorsement_key_that_may_leave_or_is_not_for_storage_is_refused(bit):
    assert "not RSA for storage" in refused(ek=storage(attributes=STORES ^ 1 << bit))


def test_an_endorsement_key_that_signs_too_or_wraps_otherwise_is_refused():
    assert "not RSA for storage" in refused(ek=storage(attributes=STORES | 1 << 18))
    for words in ((0x0006, 256, 0x0043), (0x0006, 128, 0x0042), (0x0026, 128, 0x0043)):
        assert "not RSA for storage" in refused(ek=storage(symmetric=struct.pack(">HHH", *words)))
    assert "not RSA for storage" in refused(ek=storage(symmetric=NULL))


@pytest.mark.parametrize("bit", [1, 4, 5, 16, 17, 18])
def test_an_attestation_key_that_may_leave_or_sign_what_is_not_the_tpms_own_is_refused(bit):
    assert "signs what is not the TPM's own" in refused(ak=signing(attributes=SIGNS ^ 1 << bit))


def test_an_attestation_key_signs_by_a_scheme_and_hash_that_count():
    for scheme in (NULL, struct.pack(">HH", 0x0015, SHA256), struct.pack(">HH", RSASSA, 0x0004)):
        assert "does not sign with SHA-256" in refused(ak=signing(scheme=scheme))


@pytest.mark.parametrize(
    "ak",
    [
        signing(named=0x0004),
        signing(kind=0x0008),
        signing(tail=b"\0"),
        signing(CURVE, tail=b"\0"),
        signing(policy=bytes(65)),
        signing(bits=3072),
        signing(exponent=2),
        signing(rsa_key(1024)),
        signing(CURVE, curve=0x0010),
        signing(CURVE, derives=struct.pack(">HH", 0x0020, SHA256)),
        signing(CURVE, point=(bytes(32), bytes(32))),
        signing(CURVE, point=(bytes(33), bytes(32))),
        signing()[:-1],
    ],
)
def test_what_is_no_public_area_of_a_strong_key_is_refused(ak):
    assert "activation: " in refused(ak=ak)
