"""Attestation: the verdict on evidence under an owner's policy, what a policy demands, and a policy to begin with."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from potluck.api.plan import new_file
from potluck.api.plan.grammar import dotted
from potluck.core.errors import UsageError, reason
from potluck.tee.attestation import demand, verify
from potluck.tee.attestation.demand import Demand
from potluck.tee.attestation.evidence import FORMATS, LARGEST, MOST, Asked, Evidence, Format
from potluck.tee.attestation.policy import KERNEL, MEASURED, REGISTERS, Policy, unsaid
from potluck.tee.attestation.policy_file import TABLES
from potluck.tee.attestation.starter import look, starter
from potluck.tee.attestation.verdict import Code, Verdict

UNSHIELDED = {
    "tpm": "says what was booted and encrypts no memory: the machine's owner can read what runs there",
    "nvidia-gpu": "speaks of a GPU alone: evidence of the machine that it is in must come beside it",
    "simulated": "is no enclave: production accepts none, and its host can read what runs there",
}
"""Formats that no memory of an enclave is kept secret by, and why."""
MANY = 64
"""Files beside evidence that are opened at all; the verifier refuses from far fewer on."""
BYTES = 4096
"""Bytes of a nonce or of report data."""


@dataclass(frozen=True)
class Given:
    """Files and words as the command line has them. at: Unix seconds, None for now; nonce, report_data: hex."""

    format: Format
    evidence: Path
    endorsements: Sequence[Path] = ()
    roots: Sequence[Path] = ()
    at: int | None = None
    nonce: str | None = None
    report_data: str | None = None

    def parts(self) -> Evidence:
        """The evidence. Raises UsageError: a file cannot be read."""
        files = [_bytes(path) for path in self.endorsements[:MANY]]
        return Evidence(self.format, _bytes(self.evidence), tuple(files))

    def asked(self) -> Asked:
        """What it is compared with. Raises UsageError: not hex, a root that cannot be read."""
        now = int(time.time()) if self.at is None else self.at
        roots = [_bytes(path) for path in self.roots[:MOST]] if self.roots else None
        return Asked(now, _hex(self.nonce, "--nonce"), _hex(self.report_data, "--report-data"), roots)


@dataclass(frozen=True)
class Held:
    """A policy in words. text: its file, where it was just made; file: where it is, "" if nowhere."""

    policy: Policy
    hash: str
    file: str
    warnings: list[str] = field(default_factory=list)
    text: str = ""

    def values(self) -> dict[str, object]:
        """Every key in force of the formats that it allows, defaults filled in."""
        tables = msgspec.to_builtins(self.policy)
        return {key: value for key, value in tables.items() if key not in FORMATS or key in self.policy.formats}

    def document(self) -> dict[str, object]:
        """The JSON of `potluck tee policy`."""
        head: dict[str, object] = {"file": self.file or None, "hash": self.hash}
        rest = {"values": self.values(), "warnings": self.warnings}
        return head | rest | ({"text": self.text} if self.text else {})

    def flat(self) -> list[tuple[str, object]]:
        """(dotted key, value) of all that is compared or allowed."""
        return [(key, value) for key, value in dotted(self.values()) if value is not None]


def attested(given: Given, policy: Path) -> Verdict:
    """The verdict on evidence under the policy in a file. Raises UsageError: a file that cannot be read, bad hex, a
    policy that says what is not known.
    """
    held = demand.read(policy)
    return verify.verify(given.parts(), held.policy, given.asked())


def demands(path: Path) -> Held:
    """What the policy in a file demands, with warnings where it cannot mean what it says. Raises UsageError."""
    held = demand.read(path)
    return Held(held.policy, _hash(held), str(path.absolute()), _warnings(held.policy))


def begun(given: Given, output: Path | None) -> Held:
    """A policy that demands what evidence claims, written to `output` if named. warnings: why it would refuse even so.

    Raises Refused: the evidence cannot be believed. Raises UsageError: a file cannot be read, or is there already.
    """
    evidence, asked = given.parts(), given.asked()
    seen = look(evidence, asked)
    if not seen.claims:
        seen.require(str(given.evidence))
    text = starter(evidence, seen.claims)
    held = demand.demanded(text, "new policy")
    known = Asked(asked.now, asked.nonce, asked.report_data)
    verdict = verify.verify(evidence, held.policy, known)
    fresh = {Code.NONCE_MISSING}
    warnings = [f"it refuses this evidence all the same: {one}" for one in verdict.reasons if one.code not in fresh]
    if output is not None:
        new_file.create(text, output)
    return Held(held.policy, _hash(held), str(output.absolute()) if output else "", warnings, text)


def _warnings(policy: Policy) -> list[str]:
    """Where a policy accepts nothing, or does not protect."""
    found = [] if policy.formats else ["formats is empty: nothing is accepted"]
    if not policy.production:
        found.append('mode = "development": what the policy does not list is not compared; verdicts are stamped')
    for attribute, name in TABLES.items():
        if name not in policy.formats:
            continue
        table = getattr(policy, attribute)
        empty = [key for key in table.__struct_fields__ if getattr(table, key) == ()]
        found += [f"{name}.{key} is empty: nothing is accepted" for key in empty if key != "deny_advisories"]
        found += [f"{name}.{key} is not listed: {_unlisted(policy, key)}" for key in unsaid(name, table)]
        found += [f"{name} {why}" for named, why in UNSHIELDED.items() if name == named]
        relaxed = [
            key for key in ("allow_debug", "allow_migration") if policy.production and getattr(table, key, False)
        ]
        found += [f"{name}.{key} is refused in production: nothing is accepted" for key in relaxed]
    return found


def _unlisted(policy: Policy, key: str) -> str:
    """What follows from a key that a policy does not say."""
    if policy.production:
        either = f", which goes with others: {REGISTERS}" if key == KERNEL else ""
        zeros = ", and zeros say nothing" if key in MEASURED else ""
        return f"production accepts nothing without it{either}{zeros}"
    return "firmware with known holes would do" if key.startswith("min_tcb") else "any code would do"


def _hash(held: Demand) -> str:
    return f"sha256:{held.hash.hex()}"


def _bytes(path: Path) -> bytes:
    """A file's first bytes: one more than evidence may have, so that a longer one is refused and never held whole."""
    try:
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        what = f"cannot be read ({reason(error)})"
        raise UsageError(what, where=str(path), hint="give a file of evidence or of a certificate") from None


def _hex(text: str | None, option: str) -> bytes | None:
    if text is None:
        return None
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise UsageError(f"{option} is not hex", hint="an even number of hex digits, as in 00ff") from None
    if not 0 < len(value) <= BYTES:
        raise UsageError(f"{option} has {len(value)} bytes", hint=f"1 to {BYTES}")
    return value
