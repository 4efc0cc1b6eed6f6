"""A site that sends nonsense: it drops out, is named, and the others' sum is theirs."""

import pytest
from msgspec.structs import replace as change

from potluck.core.party import SERVER
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Opened
from potluck.core.wire import dump, load
from potluck.secret.box import PublicBoxKey
from potluck.secret.statement import named
from potluck.secret.stream import digest
from potluck.tee.attestation import messages as a
from potluck.tee.attestation.binding import session
from potluck.tee.sum import messages as m
from potluck.tee.sum.site import round_of
from potluck.testing.protection import judged
from support.hostile.tampering import altering
from support.tee.rig import arrays, near, sitting

N = 4


def with_liar(step, lie):
    """One of four lies in one step: lie(seat, session, body) -> body."""

    def altered(seat, to, now, body):
        return lie(seat, session(round_of(sat.terms, seat)), body) if now == step else body

    sat = sitting(arrays(N), 1, enclave=near())
    sat.play = {sat.terms.sites[2]: altering(altered)}
    return sat


def only_the_liar_is_missing(sat, cause):
    desks = sat.run()
    opened = judged(sat, desks)
    assert isinstance(opened, Opened), opened
    assert opened.givers == {one for i, one in enumerate(sat.terms.sites) if i != 2}
    assert desks[SERVER].lost == {sat.terms.sites[2]: cause}


NONCES = {
    "no message": (lambda seat, agreed, body: b"\xc1", Cause.MALFORMED),
    "somebody else's signature": (
        lambda seat, agreed, body: dump(change(load(body, a.Nonce), signature=bytes(64))), Cause.SIGNATURE),
    "another policy than was signed": (
        lambda seat, agreed, body: dump(change(load(body, a.Nonce), policy=bytes(32))), Cause.SIGNATURE),
    "another nonce than was signed": (
        lambda seat, agreed, body: dump(change(load(body, a.Nonce), nonce=bytes(32))), Cause.SIGNATURE),
}  # fmt: skip


@pytest.mark.parametrize("what", NONCES)
def test_a_challenge_that_cannot_be_is_a_drop_out(what):
    lie, cause = NONCES[what]
    only_the_liar_is_missing(with_liar(a.NONCE, lie), cause)


def sealed_anew(plain):
    """Sealed to the enclave and signed as it should be, but with another content."""

    def lie(seat, agreed, body):
        sealed = PublicBoxKey(near()._worker.room.keys.box).seal(plain, b"any info")
        return signed(seat, agreed, sealed)

    return lie


INPUTS = {
    "no message": (lambda seat, agreed, body: b"\x93", Cause.MALFORMED),
    "a flipped bit of the box": (
        lambda seat, agreed, body: dump(change(load(body, m.Input), sealed=flipped(load(body, m.Input).sealed))),
        Cause.SIGNATURE,
    ),
    "a box that does not open, signed": (sealed_anew(bytes(32)), Cause.BOX),
    "no box at all, signed": (
        lambda seat, agreed, body: signed(seat, agreed, b""), Cause.BOX,
    ),
}  # fmt: skip


def flipped(data):
    return data[:-1] + bytes([data[-1] ^ 1])


def signed(seat, agreed, sealed):
    sign = near()._worker.room.keys.sign
    return dump(m.Input(sealed, seat.sign(m.input_statement(agreed, named(seat.party), sign, digest(sealed)))))


@pytest.mark.parametrize("what", INPUTS)
def test_a_parcel_that_cannot_be_is_a_drop_out(what):
    lie, cause = INPUTS[what]
    only_the_liar_is_missing(with_liar(m.INPUT, lie), cause)


def test_a_confirmation_of_another_set_does_not_count_and_the_rest_is_enough():
    sat = with_liar(m.CONFIRM, lambda seat, agreed, body: dump(m.Confirmed(seat.sign(b"another set"))))
    desks = sat.run()
    opened = judged(sat, desks)
    assert isinstance(opened, Opened)
    assert opened.givers == set(sat.terms.sites)
    assert desks[SERVER].lost == {sat.terms.sites[2]: Cause.SIGNATURE}


def test_two_liars_where_one_may_vanish_end_the_round_by_name():
    sat = with_liar(m.INPUT, lambda seat, agreed, body: b"")
    sat.play = {sat.terms.sites[i]: sat.play[sat.terms.sites[2]] for i in (1, 2)}
    abort = sat.run()[SERVER].abort
    assert isinstance(abort, Abort)
    assert abort.cause is Cause.TOO_FEW
    assert "2 answers where 3 are needed" in str(abort)
