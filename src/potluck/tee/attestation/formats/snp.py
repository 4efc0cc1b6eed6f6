"""Evidence of AMD SEV-SNP: an attestation report, version 2 to 5 (AMD 56860, SEV Secure Nested Paging Firmware ABI,
table "ATTESTATION_REPORT"), with the certificate of the key that signed it (AMD 57230, VCEK; 58369, VLEK).

The key is the chip's (VCEK) or a cloud's on its chips (VLEK). Its certificate says for which product, TCB and chip it
is, and the report must say the same: versions are believed because AMD certified the key for them.

The measurement covers firmware, and kernel, initrd and command line only where the firmware hashes them: a disk must be
bound to these. It does not promise that a machine is in nobody's hands: physical attacks on memory stand (Battering
RAM, 2025). AMD's revocation list counts where it is given.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import amd, chains, compare
from potluck.tee.attestation.policy import Policy, Product, Snp, Tcb, unsaid
from potluck.tee.attestation.verdict import Claim, Code, Fault, Reason, Unchecked

LENGTH, SIGNED, NUMBER = 1184, 0x2A0, 72
"""Bytes of a report, of what is signed of it, and of each of r and s, little-endian."""
VERSIONS = range(2, 6)
P384_SHA384 = 1
P384 = 48
SMT, ONE, MIGRATION, DEBUG = 1 << 16, 1 << 17, 1 << 18, 1 << 19
KNOWN = (1 << 26) - 1
"""Guest policy bits that are understood; bit 17 is always set."""
AUTHOR, MASKED = 1, 2
HOST = 0xFFFFFFFF
KEYS: dict[int, Literal["vcek", "vlek"]] = {0: "vcek", 1: "vlek"}
FIELDS = {
    "family_id": (0x010, 16),
    "image_id": (0x020, 16),
    "report_data": (0x050, 64),
    "measurement": (0x090, 48),
    "host_data": (0x0C0, 32),
    "id_key_digest": (0x0E0, 48),
    "author_key_digest": (0x110, 48),
    "report_id": (0x140, 32),
    "report_id_ma": (0x160, 32),
    "chip_id": (0x1A0, 64),
}
"""Where in a report each value is, and its bytes."""
TCBS = {"current": 0x038, "reported": 0x180, "committed": 0x1E0, "launch": 0x1F0}
PLATFORM = {"smt": 0, "tsme": 1, "ecc": 2, "rapl_disabled": 3, "ciphertext_hiding": 4, "alias_check": 5}
"""Bits of PLATFORM_INFO that are claimed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A guest whose report's signature holds, and whose key AMD certified for what the report says.

    key: which key signed; policy, platform, flags: bit fields; fields: name -> bytes; tcbs: name -> part -> version.
    """

    version: int
    svn: int
    policy: int
    vmpl: int
    platform: int
    flags: int
    product: Product
    key: Literal["vcek", "vlek"]
    fields: Mapping[str, bytes] = field(repr=False)
    tcbs: Mapping[str, Mapping[str, int]]


def read(evidence: Evidence, asked: Asked) -> Facts:
    """The facts of a report. Raises Fault: malformed, a signature, a chain, a certificate for something else."""
    return believed(evidence.raw, evidence.endorsements, asked, "snp")


def believed(raw: bytes, endorsements: Sequence[bytes], asked: Asked, name: str) -> Facts:
    """The same for a report that is part of other evidence. name: the format, as reasons call it."""
    path, place = f"{name}.report", f"{name}.certificates"
    version, flags = _layout(raw, path)
    bag = chains.read(endorsements, place)
    key = KEYS.get(flags >> 2 & 7)
    signature, message = _signature(raw), raw[:SIGNED]
    leaf = amd.leaf(bag, key, lambda one: compare.signed(one.key, signature, message), place)
    found = chains.chain(leaf, bag, chains.trust(amd.PINS, asked, name), asked.now, place)
    if not compare.signed(leaf.key, signature, message):
        raise Fault(Code.SIGNATURE, path, f"is not signed by the key of {leaf.name}")
    about = amd.about(found, place)
    if key is None or flags & MASKED or about.kind != key:
        said = "no key of the chip" if key is None or flags & MASKED else key
        raise Fault(Code.SIGNING_KEY, path, f"says that {said} signed it, and comes with a {about.kind}")
    _same_product(raw, version, about.product, path)
    tcbs = {part: amd.tcb(raw[at : at + 8], about.product) for part, at in TCBS.items()}
    if tcbs["reported"] != about.tcb:
        what = f"reports the TCB {_words(tcbs['reported'])}, and its {key} is for {_words(about.tcb)}"
        raise Fault(Code.TCB_OTHER, path, what, "fetch the certificate for the reported TCB")
    fields = {one: raw[at : at + size] for one, (at, size) in FIELDS.items()}
    _same_chip(fields["chip_id"], about.chip, path)
    svn, policy = struct.unpack_from("<IQ", raw, 4)
    vmpl, platform = _number(raw, 0x030, 4), _number(raw, 0x040, 8)
    return Facts(version, svn, policy, vmpl, platform, flags, about.product, key, fields, tcbs)


def _layout(raw: bytes, path: str) -> tuple[int, int]:
    """Version and key flags, if the report has the form of one. Raises Fault: malformed."""
    if len(raw) != LENGTH:
        raise Fault(Code.MALFORMED, path, f"has {len(raw)} bytes, not {LENGTH}")
    version, algorithm = _number(raw, 0, 4), _number(raw, 0x034, 4)
    if version not in VERSIONS:
        raise Fault(Code.MALFORMED, path, f"has version {version}, not {VERSIONS[0]} to {VERSIONS[-1]}")
    if algorithm != P384_SHA384:
        raise Fault(Code.MALFORMED, path, f"has signature algorithm {algorithm}, not ECDSA on P-384 with SHA-384")
    if any(raw[SIGNED + 2 * NUMBER :]):
        raise Fault(Code.MALFORMED, path, "has bytes behind its signature")
    return version, _number(raw, 0x048, 4)


def _signature(raw: bytes) -> bytes:
    """r || s, big-endian; empty, hence nobody's, where a number is too long for the curve."""
    numbers = (raw[SIGNED : SIGNED + NUMBER], raw[SIGNED + NUMBER : SIGNED + 2 * NUMBER])
    if any(any(one[P384:]) for one in numbers):
        return b""
    return b"".join(one[:P384][::-1] for one in numbers)


def _same_product(raw: bytes, version: int, product: Product, path: str) -> None:
    """From version 3 on, a report says which processor it is from."""
    if version < 3:
        return
    family, model, stepping = raw[0x188:0x18B]
    found = amd.processor(family, model)
    if found != product:
        said = found or "no product that is known"
        what = f"is from family {family:#x}, model {model:#x}, stepping {stepping} ({said}); its certificate, {product}"
        raise Fault(Code.PRODUCT_OTHER, path, what)


def _same_chip(chip: bytes, certified: bytes | None, path: str) -> None:
    """A VCEK is one chip's; a VLEK names none. Turin's names have 8 bytes, and zeros behind them."""
    if certified is not None and chip != certified.ljust(len(chip), b"\0"):
        hint = "" if any(chip) else "the host hides the chip's name (MASK_CHIP_ID)"
        raise Fault(Code.CHIP_OTHER, path, "has another chip's name than its certificate", hint)


def judge(facts: Facts, policy: Policy, asked: Asked) -> Iterator[Reason | Unchecked]:
    """Every reason that a policy has against a guest."""
    yield from standing("snp", facts, policy.snp)
    yield from compare.fresh("snp", facts.fields["report_data"], asked)


def standing(name: str, facts: Facts, table: Snp) -> Iterator[Reason | Unchecked]:
    """The same without report data, which some formats fill themselves. name: the policy's table."""
    yield from (Unchecked(f"{name}.{key}") for key in unsaid(name, table))
    yield from _exposed(name, facts, table)
    if facts.product not in table.products:
        what, hint = f"is {facts.product}, not one of {', '.join(table.products) or 'none'}", ""
        if facts.product == "Milan":
            hint = "Milan must be listed: its endorsement root was extracted in software"
        yield Reason(Code.PRODUCT, f"{name}.products", what, hint)
    if facts.key not in table.signing_key:
        yield Reason(Code.SIGNING_KEY, f"{name}.signing_key", f"is {facts.key}, which is not allowed")
    hint = "if you rebuilt the image, list its new value"
    fields, chips = facts.fields, table.chip_ids
    padded = None if chips is None else tuple(one.ljust(2 * len(fields["chip_id"]), "0") for one in chips)
    yield from compare.among(f"{name}.measurements", fields["measurement"], table.measurements, Code.MEASUREMENT, hint)
    yield from compare.among(f"{name}.chip_ids", fields["chip_id"], padded, Code.CHIP)
    yield from compare.among(f"{name}.host_data", fields["host_data"], table.host_data, Code.HOST_DATA)
    yield from compare.among(f"{name}.id_key_digests", fields["id_key_digest"], table.id_key_digests, Code.ID_KEY)
    author = table.author_key_digests
    yield from compare.among(f"{name}.author_key_digests", fields["author_key_digest"], author, Code.ID_KEY)
    if facts.svn < table.min_guest_svn:
        yield Reason(Code.SVN, f"{name}.min_guest_svn", f"is {facts.svn}, less than {table.min_guest_svn}")
    yield from _aged(f"{name}.min_tcb", facts.tcbs["reported"], table.min_tcb, Code.TCB)
    yield from _aged(f"{name}.min_committed_tcb", facts.tcbs["committed"], table.min_committed_tcb, Code.TCB_ROLLBACK)
    yield from _aged(f"{name}.min_launch_tcb", facts.tcbs["launch"], table.min_launch_tcb, Code.TCB)


def _exposed(name: str, facts: Facts, table: Snp) -> Iterator[Reason]:
    """By what the host, or software beside the guest's own, may get at it."""
    path = f"{name}.policy"
    if facts.policy & DEBUG and not table.allow_debug:
        yield Reason(Code.DEBUG, path, "allows debugging: the host reads and writes the guest")
    if facts.policy & MIGRATION and not table.allow_migration:
        yield Reason(Code.MIGRATION, path, "allows the guest to be moved by a migration agent")
    if not facts.policy & ONE or facts.policy & ~KNOWN:
        yield Reason(Code.ATTRIBUTES, path, f"is {facts.policy:#x}, which has bits that are not understood")
    if facts.vmpl == HOST:
        yield Reason(Code.VMPL, f"{name}.max_vmpl", "is none: the host asked for this report, not the guest")
    elif facts.vmpl > table.max_vmpl:
        yield Reason(Code.VMPL, f"{name}.max_vmpl", f"is {facts.vmpl}, more than {table.max_vmpl}")


def _aged(path: str, found: Mapping[str, int], least: Tcb | None, code: Code) -> Iterator[Reason]:
    """Each part of a TCB that is older than the least; a part that the product does not have is not compared."""
    for part in amd.PARTS:
        wanted = None if least is None else getattr(least, part)
        if wanted is not None and part in found and found[part] < wanted:
            hint = (
                "the machine's owner must update its firmware" if code is Code.TCB else "older firmware may come back"
            )
            yield Reason(code, f"{path}.{part}", f"is {found[part]}, less than {wanted}", hint)


def claims(facts: Facts) -> dict[str, Claim]:
    """What a guest says of itself and of its platform: hex, numbers and words."""
    head: dict[str, Claim] = {"version": facts.version, "product": facts.product, "signing_key": facts.key}
    head |= {"debug": bool(facts.policy & DEBUG), "migration": bool(facts.policy & MIGRATION)}
    head |= {"smt_allowed": bool(facts.policy & SMT), "vmpl": facts.vmpl, "guest_svn": facts.svn}
    head |= {"policy": f"{facts.policy:#x}", "author_key": bool(facts.flags & AUTHOR)}
    platform: dict[str, Claim] = {name: bool(facts.platform >> bit & 1) for name, bit in PLATFORM.items()}
    tcbs: dict[str, Claim] = {f"{name}_tcb": dict(parts) for name, parts in facts.tcbs.items()}
    return head | {name: value.hex() for name, value in facts.fields.items()} | {"platform": platform} | tcbs


def _words(tcb: Mapping[str, int]) -> str:
    return " ".join(f"{part} {version}" for part, version in tcb.items())


def _number(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "little")
