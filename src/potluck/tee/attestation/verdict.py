"""What a verifier says: accepted or not, every reason why not, what the evidence claims, and what nobody asked.

Reasons have closed codes. A cryptographic failure ends the look at evidence, since nothing in it can be believed;
failures of policy are reported all together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from potluck.core.errors import Refused

Claim = str | int | bool | None | tuple[str, ...] | Mapping[str, "Claim"]


class Code(StrEnum):
    """Why evidence is refused."""

    MALFORMED = "malformed"  # not the format, or beyond its bounds
    FORMAT = "format_not_allowed"
    SIGNATURE = "signature_invalid"
    ALGORITHM = "algorithm_not_allowed"
    CHAIN = "chain_invalid"
    EXPIRED = "certificate_expired"  # or not valid yet
    REVOKED = "certificate_revoked"
    ROOT = "root_not_trusted"
    ENDORSEMENT = "endorsement_missing"
    COLLATERAL = "collateral_missing"
    COLLATERAL_EXPIRED = "collateral_expired"
    COLLATERAL_SIGNATURE = "collateral_signature_invalid"
    COLLATERAL_OTHER = "collateral_mismatch"
    QE_REPORT = "qe_report_mismatch"
    NONCE = "nonce_mismatch"
    NONCE_MISSING = "nonce_missing"  # production compares a nonce or report data, and was given none
    REPORT_DATA = "report_data_mismatch"
    AGE = "evidence_too_old"
    MEASUREMENT = "measurement_not_allowed"
    MEASUREMENT_MISSING = "measurement_list_missing"  # production compares a measurement, and the policy lists none
    TCB_MISSING = "min_tcb_missing"  # production compares a platform's versions, and the policy does not say the least
    DEBUG = "debug_enabled"
    MIGRATION = "migration_allowed"
    ATTRIBUTES = "attributes_not_allowed"  # a domain that its host may bend by other means
    VMPL = "vmpl_not_allowed"
    PRODUCT = "product_not_allowed"
    PRODUCT_OTHER = "product_mismatch"  # the certificate is another product's
    CHIP = "chip_id_not_allowed"
    CHIP_OTHER = "chip_id_mismatch"  # the certificate is another chip's
    SIGNING_KEY = "signing_key_not_allowed"
    TCB = "tcb_too_old"
    TCB_OTHER = "tcb_mismatch"  # the certificate is for another TCB
    TCB_ROLLBACK = "tcb_rollback_possible"
    TCB_STATUS = "tcb_status_not_allowed"
    TCB_UNKNOWN = "tcb_not_recognised"
    ADVISORY = "advisory_not_allowed"
    HOST_DATA = "host_data_not_allowed"
    ID_KEY = "id_key_not_allowed"
    OWNER = "owner_not_allowed"  # MROWNER, MRCONFIGID
    PRODUCT_ID = "prod_id_not_allowed"
    SVN = "svn_too_old"
    AK = "ak_not_trusted"
    PCR = "pcr_not_allowed"
    PCR_DIGEST = "pcr_digest_mismatch"
    PCR_SELECTION = "pcr_not_quoted"
    RELAXED = "relaxation_in_production"
    SIMULATED = "simulated"


@dataclass(frozen=True, slots=True)
class Reason:
    """One failed check. path: the policy key or part of the evidence, as in `snp.measurements`."""

    code: Code
    path: str
    detail: str
    hint: str = ""

    @property
    def said(self) -> str:
        """Code, place and detail, without the hint."""
        return f"{self.code.value}: {self.path} {self.detail}"

    def __str__(self) -> str:
        return f"{self.said}. hint: {self.hint}" if self.hint else self.said


@dataclass(frozen=True, slots=True)
class Unchecked:
    """Something that production would have compared, and that this policy does not say."""

    path: str


def short(value: str) -> str:
    """A long hex value as a message shows it: its first and last letters."""
    return value if len(value) <= 16 else f"{value[:4]}...{value[-4:]}"


class Fault(Exception):
    """Evidence that cannot be believed: the one reason why. Raised by the formats, caught by `verify`."""

    def __init__(self, code: Code, path: str, detail: str, hint: str = "") -> None:
        self.reason = Reason(code, path, detail, hint)
        super().__init__(str(self.reason))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. claims: what the evidence says, empty where it cannot be believed.

    unchecked: what a development policy let go; stamp: words to be printed beside every result that rests on this.
    """

    format: str
    reasons: tuple[Reason, ...] = ()
    claims: Mapping[str, Claim] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()
    stamp: str = ""

    @property
    def accepted(self) -> bool:
        """Whether nothing speaks against it."""
        return not self.reasons

    def require(self, where: str) -> "Verdict":
        """Itself, if accepted. Raises Refused with every reason. where: whose evidence it is."""
        if self.reasons:
            hint = self.reasons[0].hint or "`potluck tee verify` prints all of it"
            raise Refused("; ".join(reason.said for reason in self.reasons), where=where, hint=hint)
        return self

    def document(self) -> dict[str, object]:
        """The JSON of `potluck tee verify`."""
        reasons = [
            {"code": one.code.value, "path": one.path, "detail": one.detail, "hint": one.hint} for one in self.reasons
        ]
        head: dict[str, object] = {"verdict": "accept" if self.accepted else "refuse", "format": self.format}
        rest = {"claims": dict(self.claims), "unchecked": list(self.unchecked)}
        return head | {"reasons": reasons} | rest | ({"stamp": self.stamp} if self.stamp else {})
