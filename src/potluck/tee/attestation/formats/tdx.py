"""Evidence of Intel TDX: a quote of a trust domain, version 4 or 5 (Intel TDX DCAP Quoting Library API, A.3), with
its collateral.

The signatures are verified twice, by `quotes` and by dcap-qvl; what dcap-qvl does not judge is judged here:
measurements, owner, attributes, report data, the TCB's status and advisories, the age of the collateral.

MRTD covers the virtual firmware alone: without RTMR1 and RTMR2 whatever kernel the host chose would do, so production
demands all three. A debugged domain is refused without a look at its collateral.
It does not promise that a machine is in nobody's hands: physical attacks on memory stand (TEE.fail, 2025).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import collateral, compare, quotes
from potluck.tee.attestation.policy import Policy, unsaid
from potluck.tee.attestation.verdict import Claim, Code, Reason, Unchecked

DEBUG, PROFILED = 1 << 0, 0x70
SERVICES, NO_VE, MIGRATABLE = 1 << 17, 1 << 28, 1 << 29
RESERVED = sum(1 << bit for bit in (*range(1, 4), *range(7, 16), *range(23, 27), *range(32, 62)))
"""TD attributes that must be zero (Intel TDX Module ABI 348551-008, table 3.23)."""
COMPARED = dict.fromkeys(("mrtd", "rtmr0", "rtmr1", "rtmr2", "rtmr3", "mrseam"), Code.MEASUREMENT)
COMPARED |= dict.fromkeys(("mrconfigid", "mrowner"), Code.OWNER) | {"xfam": Code.ATTRIBUTES}
"""Fields that a policy may list, and the code of another value."""
FIELDS = {
    "tee_tcb_svn": (0, 16),
    "mrseam": (16, 48),
    "mrsignerseam": (64, 48),
    "seam_attributes": (112, 8),
    "td_attributes": (120, 8),
    "xfam": (128, 8),
    "mrtd": (136, 48),
    "mrconfigid": (184, 48),
    "mrowner": (232, 48),
    "mrownerconfig": (280, 48),
    "rtmr0": (328, 48),
    "rtmr1": (376, 48),
    "rtmr2": (424, 48),
    "rtmr3": (472, 48),
    "report_data": (520, 64),
}
"""Where in a body of version 1.0 (584 bytes, with which 1.5 and 1.5ex begin) each value is, and its bytes."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A domain whose quote's signatures hold. fields: name -> bytes; tcb: None where `wrong` says enough."""

    version: int
    fields: Mapping[str, bytes]
    wrong: tuple[tuple[Code, str], ...]
    tcb: collateral.Tcb | None


def read(evidence: Evidence, asked: Asked) -> Facts:
    """The facts of a quote. Raises Fault: malformed, a signature, a chain, the collateral, a TCB that is not known."""
    quote = quotes.layout(evidence.raw, "tdx")
    fields = {name: quote.body[at : at + size] for name, (at, size) in FIELDS.items()}
    platform = quotes.verified(quote, asked)
    wrong = tuple(_wrong(int.from_bytes(fields["td_attributes"], "little"), quote.body[quotes.TD10 + 16 : quotes.TD15]))
    debugged = any(code is Code.DEBUG for code, _ in wrong)
    tcb = None if debugged else collateral.appraise(quote, evidence.endorsements, platform, asked, odd=bool(wrong))
    return Facts(quote.version, fields, wrong, tcb)


def _wrong(attributes: int, services: bytes) -> Iterator[tuple[Code, str]]:
    """What no policy allows. services: MRSERVICETD, which a body of version 1.0 does not have."""
    if attributes & DEBUG:
        yield Code.DEBUG, "is set: the host reads and writes the domain"
    if attributes & PROFILED:
        yield Code.DEBUG, "has profiling on: the host counts what the domain does"
    if attributes & MIGRATABLE:
        yield Code.MIGRATION, "allow the domain to be moved"
    if attributes & RESERVED or attributes & SERVICES or any(services):
        yield Code.ATTRIBUTES, "have reserved bits, or service domains bound"
    if not attributes & NO_VE:
        yield Code.ATTRIBUTES, "let the host take pages away unnoticed (SEPT_VE_DISABLE is off)"


def judge(facts: Facts, policy: Policy, asked: Asked) -> Iterator[Reason | Unchecked]:
    """Every reason that a policy has against a domain."""
    table = policy.tdx
    for code, what in facts.wrong:
        yield Reason(code, "tdx.td_attributes", what)
    yield from (Unchecked(f"tdx.{key}") for key in unsaid("tdx", table))
    hint = "if you rebuilt the image, list its new value"
    for name, code in COMPARED.items():
        yield from compare.among(f"tdx.{name}", facts.fields[name], getattr(table, name), code, hint)
    yield from compare.fresh("tdx", facts.fields["report_data"], asked)
    yield from collateral.standing("tdx", facts.tcb, table, asked.now)


def claims(facts: Facts) -> dict[str, Claim]:
    """What a domain says of itself, and its platform's TCB: hex and words."""
    attributes = int.from_bytes(facts.fields["td_attributes"], "little")
    head: dict[str, Claim] = {"version": facts.version, "debug": bool(attributes & DEBUG)}
    return head | {name: value.hex() for name, value in facts.fields.items()} | collateral.stated(facts.tcb)
