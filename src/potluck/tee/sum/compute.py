"""What the enclave does, and all that it does: make keys, say what it is, take parcels, open one sum a step.

It believes nothing of its host. Parcels count if a key of the round's own roster signed them over this very enclave's
key; a sum opens over a cohort at least, after a cohort of its givers signed the set; a step opens once. It holds no
state that outlives it: owners hold round numbers, survivor sets and budgets, so that nobody gains by starting it again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from potluck.core.party import Draw, Party, Role
from potluck.core.rounds import Abort, Cause, Rule, Words
from potluck.core.wire import Giver, ascending, dump, load, pack, unpack
from potluck.secret.box import SEED, BoxKey
from potluck.secret.container import Secret
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.stream import Keystream, derive, digest
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.binding import Keys, Spec, report_data, session
from potluck.tee.attestation.evidence import Evidence
from potluck.tee.sum import messages as m
from potluck.tee.sum.rules import joined

HOST = Party(Role.SERVER, "host")


@dataclass(slots=True)
class _Round:
    """One sum. shown: hash of the evidence shown to each site; taken: parcels opened, by site."""

    spec: Spec
    session: bytes
    roster: Roster
    shown: dict[int, bytes] = field(default_factory=dict)
    taken: dict[int, tuple[Giver, Words]] = field(default_factory=dict)
    givers: tuple[Giver, ...] = ()


Sample = Callable[[float, int, Draw], NDArray[np.int64]]
"""(sigma, size, draw) -> exact samples of the discrete Gaussian [size]."""


class SumEnclave:
    """One enclave from boot to end. attest: 64 bytes of report data -> evidence; workload: digest of its code."""

    def __init__(self, draw: Draw, attest: Callable[[bytes], Evidence], workload: bytes, sample: Sample) -> None:
        self._box = BoxKey(Secret(draw(SEED)))
        self._sign = SigningKey(Secret(draw(32)))
        self._noise = Secret(draw(32))
        self._sample = sample
        self._attest = attest
        self.workload = workload
        self.keys = Keys(self._box.public, self._sign.public)
        self._rounds: set[tuple[str, int]] = set()
        self._opened: dict[str, bytes] = {}
        self._now: _Round | None = None

    def begin(self, body: bytes) -> None:
        """Take on a round; what is unfinished is given up. Raises Abort: MALFORMED; REPLAY, a used number."""
        spec = load(body, Spec, HOST)
        if (spec.run, spec.number) in self._rounds:
            raise Abort(Cause.REPLAY, party=HOST, detail="a round's number is used once")
        sites = [one.site for one in spec.members]
        if len(set(sites)) != len(sites) or not 2 <= spec.fewest <= len(sites) or spec.length < 0:
            raise Abort(Cause.TERMS, party=HOST, detail="no round that hides anybody")
        noised = sum(one.size for one in spec.noise)
        if spec.noise and noised != spec.length:
            raise Abort(Cause.TERMS, party=HOST, detail="noise for another vector")
        try:
            roster = Roster({_party(index): one.key for index, one in enumerate(spec.members)})
        except ValueError:
            raise Abort(Cause.KEYS, party=HOST, detail="a member's key is malformed") from None
        self._rounds.add((spec.run, spec.number))
        self._now = _Round(spec, session(spec), roster)

    def show(self, site: int, body: bytes) -> bytes:
        """Evidence for one owner's nonce. Raises Abort: MALFORMED, SIGNATURE, REPLAY."""
        now, asked = self._current(), load(body, a.Nonce, HOST)
        name = self._name(now, site)
        statement = a.nonce_statement(now.session, name, asked.nonce, asked.policy)
        now.roster.verify(_party(site), statement, asked.signature)
        if site in now.shown:
            raise Abort(Cause.REPLAY, party=HOST, detail="a site is shown evidence once a round")
        bound = report_data(asked.nonce, self.keys, self.workload, now.session, asked.policy)
        evidence = self._attest(bound)
        shown = a.Shown(self.keys.box, self.keys.sign, evidence.format, evidence.raw, evidence.endorsements)
        now.shown[site] = digest(a.evidence_hash(shown), asked.policy)
        return dump(shown)

    def take(self, body: bytes) -> None:
        """One owner's parcel. Raises Abort: MALFORMED, SIGNATURE, BOX, EVIDENCE, REPLAY."""
        now, parcel = self._current(), load(body, m.Parcel, HOST)
        name, sealed = self._name(now, parcel.site), parcel.input.sealed
        hashed = digest(sealed)
        statement = m.input_statement(now.session, name, self.keys.sign, hashed)
        now.roster.verify(_party(parcel.site), statement, parcel.input.signature)
        if now.shown.get(parcel.site) != digest(parcel.evidence, parcel.policy):
            raise Abort(Cause.EVIDENCE, party=HOST, detail="sealed under evidence that this enclave did not show")
        if parcel.site in now.taken or now.givers:
            raise Abort(Cause.REPLAY, party=HOST, detail="one parcel a site, before the givers are said")
        info = m.parcel_info(now.session, name, parcel.evidence, parcel.policy)
        words = unpack(self._box.unseal(sealed, info), now.spec.length, now.spec.bits, HOST)
        now.taken[parcel.site] = Giver(parcel.site, hashed, parcel.input.signature), words

    def survivors(self) -> bytes:
        """Whose parcels are in, signed; from now on none is taken. Raises Abort(COHORT): too few."""
        now = self._current()
        if len(now.taken) < now.spec.fewest:
            raise Abort(Cause.COHORT, party=HOST, detail=f"{len(now.taken)} parcels, {now.spec.fewest} needed")
        now.givers = now.givers or tuple(now.taken[site][0] for site in sorted(now.taken))
        statement = m.survivors_statement(now.session, self.keys.sign, now.givers)
        return dump(m.Survivors(now.givers, self._sign.sign(statement)))

    def open(self, body: bytes) -> tuple[bytes, bytes]:
        """The joined words and this enclave's signature, once a cohort of the givers confirmed the set.

        Raises Abort: MALFORMED, SIGNATURE; COHORT, too few; REPLAY, the step was opened over other givers.
        """
        now, signers = self._current(), load(body, m.Signers, HOST).signers
        statement = m.survivors_statement(now.session, self.keys.sign, now.givers)
        listed = ascending(tuple(one.site for one in signers), len(now.spec.members), HOST)
        if not now.givers or not listed <= {giver.site for giver in now.givers} or len(listed) < now.spec.fewest:
            raise Abort(Cause.COHORT, party=HOST, detail=f"{len(listed)} confirmations, {now.spec.fewest} needed")
        for one in signers:
            now.roster.verify(_party(one.site), statement, one.signature)
        names = digest(*(now.spec.members[giver.site].site for giver in now.givers))
        if self._opened.setdefault(now.spec.once, names) != names:
            raise Abort(Cause.REPLAY, party=HOST, detail="a step opens over one set of givers")
        words = bytes(pack(self._noised(now.spec, self._joined(now), statement)))
        signed = self._sign.sign(m.output_statement(now.session, self.keys.sign, digest(statement), digest(words)))
        self._now = None
        return words, signed

    def _joined(self, now: _Round) -> Words:
        if now.spec.length == 0:
            return np.zeros(0, "<u4" if now.spec.bits == 32 else "<u8")
        updates = [now.taken[giver.site][1] for giver in now.givers]
        try:
            return joined(Rule(now.spec.rule, now.spec.tally, now.spec.most), updates)
        except ValueError as error:
            raise Abort(Cause.RANGE, party=HOST, detail=str(error)) from None

    def _noised(self, spec: Spec, words: Words, statement: bytes) -> Words:
        """The sum with the noise that it owes, which depends on this boot's secret and on what was confirmed alone: an
        enclave that is put back and asked again adds the same, so that no host averages it away."""
        if not spec.noise:
            return words
        draw = Keystream(derive(self._noise, b"potluck tee noise 1\0" + digest(statement))).read
        noise = np.concatenate([self._sample(one.sigma, one.size, draw) for one in spec.noise])
        return np.asarray(words + noise.astype(words.dtype), words.dtype)

    def _current(self) -> _Round:
        if self._now is None:
            raise Abort(Cause.REPLAY, party=HOST, detail="no round is open")
        return self._now

    def _name(self, now: _Round, site: int) -> bytes:
        if not 0 <= site < len(now.spec.members):
            raise Abort(Cause.MALFORMED, party=HOST, detail="no such site")
        return now.spec.members[site].site


def _party(index: int) -> Party:
    """A member by its index: the enclave knows no other names."""
    return Party(Role.SITE, str(index))


Op = Callable[..., list[bytes]]


def operations(enclave: SumEnclave) -> dict[str, Op]:
    """What a host may ask. Each answers with an empty cause and its result, or with the cause of a refusal alone."""
    return {
        "tee.keys": answering(lambda: (enclave.keys.box, enclave.keys.sign, enclave.workload)),
        "tee.begin": answering(enclave.begin),
        "tee.show": answering(lambda site, body: enclave.show(int.from_bytes(site, "big"), body)),
        "tee.take": answering(enclave.take),
        "tee.survivors": answering(enclave.survivors),
        "tee.open": answering(enclave.open),
    }


def answering(op: Callable[..., bytes | tuple[bytes, ...] | None]) -> Op:
    """A refusal is an answer: hostile bytes must not end the enclave, and with it everybody's round."""

    def answer(state: object, *buffers: bytes) -> list[bytes]:
        try:
            found = op(*buffers)
        except Abort as abort:
            return [abort.cause.value.encode(), abort.detail.encode()]
        return [b"", *(found if isinstance(found, tuple) else [found] if found is not None else [])]

    return answer
