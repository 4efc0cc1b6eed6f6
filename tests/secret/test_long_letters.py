"""A long letter: sealed into a file, verified and opened from it; the same format as a short one."""

import hashlib

import pytest

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, Label, Parcel, RoundId
from potluck.core.slices import LONG, PIECE, whole
from potluck.secret.box import BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.context import OVERHEAD, Receivers, Senders
from potluck.secret.envelope import close, disclose, unseal
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.spool import Spooled

A, B = site("a"), site("b")
KEY = SigningKey(Secret(b"a" * 32))
ROSTER = Roster({A: KEY.public, B: SigningKey(Secret(b"b" * 32)).public})
BOX = BoxKey(Secret(b"s" * 96))
LABEL = Label(RoundId("run", 3), "clear/input")
BODY = hashlib.shake_128(b"body").digest(LONG + PIECE + 5)


def closed(body=BODY):
    return close(KEY, Senders({SERVER: PublicBoxKey(BOX.public)}), b"fed", A, SERVER, Parcel(LABEL, body))


def read(letter, federation=b"fed", box=BOX, me=SERVER):
    sender, parcel = disclose(ROSTER, Receivers(box), lambda round_: federation, me, letter)
    return sender, Parcel(parcel.label, whole(parcel.body))


def again(letter):
    """The same letter in another file."""
    spooled = Spooled(len(letter))
    spooled.write(0, letter)
    return spooled


def test_a_long_letter_lies_in_a_file_and_is_read_as_one_that_does_not():
    letter = closed()
    assert isinstance(letter, Spooled)
    assert read(letter) == read(again(whole(letter))) == read(whole(letter)) == (A, Parcel(LABEL, BODY))
    assert len(letter) - len(BODY) == len(closed(b"short")) - len(b"short")


def test_its_signature_is_that_of_the_format():
    letter = whole(closed())
    sealed = letter[-len(BODY) - OVERHEAD :]
    _, parcel = unseal(ROSTER, b"fed", SERVER, letter)
    assert parcel == Parcel(LABEL, sealed)


@pytest.mark.parametrize("where", [0, 5, 9, 60, 120, 1300, 1 << 21, -17, -1])
def test_a_flipped_bit_anywhere_is_refused(where):
    letter = bytearray(whole(closed()))
    letter[where] ^= 1
    with pytest.raises(Abort) as caught:
        read(again(bytes(letter)))
    assert caught.value.cause in (Cause.MALFORMED, Cause.SIGNATURE)


def test_a_long_letter_fits_one_receiver_in_one_federation():
    letter = closed()
    for wrong in ({"federation": b"other"}, {"me": B}, {"box": BoxKey(Secret(b"t" * 96))}):
        with pytest.raises(Abort):
            read(letter, **wrong)


def test_a_view_of_words_is_sealed_as_their_bytes():
    assert read(closed(memoryview(BODY)))[1].body == BODY
    assert read(closed(memoryview(b"short")))[1].body == b"short"
