"""Evidence of an NVIDIA GPU in confidential mode: the measurements it signed, asked for over SPDM 1.1 (DMTF DSP0274,
10.11), as NVIDIA's driver hands them out: GET_MEASUREMENTS and the answer to it, one behind the other, as hex text.

The first endorsement that is no authority's certificate is the GPU's; its chain leads to NVIDIA's root of devices.
NVIDIA's reference values (RIM files) are not compared: they are other files, signed apart. What a policy lists instead
is one number for all of what was measured, the **measurement**: SHA-384 of the measurement record as it stands in the
answer, all blocks with their heads, in their order, which is the hash that the blocks themselves are made with. It
changes with the driver, the VBIOS and the model; take it from a GPU that NVIDIA's own verifier has looked at.

A nonce of 32 bytes is all that a GPU binds: report data cannot be in it. It does not say which machine the GPU is in;
evidence of the machine must come beside it.
"""

import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from cryptography import x509

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import chains, compare
from potluck.tee.attestation.formats.cursor import Cursor
from potluck.tee.attestation.policy import Policy, unsaid
from potluck.tee.attestation.verdict import Claim, Code, Fault, Reason, Unchecked

ROOT_PIN = "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48"
"""SHA-256 of the DER of the NVIDIA Device Identity CA."""
LONGEST = 16 << 10
"""Bytes of a report; its text has twice as many letters."""
REQUEST, ANSWER = b"\x11\xe0", b"\x11\x60"
"""Version 1.1: GET_MEASUREMENTS and MEASUREMENTS."""
SIGNED, ALL = 1, 0xFF
"""What is asked for: a signature, and every measurement there is."""
NONCE, SIGNATURE = 32, 96
DMTF = 1
"""How a block is written down; there is one way."""
FWID = ("2.23.133.5.4.1", "2.23.133.5.4.1.1")
"""Extensions in which a certificate names the firmware that has its key (TCG DICE); GPUs use either."""
DEVICE = "1.3.6.1.4.1.412.274.1"
"""DMTF's other name of a device: maker, product and serial number."""
DRIVER, VBIOS, FIRMWARE = 3, 6, 20
"""Numbers of fields in NVIDIA's part of the answer."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a GPU signed. record: all blocks as they stand; blocks: index -> value; fields: number -> bytes.

    device: what its certificate calls it, or None.
    """

    nonce: bytes
    record: bytes = field(repr=False)
    blocks: Mapping[int, bytes] = field(repr=False)
    fields: Mapping[int, bytes] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    device: str | None = None

    @property
    def measurement(self) -> bytes:
        """SHA-384 of the record: what a policy lists."""
        return hashlib.sha384(self.record).digest()


def read(evidence: Evidence, asked: Asked) -> Report:
    """The report, if signature and chain hold. Raises Fault: malformed, a signature, a chain, another firmware."""
    path = "nvidia-gpu.certificates"
    found = _report(_unhexed(evidence.raw))
    bag = chains.read(evidence.endorsements, path)
    if not bag.certificates:
        raise Fault(Code.ENDORSEMENT, path, "are missing", "give the GPU's chain of certificates as an endorsement")
    leaf = next((one for one in bag.certificates if not one.ca), None)
    if leaf is None:
        raise Fault(Code.CHAIN, path, "are of authorities only: none is a GPU's")
    if not compare.signed(leaf.key, found.signature, found.signed):
        raise Fault(Code.SIGNATURE, "nvidia-gpu.report", "is not signed by the GPU's certificate")
    chains.chain(leaf, bag, chains.trust({ROOT_PIN}, asked, "nvidia-gpu"), asked.now, path)
    firmware = found.fields.get(FIRMWARE)
    if firmware is not None and not _names(leaf, firmware):
        raise Fault(Code.TCB_OTHER, path, "are for another firmware than the report's")
    return Report(found.nonce, found.record, found.blocks, found.fields, found.signed, found.signature, _device(leaf))


def _unhexed(text: bytes) -> bytes:
    """Bytes of a report that is hex, with white space around it at most."""
    if len(text) > 2 * LONGEST + 2:
        raise Fault(Code.MALFORMED, "nvidia-gpu.report", f"has {len(text)} letters, more than {2 * LONGEST}")
    try:
        return binascii.unhexlify(text.strip())
    except binascii.Error:
        raise Fault(Code.MALFORMED, "nvidia-gpu.report", "is not hex") from None


def _report(raw: bytes) -> Report:
    """Request and answer in their parts, none believed yet. Raises Fault: malformed."""
    cursor = Cursor(raw, "nvidia-gpu.report", "little")
    if cursor.take(2) != REQUEST or cursor.number(1) != SIGNED or cursor.number(1) != ALL:
        raise _unfit("does not begin with the question for all measurements, signed, of SPDM 1.1")
    nonce, slot = cursor.take(NONCE), cursor.number(1)
    if cursor.take(2) != ANSWER:
        raise _unfit("has no answer of SPDM 1.1 behind the question")
    _, answered = cursor.number(1), cursor.number(1)
    if slot & 15 != answered & 15:
        raise _unfit(f"is signed with the key of slot {answered & 15}, asked for was {slot & 15}")
    number, size = cursor.number(1), cursor.number(3)
    record = cursor.take(size)
    cursor.take(NONCE)  # the GPU's own
    fields = _fields(cursor.take(cursor.number(2)))
    signed, signature = raw[: cursor.at], cursor.take(SIGNATURE)
    cursor.end()
    return Report(nonce, record, _blocks(record, number), fields, signed, signature)


def _blocks(record: bytes, number: int) -> dict[int, bytes]:
    """Index -> value of every block. Raises Fault: malformed, none, an index twice."""
    cursor, found = Cursor(record, "nvidia-gpu.measurements", "little"), dict[int, bytes]()
    for _ in range(number):
        index, how, size = cursor.number(1), cursor.number(1), cursor.number(2)
        block = Cursor(cursor.take(size), cursor.path, "little")
        block.number(1)  # what was measured, and whether it is a hash
        found[index] = block.take(block.number(2))
        if how != DMTF or block.rest():
            raise _unfit("has a measurement that is not written as DMTF does")
    if cursor.rest() or not found or len(found) != number:
        raise _unfit(f"has other measurements than the {number} that it says, or one twice")
    return found


def _fields(data: bytes) -> dict[int, bytes]:
    cursor, found = Cursor(data, "nvidia-gpu.report", "little"), dict[int, bytes]()
    while cursor.rest():
        number = cursor.number(2)
        if number in found:
            raise _unfit(f"has its field {number} twice")
        found[number] = cursor.take(cursor.number(2))
    return found


def _names(leaf: chains.Certificate, firmware: bytes) -> bool:
    """Whether the certificate's key is that firmware's: the hash is in it as an octet string (DER)."""
    wanted = bytes([4, len(firmware)]) + firmware if 0 < len(firmware) < 128 else None
    held = [found for oid in FWID if (found := leaf.extension(oid)) is not None]
    return wanted is not None and any(wanted in one for one in held)


def _device(leaf: chains.Certificate) -> str | None:
    for extension in leaf.parsed.extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            continue
        for name in extension.value.get_values_for_type(x509.OtherName):
            if name.type_id.dotted_string == DEVICE and name.value[:1] == b"\x0c":
                return _text(name.value[2:])
    return None


def _text(data: bytes) -> str:
    """Bytes as a message may show them."""
    return ascii(data.split(b"\0")[0][:64].decode("ascii", "replace"))[1:-1]


def _unfit(what: str) -> Fault:
    return Fault(Code.MALFORMED, "nvidia-gpu.report", what)


def judge(report: Report, policy: Policy, asked: Asked) -> Iterator[Reason | Unchecked]:
    """Every reason that a policy has against a GPU."""
    allowed = policy.nvidia_gpu.measurements
    yield from (Unchecked(f"nvidia-gpu.{key}") for key in unsaid("nvidia-gpu", policy.nvidia_gpu))
    hint = "after a new driver or VBIOS, list the new value"
    yield from compare.among("nvidia-gpu.measurements", report.measurement, allowed, Code.MEASUREMENT, hint)
    if asked.nonce is None and asked.report_data is None:
        yield Unchecked("nvidia-gpu.nonce")
    yield from compare.equal("nvidia-gpu.nonce", report.nonce, asked.nonce, Code.NONCE)
    yield from compare.equal("nvidia-gpu.report_data", None, asked.report_data, Code.REPORT_DATA)


def claims(report: Report) -> dict[str, Claim]:
    """What a GPU says of itself. measurement: SHA-384 of the record, as a policy lists it; measurements: the blocks'
    own values by index, hex, those of zeros left out; reference values: that NVIDIA's were not compared.
    """
    blocks = {str(index): value.hex() for index, value in sorted(report.blocks.items()) if any(value)}
    head: dict[str, Claim] = {"measurement": report.measurement.hex(), "measurements": blocks}
    head |= {"nonce": report.nonce.hex(), "device": report.device, "reference_values": "not compared"}
    driver, vbios, firmware = (report.fields.get(number) for number in (DRIVER, VBIOS, FIRMWARE))
    head |= {"driver": None if driver is None else _text(driver), "vbios": None if vbios is None else _version(vbios)}
    return head | {"firmware_id": None if firmware is None else firmware.hex()}


def _version(data: bytes) -> str:
    """A VBIOS version as NVIDIA's tools print it: the first half backwards, then the next byte."""
    half = len(data) // 2
    return ".".join(f"{one:02X}" for one in (*reversed(data[:half]), *data[half : half + 1]))
