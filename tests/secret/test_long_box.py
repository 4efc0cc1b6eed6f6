"""Boxes in pieces: byte for byte those of the library, each opened by the other, and nothing of a broken one shown."""

import hashlib

import pytest
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from potluck.core import slices
from potluck.core.rounds import Abort, Cause
from potluck.secret import long_box
from potluck.secret.box import OVERHEAD, BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.long_box import LongBox
from potluck.secret.random import system
from potluck.secret.schedule import HEAD

KEY = BoxKey(Secret(b"s" * 96))
PUBLIC = PublicBoxKey(KEY.public)
SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
LENGTHS = st.sampled_from([0, 1, 15, 16, 17, 255, slices.PIECE - 1, slices.PIECE, slices.PIECE + 1, 3 * slices.PIECE])


def in_pieces(plaintext: bytes, info: bytes) -> bytes:
    head, schedule = PUBLIC.encapsulated(info)
    return head + b"".join(long_box.pieces(plaintext, schedule.key, schedule.nonce))


def opened(key: BoxKey, box: bytes, info: bytes, start: int = 0) -> LongBox:
    found = key.decapsulated(box[start : start + HEAD], info)
    return LongBox(box, start + HEAD, found.key, found.nonce)


@given(LENGTHS, st.binary(max_size=40))
def test_the_library_opens_what_is_sealed_in_pieces(length, info):
    plaintext = hashlib.shake_128(info).digest(length)
    box = in_pieces(plaintext, info)
    assert len(box) == length + OVERHEAD
    raw = KEY.public
    kem, agree = MLKEM768PrivateKey.from_seed_bytes(b"s" * 64), X25519PrivateKey.from_private_bytes(b"s" * 32)
    assert (kem.public_key().public_bytes_raw() + agree.public_key().public_bytes_raw()) == raw
    assert SUITE.decrypt(box, hpke.MLKEM768X25519PrivateKey(kem, agree), info=info) == plaintext


@given(LENGTHS, st.binary(max_size=40), st.data())
def test_what_the_library_sealed_is_opened_slice_by_slice(length, info, data):
    plaintext = hashlib.shake_128(info + b"x").digest(length)
    raw = KEY.public
    key = hpke.MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(raw[:1184]), X25519PublicKey.from_public_bytes(raw[1184:])
    )
    before = data.draw(st.binary(max_size=20))
    found = opened(KEY, before + SUITE.encrypt(plaintext, key, info=info), info, len(before))
    assert len(found) == length
    for _ in range(5):
        start, stop = data.draw(st.integers(0, length + 3)), data.draw(st.integers(0, length + 3))
        assert found[start:stop] == plaintext[start:stop]
    assert slices.whole(found) == plaintext


@pytest.mark.parametrize("where", [0, 1087, 1088, 1119, 1120, 1120 + slices.PIECE, -17, -16, -1])
def test_a_flipped_bit_anywhere_is_refused_before_anything_is_shown(where):
    box = bytearray(in_pieces(bytes(2 * slices.PIECE), b"i"))
    assert len(opened(KEY, bytes(box), b"i")) == 2 * slices.PIECE
    box[where] ^= 1
    with pytest.raises(Abort) as caught:
        opened(KEY, bytes(box), b"i")
    assert caught.value.cause is Cause.BOX


@pytest.mark.parametrize("wrong", ["info", "key", "short", "cut", "low order"])
def test_a_box_for_another_key_or_info_or_cut_short_is_refused(wrong):
    box, key, info = in_pieces(b"words", b"i"), KEY, b"i"
    if wrong == "info":
        info = b"j"
    elif wrong == "key":
        key = BoxKey(Secret(b"t" * 96))
    elif wrong == "low order":
        box = box[:1088] + bytes(32) + box[1120:]
    else:
        box = box[: 1135 if wrong == "short" else -1]
    with pytest.raises(Abort) as caught:
        opened(key, box, info)
    assert caught.value.cause is Cause.BOX


def test_two_boxes_of_one_plaintext_differ_everywhere_that_matters():
    plaintext = system(64)
    one, other = in_pieces(plaintext, b"i"), in_pieces(plaintext, b"i")
    assert one[:1088] != other[:1088]
    assert one[1088:1120] != other[1088:1120]
    assert one[1120:] != other[1120:]
