"""What Intel says of a platform: whether it is revoked, and how its TCB stands, from collateral given with a quote.

Collateral is one JSON document, as a provisioning certificate caching service gives it (Intel PCS API v4): TCB
information, quoting enclave identity, two revocation lists, and the chains of their issuers. The judgement over it is
dcap-qvl's, asked for claims alone: this house's policy judges them. Where dcap-qvl refuses, the reason is looked for
here, part by part, and not read from its words, which may change.

It fetches nothing: collateral that is old is refused, and where to get new is the owner's business.
"""

import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dcap_qvl
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from potluck.core.schema import readable
from potluck.tee.attestation.evidence import Asked
from potluck.tee.attestation.formats import chains, compare, quotes
from potluck.tee.attestation.policy import Sgx, Tdx
from potluck.tee.attestation.verdict import Claim, Code, Fault, Reason

SIGNED = ("tcb_info", "qe_identity")
IDENTITIES: dict[quotes.Kind, tuple[str, str]] = {"sgx": ("SGX", "QE"), "tdx": ("TDX", "TD_QE")}
"""What TCB information and enclave identity are called."""


class Collateral(msgspec.Struct, frozen=True):
    """The document: chains in PEM, lists and signatures in hex, and two texts that are signed as they stand."""

    pck_crl_issuer_chain: str = ""
    root_ca_crl: str = ""
    pck_crl: str = ""
    tcb_info_issuer_chain: str = ""
    tcb_info: str = ""
    tcb_info_signature: str = ""
    qe_identity_issuer_chain: str = ""
    qe_identity: str = ""
    qe_identity_signature: str = ""


class Signed(msgspec.Struct, frozen=True, rename="camel"):
    """What TCB information and enclave identity have in common, and what tells whose they are."""

    id: str
    issue_date: datetime.datetime
    next_update: datetime.datetime
    fmspc: str = ""
    pce_id: str = ""
    mrsigner: str = ""
    isvprodid: int = 0


class Level(msgspec.Struct, frozen=True):
    """A TCB's advisories, as dcap-qvl has matched them."""

    advisories: tuple[str, ...] = msgspec.field(name="advisoryIDs", default=())


class Result(msgspec.Struct, frozen=True):
    """The TCB's status in dcap-qvl's claims."""

    status: str
    advisory_ids: tuple[str, ...]
    eval_data_number: int


class Platform(msgspec.Struct, frozen=True):
    """What dcap-qvl claims of the machine. pck: its certificate's extension."""

    pck: "Pck"
    tcb_level: Level
    current_tcb_level: Level | None = None


class Pck(msgspec.Struct, frozen=True):
    """A platform's names and flags: bytes as lists of numbers; "True", "False" or "Undefined"."""

    fmspc: tuple[int, ...]
    pce_id: tuple[int, ...]
    ppid: tuple[int, ...]
    dynamic_platform: str
    cached_keys: str
    smt_enabled: str


class Enclave(msgspec.Struct, frozen=True):
    """What dcap-qvl claims of the quoting enclave."""

    tcb_level: Level


class Claimed(msgspec.Struct, frozen=True):
    """The part of dcap-qvl's claims that is used."""

    tcb: Result
    platform: Platform
    qe: Enclave


@dataclass(frozen=True, slots=True)
class Tcb:
    """How a platform stands. issued: when the oldest part of the collateral was made, Unix seconds (the root's list,
    made once a year, does not count); evaluation: Intel's number of the TCB recovery that it is judged by.
    """

    status: str
    advisories: tuple[str, ...]
    issued: int
    evaluation: int
    fmspc: str
    ppid: str
    flags: tuple[str, ...]


def appraise(
    quote: quotes.Quote, parts: Sequence[bytes], platform: Sequence[chains.Certificate], asked: Asked, odd: bool
) -> Tcb | None:
    """The platform's TCB. platform: its certificates, leaf to trusted root, from `quotes.verified`.

    odd: the quote has attributes for which dcap-qvl refuses it at its very end; the answer is None where that is all.

    Raises Fault: collateral that is missing, expired, edited, another platform's, or that revokes the platform; a TCB
    that it does not know.
    """
    path = f"{quote.kind}.collateral"
    given = _given(parts, path)
    texts = {"pck_certificate_chain": _pem(*platform[:-1])}
    for name, found in _signers(given, path, platform[-1]).items():
        texts[f"{name}_issuer_chain"] = _pem(found[0], platform[-1])
    document = json.dumps(msgspec.to_builtins(given) | texts)
    policy = dcap_qvl.QuotePolicy.claims_only(asked.now)
    try:
        wanted = dcap_qvl.QuoteCollateralV3.from_json(document)
        verifier = dcap_qvl.QuoteVerifier(platform[-1].der)
        found = verifier.verify_with_policy(quote.whole, wanted, asked.now, policy).to_json()
    except ValueError as error:
        _blame(quote, given, platform, asked)
        words = ascii(str(error).removeprefix("Verification failed: ")[:200])[1:-1]
        if odd and "TCB" not in words:
            return None
        code = Code.TCB_STATUS if "Revoked" in words else Code.TCB_UNKNOWN
        raise Fault(code, f"{quote.kind}.tcb", f"is not one that the collateral vouches for: {words}") from None
    claimed = msgspec.json.decode(found, type=readable(Claimed))
    info = _signed(given.tcb_info, path)
    if bytes(claimed.platform.pck.pce_id).hex() != info.pce_id.lower():  # which dcap-qvl does not compare
        raise Fault(Code.COLLATERAL_OTHER, path, f"is for PCE {ascii(info.pce_id)[:20]}, which the platform has not")
    return _tcb(claimed, given, _listed_by(given, asked.now, path), path)


def standing(name: str, tcb: Tcb | None, table: Tdx | Sgx, now: int) -> Iterator[Reason]:
    """A platform's TCB against a policy. now: Unix seconds."""
    if tcb is None:
        return
    if tcb.status not in table.allow_tcb_status:
        what = f"is {tcb.status}, not among {len(table.allow_tcb_status)} allowed"
        advice = f" ({', '.join(tcb.advisories)})" if tcb.advisories else ""
        hint = f"the machine's owner must update it{advice}"
        yield Reason(Code.TCB_STATUS, f"{name}.allow_tcb_status", what, hint)
    yield from compare.among(f"{name}.ppids", bytes.fromhex(tcb.ppid), table.ppids, Code.CHIP)
    denied = {one.upper() for one in table.deny_advisories}
    for one in tcb.advisories:
        if one.upper() in denied:
            yield Reason(Code.ADVISORY, f"{name}.deny_advisories", f"{one} applies to the platform")
    days = table.max_collateral_age_days
    if days is not None and now - tcb.issued > days * 86400:
        what = f"was made on {chains.day(tcb.issued)}, more than {days} days before"
        yield Reason(Code.COLLATERAL_EXPIRED, f"{name}.max_collateral_age_days", what, "fetch a new one")


def stated(tcb: Tcb | None) -> dict[str, Claim]:
    """A platform's TCB in words; no words where no collateral was looked at."""
    if tcb is None:
        return {}
    head: dict[str, Claim] = {"tcb_status": tcb.status, "advisories": tcb.advisories, "fmspc": tcb.fmspc}
    return head | {
        "ppid": tcb.ppid,
        "platform_flags": tcb.flags,
        "collateral_issued": chains.day(tcb.issued),
        "tcb_evaluation": tcb.evaluation,
    }


def _listed_by(given: Collateral, now: int, path: str) -> float:
    """When the platforms' list was made. Raises Fault: a list from the future, which dcap-qvl lets pass."""
    begins = 0.0
    for name in ("root_ca_crl", "pck_crl"):
        begins = _list(getattr(given, name), f"{path}.{name}")[0].begins
        if begins > now:
            raise Fault(
                Code.COLLATERAL_EXPIRED, f"{path}.{name}", f"is from {chains.day(int(begins))}, which is after {now}"
            )
    return begins


def _tcb(claimed: Claimed, given: Collateral, listed: float, path: str) -> Tcb:
    """listed: when the platforms' revocation list was made, Unix seconds."""
    levels = (claimed.platform.tcb_level, claimed.platform.current_tcb_level, claimed.qe.tcb_level)
    more = [name for level in levels if level for name in level.advisories]
    pck = claimed.platform.pck
    named = {"dynamic platform": pck.dynamic_platform, "cached keys": pck.cached_keys, "smt": pck.smt_enabled}
    begins = [_signed(text, path).issue_date.timestamp() for text in (given.tcb_info, given.qe_identity)]
    return Tcb(
        status=claimed.tcb.status,
        advisories=tuple(sorted({*claimed.tcb.advisory_ids, *more})),
        issued=int(min(listed, *begins)),
        evaluation=claimed.tcb.eval_data_number,
        fmspc=bytes(pck.fmspc).hex(),
        ppid=bytes(pck.ppid).hex(),
        flags=tuple(name for name, said in named.items() if said == "True"),
    )


def _given(parts: Sequence[bytes], path: str) -> Collateral:
    """The one JSON document among the endorsements: roots beside it give no trust and are not read."""
    documents = [part for part in parts if part.lstrip()[:1] == b"{"]
    if len(documents) != 1:
        hint = "fetch it from a caching service (PCCS) and give it as an endorsement"
        code = Code.MALFORMED if documents else Code.COLLATERAL
        raise Fault(code, path, f"is given {len(documents)} times, once is needed", hint)
    try:
        given = msgspec.json.decode(documents[0], type=readable(Collateral))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Fault(Code.MALFORMED, path, "is not a JSON document of texts") from None
    for name in given.__struct_fields__:
        if not getattr(given, name):
            raise Fault(Code.COLLATERAL, f"{path}.{name}", "is missing")
    for name in ("tcb_info_signature", "qe_identity_signature"):
        if len(_bytes(getattr(given, name), f"{path}.{name}")) != quotes.SIGNATURE:
            raise Fault(Code.MALFORMED, f"{path}.{name}", f"has not {quotes.SIGNATURE} bytes")
    return given


def _signers(given: Collateral, path: str, root: chains.Certificate) -> dict[str, tuple[chains.Certificate, ...]]:
    """What is signed -> the chain of who signs it, of which dcap-qvl demands no more than that it leads to the root.

    So does every platform's own key: a signer must be no authority, and issued by the root, which issues no platform's.
    """
    read: dict[str, tuple[chains.Certificate, ...]] = {}  # most often both have one chain
    for name in SIGNED:
        where, text = f"{path}.{name}_issuer_chain", getattr(given, f"{name}_issuer_chain")
        found = read[text] = read.get(text) or chains.read([text.encode()], where).certificates
        if not found:
            raise Fault(Code.COLLATERAL, where, "is missing")
        if found[0].ca or found[0].parsed.issuer != root.parsed.subject:
            what = f"begins with {found[0].name}, whom the root did not make a signer of collateral"
            raise Fault(Code.CHAIN, where, what)
    return {name: read[getattr(given, f"{name}_issuer_chain")] for name in SIGNED}


def _blame(quote: quotes.Quote, given: Collateral, platform: Sequence[chains.Certificate], asked: Asked) -> None:
    """Raises Fault for what is wrong with collateral, part by part; returns where it must be the TCB itself."""
    path = f"{quote.kind}.collateral"
    anchors = chains.Trust(frozenset({platform[-1].fingerprint}), (platform[-1],))
    lists = [_list(getattr(given, name), f"{path}.{name}") for name in ("root_ca_crl", "pck_crl")]
    texts = []
    for name, issuers in _signers(given, path, platform[-1]).items():
        where = f"{path}.{name}"
        _in_date(issuers[0], chains.Bag(issuers[1:], lists[0]), anchors, asked.now, where)
        text = getattr(given, name)
        if not compare.signed(issuers[0].key, _bytes(getattr(given, f"{name}_signature"), where), text.encode()):
            raise Fault(Code.COLLATERAL_SIGNATURE, where, "is not signed by its issuer")
        texts.append(_signed(text, where))
    for name, text in zip(SIGNED, texts, strict=True):
        if not text.issue_date.timestamp() <= asked.now <= text.next_update.timestamp():
            span = f"{text.issue_date:%Y-%m-%d} to {text.next_update:%Y-%m-%d}"
            raise Fault(
                Code.COLLATERAL_EXPIRED, f"{path}.{name}", f"is for {span}, not for {asked.now}", "fetch a new one"
            )
    _same_kind(quote, platform[0], texts[0], texts[1])
    if any(one.issuer != platform[0].parsed.issuer for one in lists[1]):
        raise Fault(Code.COLLATERAL_OTHER, f"{path}.pck_crl", "is not of the authority that named the platform")
    _in_date(platform[0], chains.Bag(tuple(platform[1:-1]), lists[0] + lists[1]), anchors, asked.now, path)


def _same_kind(quote: quotes.Quote, leaf: chains.Certificate, info: Signed, identity: Signed) -> None:
    path = f"{quote.kind}.collateral"
    if (info.id, identity.id) != IDENTITIES[quote.kind]:
        what = f"is for {ascii(info.id)[:20]} and {ascii(identity.id)[:20]}, not for {quote.kind}"
        raise Fault(Code.COLLATERAL_OTHER, path, what)
    try:
        family = dcap_qvl.parse_pck_extension_from_pem(_pem(leaf).encode()).fmspc.hex()
    except ValueError:
        raise Fault(Code.CHAIN, f"{quote.kind}.certificates", "have no platform's certificate first") from None
    if family != info.fmspc.lower():
        raise Fault(Code.COLLATERAL_OTHER, path, f"is for the platform family {ascii(info.fmspc)[:20]}, not {family}")
    enclave = (quote.enclave[128:160].hex(), int.from_bytes(quote.enclave[256:258], "little"))
    if enclave != (identity.mrsigner.lower(), identity.isvprodid):
        raise Fault(Code.QE_REPORT, f"{quote.kind}.quote", "is from a quoting enclave that Intel's identity is not of")


def _in_date(leaf: chains.Certificate, bag: chains.Bag, anchors: chains.Trust, now: int, path: str) -> None:
    """A chain of collateral's: a certificate of it that is out of date makes the collateral so."""
    try:
        chains.chain(leaf, bag, anchors, now, path)
    except Fault as fault:
        if fault.reason.code is Code.EXPIRED:
            raise Fault(Code.COLLATERAL_EXPIRED, path, fault.reason.detail, "fetch a new one") from None
        raise


def _signed(text: str, path: str) -> Signed:
    try:
        found = msgspec.json.decode(text.encode(), type=readable(Signed))
    except (msgspec.MsgspecError, RecursionError):
        raise Fault(Code.MALFORMED, path, "has no identity, or no dates") from None
    if found.issue_date.tzinfo is None or found.next_update.tzinfo is None:
        raise Fault(Code.MALFORMED, path, "has dates without a zone")
    return found


def _list(text: str, path: str) -> tuple[chains.Revocations, ...]:
    found = chains.read([_bytes(text, path)], path).lists
    if len(found) != 1:
        raise Fault(Code.MALFORMED, path, "is no revocation list")
    return found


def _bytes(text: str, path: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Fault(Code.MALFORMED, path, "is not hex") from None


def _pem(*certificates: chains.Certificate) -> str:
    return b"".join(one.parsed.public_bytes(Encoding.PEM) for one in certificates).decode()
