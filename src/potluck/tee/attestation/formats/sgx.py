"""Evidence of Intel SGX: a quote of an enclave, version 3 (Intel SGX ECDSA Quote Library Reference, A.4), with its
collateral.

The signatures are verified twice, by `quotes` and by dcap-qvl; measurement, signer, product, version, report data and
the TCB's status are judged here. A debugged enclave is refused without a look at its TCB.

It does not promise that an enclave leaks nothing by its timing, nor that a machine is in nobody's hands (WireTap).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from potluck.tee.attestation.evidence import Asked, Evidence
from potluck.tee.attestation.formats import collateral, compare, quotes
from potluck.tee.attestation.policy import Policy, Sgx
from potluck.tee.attestation.verdict import Claim, Code, Reason, Unchecked

INITIALISED, DEBUG = 1, 2


@dataclass(frozen=True, slots=True)
class Facts:
    """An enclave whose quote's signatures hold. tcb: None where no collateral was looked at, since it is debugged."""

    attributes: bytes
    mrenclave: bytes
    mrsigner: bytes
    prod_id: int
    svn: int
    report_data: bytes
    tcb: collateral.Tcb | None

    @property
    def debugged(self) -> bool:
        """Whether its host may read and write it."""
        return bool(self.attributes[0] & DEBUG) or not self.attributes[0] & INITIALISED


def read(evidence: Evidence, asked: Asked) -> Facts:
    """The facts of a quote. Raises Fault: malformed, a signature, a chain, the collateral, a TCB that is not known."""
    quote = quotes.layout(evidence.raw, "sgx")
    platform = quotes.verified(quote, asked)
    body = quote.body
    debugged = body[48] & DEBUG or not body[48] & INITIALISED
    tcb = None if debugged else collateral.appraise(quote, evidence.endorsements, platform, asked, odd=False)
    numbers = int.from_bytes(body[256:258], "little"), int.from_bytes(body[258:260], "little")
    return Facts(body[48:64], body[64:96], body[128:160], *numbers, body[320:384], tcb)


def judge(facts: Facts, policy: Policy, asked: Asked) -> Iterator[Reason | Unchecked]:
    """Every reason that a policy has against an enclave."""
    table = policy.sgx
    if facts.debugged:
        yield Reason(Code.DEBUG, "sgx.attributes", "say that the host may read and write the enclave")
    yield from (Unchecked(path) for path in _missing(table))
    hint = "if you rebuilt the enclave, list its new value"
    yield from compare.among("sgx.mrenclave", facts.mrenclave, table.mrenclave, Code.MEASUREMENT, hint)
    yield from compare.among("sgx.mrsigner", facts.mrsigner, table.mrsigner, Code.MEASUREMENT)
    if table.prod_id is not None and facts.prod_id != table.prod_id:
        yield Reason(Code.PRODUCT_ID, "sgx.prod_id", f"is {facts.prod_id}, not {table.prod_id}")
    if table.min_svn is not None and facts.svn < table.min_svn:
        yield Reason(Code.SVN, "sgx.min_svn", f"is {facts.svn}, less than {table.min_svn}")
    yield from compare.fresh("sgx", facts.report_data, asked)
    yield from collateral.standing("sgx", facts.tcb, table, asked.now)


def _missing(table: Sgx) -> Iterator[str]:
    """What must be listed: the enclave itself, or else a signer with product and version."""
    if table.mrenclave is None and table.mrsigner is None:
        yield "sgx.mrenclave"
    elif table.mrenclave is None:
        yield from (f"sgx.{name}" for name in ("prod_id", "min_svn") if getattr(table, name) is None)


def claims(facts: Facts) -> dict[str, Claim]:
    """What an enclave says of itself, and its platform's TCB: hex, numbers and words."""
    head: dict[str, Claim] = {"debug": facts.debugged, "mrenclave": facts.mrenclave.hex()}
    head |= {"mrsigner": facts.mrsigner.hex(), "prod_id": facts.prod_id, "svn": facts.svn}
    head |= {"attributes": facts.attributes.hex(), "report_data": facts.report_data.hex()}
    return head | collateral.stated(facts.tcb)
