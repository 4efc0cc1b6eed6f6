"""Whether an attestation key lives in a certain TPM: a secret is sealed so that only that TPM opens it, and only if it
holds that key (TPM2_MakeCredential; reference: TPM 2.0 Library, Part 1, "Credential Protection", and B.10).

The owner trusts a TPM by its endorsement key, which its vendor certified or the machine's owner read out; the machine
sends the public areas of both keys; who sends the secret back has both in one TPM. The attestation key's public area
must say that it never leaves the TPM and signs nothing but what a TPM itself has made: else a quote by it is worth
nothing. Then its key goes into the policy (`tpm.ak`).

Endorsement keys: RSA of 2048 bits in the form that the TCG's profile gives them (template L-1), which every TPM has.
"""

import base64
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.modes import CFB  # nothing else opens it: a TPM has no other mode here
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from potluck.core.errors import Refused
from potluck.secret.container import Secret
from potluck.secret.random import system
from potluck.tee.attestation.formats import tpm_structures as s
from potluck.tee.attestation.verdict import Fault

FIXED_TPM, FIXED_PARENT, ORIGIN = 1 << 1, 1 << 4, 1 << 5
RESTRICTED, DECRYPT, SIGN = 1 << 16, 1 << 17, 1 << 18
BOUND = FIXED_TPM | FIXED_PARENT | ORIGIN | RESTRICTED
"""TPMA_OBJECT: made in this TPM, never to leave it, for what TPMs themselves have made."""
SECRET = 32
LARGEST = 1024
"""Bytes of a public area."""
TOOLS = bytes.fromhex("badcc0de00000001")
"""How tpm2-tools begin a file with a credential."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """For the machine: `credential` (TPMS_ID_OBJECT) and `sealed` (the seed, to the endorsement key). secret: ours."""

    credential: bytes
    sealed: bytes
    secret: Secret
    key: str
    """The attestation key as a policy lists it: base64 of SubjectPublicKeyInfo."""
    name: bytes = field(repr=False)

    def file(self) -> bytes:
        """What `tpm2_activatecredential -i` reads."""
        return TOOLS + s.sized(self.credential) + s.sized(self.sealed)

    def proven(self, answer: bytes) -> str:
        """The attestation key, for `tpm.ak`, if the machine sent the secret back. Raises Refused."""
        if not hmac.compare_digest(answer, self.secret.expose()):
            what = "the answer is not the secret: the key is not in the TPM with that endorsement key"
            raise Refused(what, where="activation", hint="make a new challenge; an answer fits one challenge alone")
        return self.key


def listed(area: bytes) -> str:
    """The key of a public area as a policy lists it: base64 of SubjectPublicKeyInfo. Raises Refused: no such area."""
    return _listed(_public(area, "public area").key)


def challenge(
    endorsement: bytes, attestation: bytes, trusted: Sequence[str], draw: Callable[[int], bytes] = system
) -> Challenge:
    """A challenge for a machine that sent these public areas (TPM2B_PUBLIC or TPMT_PUBLIC).

    trusted: base64 of SubjectPublicKeyInfo of the endorsement keys whose TPMs the owner trusts; draw: secret
    randomness. Raises Refused: another endorsement key, keys that are not of the kind they must be.
    """
    ek, ak = _public(endorsement, "endorsement key"), _public(attestation, "attestation key")
    if _listed(ek.key) not in trusted:
        what = f"is not among {len(trusted)} trusted endorsement keys"
        raise Refused(what, where="endorsement key", hint="compare it with the vendor's certificate of this TPM first")
    key = ek.key
    storage = ek.attributes & BOUND == BOUND and ek.attributes & (DECRYPT | SIGN) == DECRYPT
    if not storage or not isinstance(key, rsa.RSAPublicKey) or ek.symmetric != (s.AES, 128, s.CFB):
        raise Refused(
            "is not RSA for storage with AES-128 in CFB", where="endorsement key", hint="take the template L-1"
        )
    if ak.attributes & BOUND != BOUND or ak.attributes & (DECRYPT | SIGN) != SIGN:
        hint = "create it with tpm2_createak"
        raise Refused("may leave its TPM, or signs what is not the TPM's own", where="attestation key", hint=hint)
    if ak.scheme not in (s.RSASSA, s.RSAPSS, s.ECDSA) or ak.hash not in s.HASHES:
        raise Refused("does not sign with SHA-256 or SHA-384", where="attestation key", hint="tpm2_createak -g sha256")
    secret = Secret(draw(SECRET))
    digest = s.HASHES[ek.named]
    seed = draw(digest.digest_size)
    oaep = padding.OAEP(padding.MGF1(digest), digest, b"IDENTITY\0")
    return Challenge(
        _protected(secret, seed, ak.name, digest), key.encrypt(seed, oaep), secret, _listed(ak.key), ak.name
    )


def _protected(secret: Secret, seed: bytes, name: bytes, digest: hashes.HashAlgorithm) -> bytes:
    """TPMS_ID_OBJECT: the secret encrypted to name and seed, and a MAC over both."""
    cipher = Cipher(algorithms.AES(_kdfa(digest, seed, b"STORAGE", name, 128)), CFB(bytes(16))).encryptor()
    identity = cipher.update(s.sized(secret.expose())) + cipher.finalize()
    mac = HMAC(_kdfa(digest, seed, b"INTEGRITY", b"", 8 * digest.digest_size), digest)
    mac.update(identity + name)
    return s.sized(mac.finalize()) + identity


def _kdfa(digest: hashes.HashAlgorithm, key: bytes, label: bytes, context: bytes, bits: int) -> bytes:
    """KDFa of Part 1, 11.4.10.2: that of SP 800-108 in counter mode with HMAC."""
    before = CounterLocation.BeforeFixed
    return KBKDFHMAC(digest, Mode.CounterMode, bits // 8, 4, 4, before, label, context, None).derive(key)


def _public(area: bytes, where: str) -> s.Public:
    if len(area) > LARGEST:
        raise Refused(f"has {len(area)} bytes, more than {LARGEST}", where=where)
    size = int.from_bytes(area[:2], "big")
    try:
        return s.public(area[2:] if size == len(area) - 2 else area, where)
    except Fault as fault:
        raise Refused(str(fault), where="activation", hint="send the public area that the TPM wrote") from None


def _listed(key: s.Key) -> str:
    return base64.b64encode(s.der(key)).decode()
