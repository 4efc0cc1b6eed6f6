"""What evidence is bound to: 64 bytes that name the enclave's keys, its code, the round, and what an owner asked for.

Reference: the report data of SEV-SNP, TDX and SGX has 64 bytes, hence SHA-512. Who verifies evidence recomputes it
from what it knows itself, and believes a key only if it is in there.
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from potluck.core.rounds import Terms
from potluck.core.wire import Hash, Message, dump

RuleWord = Literal["sum", "median", "trimmed", "krum", "norm"]


class Member(Message, frozen=True):
    """A site as the enclave knows it. site: its statement name; key: its pinned Ed25519 key."""

    site: bytes
    key: Hash


class Noise(Message, frozen=True):
    """Of `size` words in turn, in steps: the sigma of the discrete Gaussian that the enclave adds."""

    size: Annotated[int, msgspec.Meta(ge=0)]
    sigma: Annotated[float, msgspec.Meta(gt=0, le=2.0**48)]


class Spec(Message, frozen=True):
    """One round, as the enclave is told it and as every owner recomputes it.

    digest, once, fewest, length, bits: as in `Terms`; digest covers plan, input model and noise. members: the
    federation's sites, in the plan's order. rule, tally, most: how updates are joined, how many words at the end count
    rows, and how many rows a site may have. noise: what is added to the sum before it leaves, or nothing.
    """

    run: str
    number: int
    digest: Hash
    once: str
    members: tuple[Member, ...]
    fewest: int
    length: int
    bits: Literal[32, 64]
    rule: RuleWord
    tally: int
    most: int
    noise: tuple[Noise, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """An enclave's public keys of one boot. box: HPKE, hybrid; sign: Ed25519."""

    box: bytes
    sign: bytes


def spec(terms: Terms, members: tuple[Member, ...]) -> Spec:
    """The round that these terms say."""
    bits: Literal[32, 64] = 32 if terms.bits == 32 else 64
    rule = terms.rule
    return Spec(
        terms.round.run, terms.round.number, terms.digest, terms.once, members,
        terms.fewest, terms.length, bits, rule.word, rule.tally, rule.most,
        tuple(Noise(size, sigma) for size, sigma in rule.noise),
    )  # fmt: skip


def session(one: Spec) -> bytes:
    """32 bytes that name protocol, round and everything that was agreed for it."""
    return hashlib.sha256(b"potluck tee 1\0" + dump(one)).digest()


def report_data(nonce: bytes, keys: Keys, workload: bytes, round_: bytes, policy: bytes) -> bytes:
    """64 bytes for the hardware to sign.

    nonce: 32 bytes, the owner's, fresh; workload: digest of the enclave's code; round_: the session, which covers
    federation and plan; policy: hash of the owner's policy. No TLS ends in the enclave, so no certificate is bound.
    """
    state = hashlib.sha512(b"potluck/attest/v1\0")
    for part in (nonce, keys.box, keys.sign, b"", workload, round_, policy):
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.digest()
