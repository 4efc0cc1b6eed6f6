"""TPM quotes with keys of our own: every field as a test wants it, signed as a TPM would."""

import base64
import hashlib
import json
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from potluck.tee.attestation.evidence import Evidence

SHA256, SHA384 = 0x0B, 0x0C
RSASSA, RSAPSS, ECDSA = 0x14, 0x16, 0x18
HASHES = {SHA256: hashes.SHA256(), SHA384: hashes.SHA384()}
VALUES = {number: bytes([number]) * 32 for number in range(24)}


def sized(data):
    return struct.pack(">H", len(data)) + data


def selection(*banks):
    """(bank, registers) each; three bytes of bits."""
    parts = [
        struct.pack(">HB", bank, 3) + sum(1 << one for one in chosen).to_bytes(3, "little") for bank, chosen in banks
    ]
    return struct.pack(">I", len(banks)) + b"".join(parts)


def message(values=VALUES, chosen=range(24), extra=b"fresh", bank=SHA256, digest_hash="sha256", **fields):
    """TPMS_ATTEST; fields override magic, type, signer, selection, said (the digest), safe, tail."""
    state = hashlib.new(digest_hash)
    for number in sorted(chosen):
        state.update(values[number])
    return b"".join(
        (
            struct.pack(">IH", fields.get("magic", 0xFF544347), fields.get("type", 0x8018)),
            sized(fields.get("signer", b"\0\x0b" + bytes(32))),
            sized(extra),
            struct.pack(">QIIB", 1000, 7, 3, fields.get("safe", 1)),
            struct.pack(">Q", 0x2020),
            fields.get("selection", selection((bank, chosen))),
            sized(fields.get("said", state.digest())),
            fields.get("tail", b""),
        )
    )


def signature(key, data, scheme=None, digest=SHA256):
    """TPMT_SIGNATURE."""
    head, algorithm = struct.pack(">HH", scheme or (ECDSA if is_ecc(key) else RSASSA), digest), HASHES[digest]
    if is_ecc(key):
        size = (key.curve.key_size + 7) // 8
        numbers = decode_dss_signature(key.sign(data, ec.ECDSA(algorithm)))
        return head + b"".join(sized(one.to_bytes(size, "big")) for one in numbers)
    pss = padding.PSS(padding.MGF1(algorithm), padding.PSS.DIGEST_LENGTH)
    return head + sized(key.sign(data, pss if scheme == RSAPSS else padding.PKCS1v15(), algorithm))


def is_ecc(key):
    return isinstance(key, ec.EllipticCurvePrivateKey)


def spki(key):
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def coded(data):
    return base64.b64encode(data).decode()


def file(key, data, signed, pcrs, ak=None):
    quote = {"message": coded(data), "signature": coded(signed), "pcrs": pcrs}
    return Evidence("tpm", json.dumps({"ak_public": ak or spki(key), "tpm_quote": quote}).encode())


def whole(values=VALUES, chosen=range(24)):
    return [values[number].hex() if number in chosen else None for number in range(24)]


def made(key, scheme=None, digest=SHA256, pcrs=None, **fields):
    """Evidence of the format `tpm`, good but for what the arguments say."""
    fields.setdefault("digest_hash", HASHES[digest].name)
    data = message(**fields)
    given = whole(fields.get("values", VALUES), fields.get("chosen", range(24))) if pcrs is None else pcrs
    return file(key, data, signature(key, data, scheme, digest), given)


def rsa_key(bits=2048):
    return rsa.generate_private_key(65537, bits)
