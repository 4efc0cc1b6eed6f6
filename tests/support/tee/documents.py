"""Documents of Nitro enclaves and reports of GPUs, signed under authorities of our own."""

import struct

import cbor2
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from support.tee.pki import NOW, issue

__all__ = ["NOW", "Gpu", "Nitro", "coded", "numbers"]


def coded(value):
    return cbor2.dumps(value)


def numbers(der, size=48):
    """r || s of a signature in DER."""
    return b"".join(one.to_bytes(size, "big") for one in decode_dss_signature(der))


def signature(key, message):
    algorithm = hashes.SHA384() if key.curve.name == "secp384r1" else hashes.SHA256()
    return numbers(key.sign(message, ec.ECDSA(algorithm)), 48 if key.curve.name == "secp384r1" else 32)


class Nitro:
    """A root, an authority below it, and an enclave."""

    def __init__(self):
        self.root = issue("aws.nitro-enclaves")
        self.middle = issue("region", self.root)
        self.leaf = issue("enclave", self.middle, ca=None)

    def payload(self, fields=None, **more):
        """fields: in place of good ones; ... leaves one out."""
        good = {
            "module_id": "i-0123-enc0123",
            "digest": "SHA384",
            "timestamp": NOW * 1000,
            "pcrs": {0: bytes([7] * 48), 1: bytes([8] * 48), 2: bytes(48)},
            "certificate": self.leaf.der,
            "cabundle": [self.root.der, self.middle.der],
            "public_key": None,
            "user_data": None,
            "nonce": b"fresh",
        }
        changed = good | more | (fields or {})
        return coded({name: value for name, value in changed.items() if value is not ...})

    def document(self, fields=None, header=None, unprotected=None, key=None, signature=None, **more):
        protected, payload = coded({1: -35} if header is None else header), self.payload(fields, **more)
        message = coded(["Signature1", protected, b"", payload])
        signed = globals()["signature"](key or self.leaf.key, message) if signature is None else signature
        return coded([protected, {} if unprotected is None else unprotected, payload, signed])


class Gpu:
    """A root, two authorities, and a GPU whose certificate names its firmware."""

    NONCE = bytes(range(32))
    FIRMWARE = bytes([5] * 48)

    def __init__(self, firmware=FIRMWARE, oid="2.23.133.5.4.1"):
        self.root = issue("NVIDIA Device Identity CA")
        self.model = issue("model", self.root)
        self.rom = issue("rom", self.model)
        more = []
        if firmware is not None:
            held = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x30\x32\x04\x30" + firmware + b"\x87\0")
            more.append((held, False))
        name = x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1"), b"\x0c\x09GPU:X:007")
        more.append((x509.SubjectAlternativeName([name]), False))
        self.leaf = issue("gpu", self.rom, ca=None, extensions=more)

    @property
    def chain(self):
        return b"".join(one.pem for one in (self.leaf, self.rom, self.model, self.root))

    def block(self, index, value=bytes([3] * 48), how=1, kind=1):
        return struct.pack("<BBHBH", index, how, len(value) + 3, kind, len(value)) + value

    def report(self, blocks=None, fields=None, key=None, **head):
        """head: parts of request and answer in place of good ones."""
        record = b"".join(blocks if blocks is not None else [self.block(1), self.block(2, bytes(48))])
        given = {3: b"550.90.07\0", 6: b"\0\x9f\0\x96\1\0\0\0", 20: self.FIRMWARE} if fields is None else fields
        pairs = given.items() if isinstance(given, dict) else given
        opaque = b"".join(struct.pack("<HH", number, len(value)) + value for number, value in pairs)
        count = 2 if blocks is None else len(blocks)
        parts = {
            "question": b"\x11\xe0\x01\xff",
            "nonce": self.NONCE,
            "slot": b"\0",
            "answer": b"\x11\x60\0\0",
            "count": bytes([count]),
            "size": len(record).to_bytes(3, "little"),
            "record": record,
            "own": bytes([9] * 32),
            "length": len(opaque).to_bytes(2, "little"),
            "opaque": opaque,
        }
        message = b"".join((parts | head).values())
        return (message + signature(key or self.leaf.key, message)).hex().encode()
