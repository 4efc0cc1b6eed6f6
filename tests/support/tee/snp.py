"""SEV-SNP reports of machines that do not exist, under authorities of our own that are built as AMD's are."""

import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from potluck.tee.attestation.evidence import Asked, Evidence
from support.tee.documents import numbers
from support.tee.pki import DAY, NOW, issue, new_key, rsa_key

ARC = "1.3.6.1.4.1.3704.1"
OLD, TURIN = (
    (("bootloader", 0), ("tee", 1), ("snp", 6), ("microcode", 7)),
    (
        ("fmc", 0),
        ("bootloader", 1),
        ("tee", 2),
        ("snp", 3),
        ("microcode", 7),
    ),
)
NUMBERS = {"bootloader": 1, "tee": 2, "snp": 3, "microcode": 8, "fmc": 9}
PROCESSORS = {"Milan": (0x19, 0x01, 1), "Genoa": (0x19, 0x11, 1), "Turin": (0x1A, 0x02, 1)}
TCB = {"bootloader": 7, "tee": 1, "snp": 14, "microcode": 200}
CHIP = bytes(range(1, 65))


@functools.cache
def keys():
    """Of a root and of a product's authority: RSA keys of 4096 bits take a second each."""
    return rsa_key(), rsa_key()


@functools.cache
def leaf_key():
    return new_key()


def tcb(product, **parts):
    """8 bytes of a TCB version."""
    found = bytearray(8)
    values = TCB | ({"fmc": 3} if product == "Turin" else {}) | parts
    for part, at in TURIN if product == "Turin" else OLD:
        found[at] = values[part]
    return bytes(found)


def integer(value):
    return bytes((2, 1, value)) if value < 128 else bytes((2, 2, 0, value))


def text(value):
    return bytes((0x16, len(value))) + value.encode()


class Amd:
    """Root, authority and leaf of a product. kind: vcek or vlek; changes: number of an extension -> its bytes."""

    def __init__(self, product, kind="vcek", *, name=None, changes=None, parts=None, ends=NOW + DAY, wrapped=False):
        self.product, self.kind = product, kind
        root_key, key = keys()
        infix = "VLEK-" if kind == "vlek" else ""
        self.root = issue(f"ARK-{product}", key=root_key, begins=NOW - 9 * DAY, ends=NOW + 9 * DAY)
        self.middle = issue(f"SEV-{infix}{product}", self.root, key=key, below=0)
        values = TCB | ({"fmc": 3} if product == "Turin" else {}) | (parts or {})
        said = {"1": integer(0), "2": text(name or product)} | {
            f"3.{NUMBERS[part]}": integer(value) for part, value in values.items()
        }
        chip = CHIP[:8] if product == "Turin" else CHIP
        said |= {"4": bytes((4, len(chip))) + chip if wrapped else chip} if kind == "vcek" else {"5": text("CN=cloud")}
        said = {number: value for number, value in (said | (changes or {})).items() if value is not None}
        extensions = [
            (x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{ARC}.{number}"), value), False)
            for number, value in said.items()
        ]
        self.leaf = issue(
            f"SEV-{kind.upper()}", self.middle, key=leaf_key(), ca=None, uses=None, extensions=extensions, ends=ends
        )

    def report(self, version=3, **fields):
        """A signed report. fields: offset as `x1a0` -> bytes, or one of the names below."""
        raw = bytearray(1184)
        flags = {"vcek": 0, "vlek": 1}[self.kind] << 2
        family, model, stepping = PROCESSORS[self.product]
        chip = CHIP[:8].ljust(64, b"\0") if self.product == "Turin" else CHIP
        said = {
            "version": (0x000, version, 4),
            "svn": (0x004, 5, 4),
            "policy": (0x008, 0x30000, 8),
            "vmpl": (0x030, 0, 4),
            "algorithm": (0x034, 1, 4),
            "platform": (0x040, 0x25, 8),
            "flags": (0x048, flags, 4),
        }
        for name, (at, value, size) in said.items():
            raw[at : at + size] = fields.pop(name, value).to_bytes(size, "little")
        places = {"data": 0x050, "measurement": 0x090, "host": 0x0C0, "id_key": 0x0E0, "author": 0x110, "chip": 0x1A0}
        places |= {"current": 0x038, "reported": 0x180, "committed": 0x1E0, "launch": 0x1F0, "cpu": 0x188}
        values = {"data": b"\x11" * 64, "measurement": b"\x22" * 48, "host": b"\x33" * 32, "chip": chip}
        values |= {name: tcb(self.product) for name in ("current", "reported", "committed", "launch")}
        values |= {"cpu": bytes((family, model, stepping)) if version > 2 else b""}
        for name, value in (values | fields).items():
            raw[places[name] : places[name] + len(value)] = value
        return self.signed(bytes(raw))

    def signed(self, raw):
        both = numbers(self.leaf.key.sign(raw[:0x2A0], ec.ECDSA(hashes.SHA384())))
        r, s = (both[:48][::-1].ljust(72, b"\0"), both[48:][::-1].ljust(72, b"\0"))
        return raw[:0x2A0] + (r + s).ljust(512, b"\0")

    def evidence(self, raw=None, *more, **fields):
        beside = (self.leaf.der, self.middle.pem + self.root.pem, *more)
        return Evidence("snp", self.report(**fields) if raw is None else raw, beside)

    def asked(self, now=NOW, **more):
        return Asked(now, roots=[self.root.pem], **more)
