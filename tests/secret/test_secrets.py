"""Secrets hide; boxes and letters open for whom they say, unchanged, or not at all."""

import copy
import os
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, Label, Parcel, RoundId
from potluck.secret import random
from potluck.secret.box import OVERHEAD, PUBLIC, BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.envelope import seal, unseal
from potluck.secret.keys import _LOW_ORDER, AgreementKey, Roster, SigningKey
from potluck.secret.random import system
from potluck.secret.stream import Keystream, derive, digest
from support.examples import examples
from support.repeated import repeated

A, B = site("a"), site("b")
KEY_A, KEY_B = SigningKey(Secret(b"a" * 32)), SigningKey(Secret(b"b" * 32))
ROSTER = Roster({A: KEY_A.public, B: KEY_B.public, SERVER: KEY_B.public})


def test_a_secret_hides_and_refuses():
    secret = Secret(b"very secret")
    assert "very" not in f"{secret!r} {secret}"
    for misuse in (pickle.dumps, copy.copy, copy.deepcopy, hash, lambda s: s == s, lambda s: s != b"x"):
        with pytest.raises(TypeError):
            misuse(secret)
    assert secret.expose() == b"very secret"
    assert "hidden" in repr(SigningKey(Secret(b"k" * 32)))


@pytest.mark.parametrize("kind", [SigningKey, AgreementKey, lambda seed: BoxKey(Secret(seed.expose() * 3))])
def test_a_key_is_not_pickled(kind):
    with pytest.raises(TypeError):
        pickle.dumps(kind(Secret(b"k" * 32)))


def test_hkdf_known_answer_rfc5869_case_3():
    out = derive(Secret(b"\x0b" * 22), b"", 42).expose().hex()
    assert out == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"


def test_keystream_known_answer_aes256_zero_block():
    # AES-256 of the zero block under the zero key (NIST CAVS varkey/vartxt zero case)
    assert Keystream(Secret(bytes(32))).read(16).hex() == "dc95c078a2408989ad48a21492842087"


def test_keystream_is_one_stream_however_it_is_read():
    whole = Keystream(Secret(b"k" * 32)).read(600_000)
    parts = Keystream(Secret(b"k" * 32))
    assert parts.read(600_000) == whole
    assert whole[:100] != whole[100:200]


def test_digest_separates_parts():
    assert digest(b"ab", b"c") != digest(b"a", b"bc")


def test_x25519_known_answer_rfc7748_section_5_2_one_iteration():
    nine = b"\x09" + bytes(31)
    shared = AgreementKey(Secret(nine)).agree(nine).expose().hex()
    assert shared == "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"


@pytest.mark.parametrize("top", [0, 1 << 255])
@pytest.mark.parametrize("coordinate", sorted(_LOW_ORDER))
def test_an_agreement_key_of_low_order_is_refused_before_it_is_used(coordinate, top):
    bad = (coordinate + top).to_bytes(32, "little")
    with pytest.raises(Abort) as stop:
        AgreementKey(Secret(b"k" * 32)).agree(bad)
    assert stop.value.cause is Cause.KEYS
    with pytest.raises(Abort) as stop:
        PublicBoxKey(BoxKey(Secret(b"s" * 96)).public[:-32] + bad)
    assert stop.value.cause is Cause.KEYS
    with pytest.raises(ValueError):
        X25519PrivateKey.from_private_bytes(b"k" * 32).exchange(X25519PublicKey.from_public_bytes(bad))


@pytest.mark.parametrize("bad", [b"short", b"", bytes(33)])
def test_an_agreement_key_of_another_length_is_refused(bad):
    with pytest.raises(Abort) as stop:
        AgreementKey(Secret(b"k" * 32)).agree(bad)
    assert stop.value.cause is Cause.KEYS


def test_a_signature_is_64_bytes_and_none_of_the_message_counts_as_part_of_it():
    key = SigningKey(Secret(b"k" * 32))
    roster = Roster({A: key.public})
    signature = key.sign(b"message")
    roster.verify(A, b"message", signature)
    for message, bad in (
        (b"essage", signature + b"m"),
        (signature[-1:] + b"message", signature[:-1]),
        (b"message", b""),
        (b"messag", signature),
    ):
        with pytest.raises(Abort) as stop:
            roster.verify(A, message, bad)
        assert stop.value.cause is Cause.SIGNATURE


def test_signatures_are_those_of_rfc8032_and_of_another_library():
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    key, other = SigningKey(Secret(seed)), Ed25519PrivateKey.from_private_bytes(seed)
    assert key.sign(b"").hex().startswith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155")
    assert (key.public, key.sign(b"body")) == (other.public_key().public_bytes_raw(), other.sign(b"body"))


def test_a_box_opens_for_its_holder_under_its_info_only():
    key, other = BoxKey(Secret(b"s" * 96)), BoxKey(Secret(b"t" * 96))
    box = PublicBoxKey(key.public).seal(b"share", b"info")
    assert len(key.public) == PUBLIC
    assert len(box) == len(b"share") + OVERHEAD
    assert key.unseal(box, b"info") == b"share"
    for holder, body, info in (
        (other, box, b"info"),
        (key, box, b"other"),
        (key, box[:-1], b"info"),
        (key, b"", b"info"),
    ):
        with pytest.raises(Abort) as stop:
            holder.unseal(body, info)
        assert stop.value.cause is Cause.BOX


@given(st.integers(0, OVERHEAD + 4), st.integers(0, 7))
def test_any_flipped_bit_of_a_box_is_refused(where, bit):
    key = BoxKey(Secret(b"s" * 96))
    box = bytearray(PublicBoxKey(key.public).seal(b"share", b"i"))
    box[where % len(box)] ^= 1 << bit
    with pytest.raises(Abort):
        key.unseal(bytes(box), b"i")


@pytest.mark.parametrize("raw", [b"", bytes(PUBLIC), b"\xff" * PUBLIC, bytes(PUBLIC - 1)])
def test_a_malformed_box_key_is_refused_on_arrival(raw):
    with pytest.raises(Abort) as stop:
        PublicBoxKey(raw)
    assert stop.value.cause is Cause.KEYS


PARCEL = Parcel(Label(RoundId("run", 3), "mask/input"), b"body")


def test_a_letter_names_its_sender_and_fits_one_recipient_in_one_federation():
    letter = seal(KEY_A, b"fed", A, B, PARCEL)
    assert unseal(ROSTER, b"fed", B, letter) == (A, PARCEL)
    for federation, me in ((b"other", B), (b"fed", A), (b"fed", SERVER)):
        with pytest.raises(Abort):
            unseal(ROSTER, federation, me, letter)
    with pytest.raises(Abort):
        unseal(ROSTER, b"fed", B, seal(KEY_A, b"fed", site("stranger"), B, PARCEL))


@settings(max_examples=examples(200))
@given(st.data())
def test_any_flipped_bit_or_cut_of_a_letter_is_refused(data):
    letter = bytearray(seal(KEY_A, b"fed", A, B, PARCEL))
    where = data.draw(st.integers(0, len(letter) - 1))
    if data.draw(st.booleans()):
        letter[where] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del letter[where:]
    with pytest.raises(Abort):
        unseal(ROSTER, b"fed", B, bytes(letter))


@given(st.binary(max_size=300))
def test_any_bytes_are_no_letter(noise):
    with pytest.raises(Abort):
        unseal(ROSTER, b"fed", B, noise)


def test_secret_randomness_does_not_repeat():
    assert len({system(16) for _ in range(1000)}) == 1000
    assert system(100_000) != system(100_000)


def test_a_test_can_repeat_what_is_drawn_and_it_is_fresh_again_afterwards():
    def drawn():
        with repeated("a seed"):
            return system(16), system(10_000), SigningKey(Secret(system(32))).public

    assert drawn() == drawn()
    assert system(16) != drawn()[0]
    assert random.os is os
