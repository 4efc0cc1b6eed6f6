"""What one owner demands of an enclave: its policy, read from its own file, and the hash that evidence is bound to.

Where no policy was written and one process or machine holds all owners, the built-in one believes a simulated enclave
of this very code and nothing else. It protects nothing, and every result that rests on it says so.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.core.errors import Refused, UsageError, reason
from potluck.core.plan import Plan
from potluck.tee.attestation.judge import Judge
from potluck.tee.attestation.policy import Policy
from potluck.tee.attestation.policy_file import parse
from potluck.tee.attestation.workload import workload

LONGEST = 1 << 20
"""Bytes of a policy's file."""
SIMULATED = "no protection: simulated"
TPM = "no protection from the machine's owner: a TPM encrypts no memory"
UNPROTECTED = {"simulated": SIMULATED, "tpm": TPM}
"""Why the host of an enclave can read what is inside, for each word of `protect.enclave` that is not shielded."""
RELAXED = "development policy: not everything was checked"
_FORMATS = {
    "simulated": ("simulated",),
    "tsm": ("snp", "tdx"),
    "nsm": ("nitro",),
    "tpm": ("tpm", "az-snp-vtpm"),
}
"""Which formats an attester may speak."""
_BUILT_IN = """\
# No protection: an enclave that nobody measured, for a rehearsal.
version = 1
mode = "development"
formats = ["simulated"]
[simulated]
measurements = ["{code}"]
"""


@dataclass(frozen=True, slots=True)
class Demand:
    """policy: what is demanded; hash: 32 bytes over its text; where: its file, for messages."""

    policy: Policy
    hash: bytes
    where: str

    def believes(self, enclave: str) -> None:
        """Raises Refused: whatever an attester of this name says, the policy will not believe it."""
        if not set(_FORMATS[enclave]) & set(self.policy.formats):
            what = f'formats holds none that an enclave "{enclave}" speaks ({", ".join(_FORMATS[enclave])})'
            hint = "protect.enclave says who speaks for the server's machine, the policy whom its owner believes"
            raise Refused(what, where=self.where, hint=hint)
        if enclave == "simulated" and self.policy.production:
            hint = 'protect.enclave = "tsm" or "nsm" on a machine that has it; mode = "development" to rehearse'
            raise Refused("a simulated enclave is no enclave to a production policy", where=self.where, hint=hint)

    def of(self, enclave: str) -> Policy:
        """The policy, of the formats that an attester of this name speaks: a host whose machine is to speak for itself
        shows no simulated evidence instead, also where a development policy lists both."""
        spoken = _FORMATS[enclave]
        return msgspec.structs.replace(self.policy, formats=tuple(one for one in self.policy.formats if one in spoken))

    def stamp(self, enclave: str) -> str:
        """What is to be printed beside every result that rests on it; empty where nothing was let go."""
        if enclave == "simulated":
            return SIMULATED
        said = (UNPROTECTED.get(enclave, ""), "" if self.policy.production else RELAXED)
        return "; ".join(one for one in said if one)


def unprotected(plan: Plan) -> str:
    """Why the host of the plan's enclave can read what is inside; empty where it cannot."""
    return UNPROTECTED[plan.protect.enclave] if plan.exposed else ""


def built_in_text() -> str:
    """The built-in policy's file."""
    return _BUILT_IN.format(code=workload().hex())


def built_in() -> Demand:
    """The built-in policy: simulated enclaves of this code alone."""
    return demanded(built_in_text(), "built-in policy")


def demanded(text: str, where: str) -> Demand:
    """What a policy's text demands. Raises UsageError."""
    return Demand(parse(text, where), hashlib.sha256(text.encode()).digest(), where)


def judge_of(enclave: str, demand: Demand | None) -> Judge:
    """What a party judges this attester's evidence with, now and of the code that it runs itself. None: the built-in
    policy. Raises Refused: the demand will never believe it."""
    if demand is not None:
        demand.believes(enclave)
    judged = demand or built_in()
    return Judge(judged.of(enclave), judged.hash, workload(), lambda: int(time.time()))


def read(path: Path) -> Demand:
    """What the policy in a file demands. Raises UsageError: it cannot be read, or says what is not known."""
    try:
        with path.open("rb") as file:
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise UsageError("is too long for a policy", where=str(path), hint=f"at most {LONGEST} bytes")
        return demanded(data.decode(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        hint = "give a policy of attestation: TOML in UTF-8"
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path), hint=hint) from None
