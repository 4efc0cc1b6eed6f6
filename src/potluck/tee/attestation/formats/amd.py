"""AMD's keys for SEV-SNP: roots, products, how a TCB is laid out, and what a certificate says of chip and TCB.

References: AMD 57230 (VCEK certificate and KDS interface, tables of object identifiers), 58369 (VLEK), 56860 (TCB
version structures). It believes certificates whose chain `chains` has followed, and none before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from potluck.tee.attestation.formats.chains import Bag, Certificate
from potluck.tee.attestation.policy import Product
from potluck.tee.attestation.verdict import Code, Fault

Kind = Literal["vcek", "vlek"]
PINS: dict[str, Product] = {
    "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd": "Milan",
    "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1": "Genoa",
    "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a": "Turin",
}
"""SHA-256 of the DER of ARK-Milan, ARK-Genoa and ARK-Turin, and whose they are."""
NAMES: dict[str, Product] = {name: name for name in get_args(Product)} | {"Bergamo": "Genoa", "Siena": "Genoa"}
"""What certificates call a product, before any hyphen and stepping."""
PROCESSORS: tuple[tuple[int, range, Product], ...] = (
    (0x19, range(0x00, 0x10), "Milan"),
    (0x19, range(0x10, 0x20), "Genoa"),
    (0x19, range(0xA0, 0xB0), "Genoa"),
    (0x1A, range(0x00, 0x12), "Turin"),
)
"""Family and models, as CPUID gives them."""
PARTS = ("bootloader", "tee", "snp", "microcode", "fmc")
OLD = {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7}
TURIN = {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7}
"""Which byte of a TCB version is which part's."""
CHIP_NAME = {"Turin": 8}
"""Bytes of a chip's name, where they are not 64."""
ARC = "1.3.6.1.4.1.3704.1"
VERSIONS = {"bootloader": 1, "tee": 2, "snp": 3, "microcode": 8, "fmc": 9}
INTEGER, OCTETS, IA5 = 0x02, 0x04, 0x16
LENGTH = 3
"""Certificates of a chain: the key's, AMD's for a product, AMD's root for it."""


@dataclass(frozen=True, slots=True)
class About:
    """What AMD certified a key for. chip: its name, of a VCEK alone."""

    kind: Kind
    product: Product
    tcb: Mapping[str, int]
    chip: bytes | None


def processor(family: int, model: int) -> Product | None:
    """The product of a processor."""
    return next((product for known, models, product in PROCESSORS if family == known and model in models), None)


def tcb(version: bytes, product: Product) -> dict[str, int]:
    """The parts of a TCB version (8 bytes), in the order of `PARTS`."""
    layout = TURIN if product == "Turin" else OLD
    return {part: version[layout[part]] for part in PARTS if part in layout}


def leaf(bag: Bag, kind: Kind | None, signs: Callable[[Certificate], bool], path: str) -> Certificate:
    """The key's certificate among all that were given, nobody's authority: of the wanted kind, if there is one.

    signs: whether its key signed the report, by which several are told apart: of a machine whose firmware was updated
    there may be an older one beside. Raises Fault: there is none.
    """
    found = [one for one in bag.certificates if not one.ca and not _authority(one)]
    if not found:
        hint = "give the VCEK or VLEK as an endorsement, with AMD's chain"
        raise Fault(Code.ENDORSEMENT, path, "have none of a signing key", hint)
    wanted = [one for one in found if kind is not None and _kind(one) == kind] or found
    if len(wanted) == 1:
        return wanted[0]
    return next((one for one in wanted if signs(one)), wanted[0])


def about(found: Sequence[Certificate], path: str) -> About:
    """What a chain, leaf to root, certifies. Raises Fault: it is none of AMD's for SEV-SNP, or contradicts itself."""
    first, root = found[0], found[-1]
    kind = _kind(first)
    if len(found) != LENGTH or kind is None:
        raise Fault(Code.CHAIN, path, f"are not those of a signing key ({first.name}), its product and AMD's root")
    name = _text(_extension(first, "2", path), path)
    product = NAMES.get(name.partition("-")[0])
    if product is None:
        raise Fault(Code.PRODUCT_OTHER, path, f"are for the product {name[:20]!r}, which is not known")
    if PINS.get(root.fingerprint, product) != product:
        raise Fault(Code.PRODUCT_OTHER, path, f"are for {product}, under the root of {PINS[root.fingerprint]}")
    layout = TURIN if product == "Turin" else OLD
    parts = {part: _number(_extension(first, f"3.{VERSIONS[part]}", path), path) for part in PARTS if part in layout}
    chip = _chip(_extension(first, "4", path), CHIP_NAME.get(product, 64), path) if kind == "vcek" else None
    return About(kind, product, parts, chip)


def _kind(one: Certificate) -> Kind | None:
    return {"SEV-VCEK": "vcek", "SEV-VLEK": "vlek"}.get(one.name)  # type: ignore[return-value]


def _authority(one: Certificate) -> bool:
    """Whether its name is one of AMD's authorities: a certificate that lost its CA flag is no signing key's."""
    return one.name.startswith(("ARK-", "SEV-")) and _kind(one) is None


def _extension(one: Certificate, number: str, path: str) -> bytes:
    value = one.extension(f"{ARC}.{number}")
    if value is None:
        raise Fault(Code.CHAIN, path, f"have a {one.name} without AMD's extension {ARC}.{number}")
    return value


def _number(value: bytes, path: str) -> int:
    """A version in DER: an INTEGER from 0 to 255."""
    number = int.from_bytes(value[2:], "big")
    if len(value) not in (3, 4) or value[:2] != bytes((INTEGER, len(value) - 2)) or not 0 <= number <= 255:
        raise Fault(Code.CHAIN, path, "have a version that is no number from 0 to 255")
    return number


def _text(value: bytes, path: str) -> str:
    """A name in DER: an IA5String."""
    if len(value) < 3 or value[:2] != bytes((IA5, len(value) - 2)) or not value[2:].isascii():
        raise Fault(Code.CHAIN, path, "have a product's name that is no text")
    return value[2:].decode("ascii")


def _chip(value: bytes, size: int, path: str) -> bytes:
    """A chip's name, as it is or as an OCTET STRING in DER: AMD's certificates have had both."""
    if len(value) == size + 2 and value[:2] == bytes((OCTETS, size)):
        return value[2:]
    if len(value) != size:
        raise Fault(Code.CHAIN, path, f"have a chip's name of {len(value)} bytes, not {size}")
    return value
