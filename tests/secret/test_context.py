"""Several messages under one encapsulation: each opens by itself, in any order, and no nonce comes twice."""

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, Label, Parcel, RoundId
from potluck.core.slices import LONG, whole
from potluck.secret.box import BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.context import OVERHEAD, Receivers, Senders
from potluck.secret.envelope import SIGNATURE, _signed, close, disclose
from potluck.secret.keys import Roster, SigningKey
from potluck.secret.schedule import HEAD, Schedule

A, B = site("a"), site("b")
KEY, OTHER = BoxKey(Secret(b"s" * 96)), BoxKey(Secret(b"t" * 96))
SIGNS = {A: SigningKey(Secret(b"a" * 32)), B: SigningKey(Secret(b"b" * 32))}
ROSTER = Roster({party: key.public for party, key in SIGNS.items()})


def senders():
    return Senders({SERVER: PublicBoxKey(KEY.public)})


def head(message):
    return message[:HEAD]


def number(message):
    return int.from_bytes(message[HEAD : HEAD + 8], "big")


def test_nonces_are_those_of_rfc9180_appendix_a_1_1_1():
    schedule = Schedule(Secret(bytes(32)), bytes.fromhex("56d890e5accaaf011cff4b7d"))
    ends = {0: "4b7d", 1: "4b7c", 2: "4b7f", 4: "4b79", 255: "4b82", 256: "4a7d"}
    assert {n: schedule.nonce_of(n).hex() for n in ends} == {n: f"56d890e5accaaf011cff{end}" for n, end in ends.items()}


def test_a_message_is_aes_gcm_under_the_schedule_of_its_encapsulation():
    context = senders().to(SERVER, b"i")
    for n in range(3):
        message = context.seal(b"words", b"bound")
        found = KEY.decapsulated(head(message), b"i")
        cipher = AESGCM(found.key.expose())
        assert cipher.decrypt(found.nonce_of(n), message[HEAD + 8 :], b"bound") == b"words"


@settings(deadline=None, max_examples=25)
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=8), st.data())
def test_lost_repeated_and_reordered_messages_keep_none_from_being_opened(bodies, data):
    context = senders().to(SERVER, b"i")
    sealed = [(body, context.seal(body, b"%d" % at), b"%d" % at) for at, body in enumerate(bodies)]
    came = data.draw(st.lists(st.sampled_from(sealed), max_size=12))
    known = Receivers(KEY)
    for body, message, bound in came:
        assert known.opened(A, message, 0, b"i", bound) == body
        assert Receivers(KEY).opened(A, b"before" + message, 6, b"i", bound) == body


def test_no_number_comes_twice_under_one_key_however_many_threads_seal():
    mine = senders()
    context = mine.to(SERVER, b"i")
    with ThreadPoolExecutor(4) as pool:
        messages = list(pool.map(lambda at: context.seal(b"x", b""), range(2000)))
    messages.append(b"".join(context.pieces(b"long", b"")))
    assert sorted(map(number, messages)) == list(range(2001))
    assert {head(message) for message in messages} == {head(messages[0])}


def test_a_context_lasts_for_one_info_and_none_outlives_its_process():
    mine = senders()
    first = mine.to(SERVER, b"round 1")
    assert mine.to(SERVER, b"round 1") is first
    heads = [head(first.seal(b"", b""))]
    heads += [head(mine.to(SERVER, info).seal(b"", b"")) for info in (b"round 2", b"round 1")]
    heads.append(head(senders().to(SERVER, b"round 1").seal(b"", b"")))
    assert len(set(heads)) == 4


def test_a_sender_that_started_again_and_two_that_take_turns_are_all_opened():
    known, mine = Receivers(KEY), {A: senders(), B: senders()}
    for at in range(6):
        if at == 3:
            mine[A] = senders()
        for party in (A, B):
            message = mine[party].to(SERVER, b"i").seal(b"%d" % at, b"")
            assert known.opened(party, message, 0, b"i", b"") == b"%d" % at


@pytest.mark.parametrize("length", [0, 1, LONG, LONG + 1])
def test_long_and_short_messages_are_one_format(length):
    context, body = senders().to(SERVER, b"i"), b"\xa5" * length
    for message in (context.seal(body, b"b"), b"".join(context.pieces(body, b"b"))):
        assert len(message) == length + OVERHEAD
        assert whole(Receivers(KEY).opened(A, message, 0, b"i", b"b")) == body


@given(st.integers(0, OVERHEAD + 4), st.integers(0, 7), st.booleans())
def test_any_flipped_bit_of_a_message_is_refused_whether_its_context_is_known_or_not(where, bit, seen):
    context, known = senders().to(SERVER, b"i"), Receivers(KEY)
    if seen:
        known.opened(A, context.seal(b"words", b"b"), 0, b"i", b"b")
    message = bytearray(context.seal(b"words", b"b"))
    message[where] ^= 1 << bit
    with pytest.raises(Abort) as caught:
        known.opened(A, bytes(message), 0, b"i", b"b")
    assert caught.value.cause is Cause.BOX


@pytest.mark.parametrize("body", [b"words", b"w" * (LONG + 1)], ids=["short", "long"])
@pytest.mark.parametrize("wrong", ["info", "bound", "key", "number", "cut", "short"])
def test_a_message_of_another_context_or_place_is_refused(wrong, body):
    context, key, info, bound = senders().to(SERVER, b"i"), KEY, b"i", b"b"
    message = context.seal(body, b"b")
    if wrong == "info":
        info = b"j"
    elif wrong == "bound":
        bound = b"c"
    elif wrong == "key":
        key = OTHER
    elif wrong == "number":  # a later message's, that has another nonce
        message = head(message) + (1).to_bytes(8, "big") + message[HEAD + 8 :]
    else:
        message = message[:-1] if wrong == "cut" else message[: OVERHEAD - 1]
    with pytest.raises(Abort) as caught:
        Receivers(key).opened(A, message, 0, info, bound)
    assert caught.value.cause is Cause.BOX


def letter(mine, sender, run=("run", 1), step="mask/input", body=b"words"):
    return close(SIGNS[sender], mine, b"fed", sender, SERVER, Parcel(Label(RoundId(*run), step), body))


def read(known, data):
    return disclose(ROSTER, known, lambda round_: b"fed", SERVER, data)[1].body


def sealed(data):
    """The message in a letter of five bytes."""
    return data[len(data) - 5 - OVERHEAD :]


def signed_anew(sender, like, message):
    """A message under the header of a letter that `sender` wrote, signed by it."""
    header = like[8 : len(like) - 5 - OVERHEAD - SIGNATURE]
    return _signed(SIGNS[sender], b"fed", header, sha256(message)) + message


def test_letters_of_one_round_share_an_encapsulation_and_those_of_others_do_not():
    mine = senders()
    first, step = (head(sealed(letter(mine, A, step=step))) for step in ("mask/input", "mask/unmask"))
    round_, run = (head(sealed(letter(mine, A, run=run))) for run in (("run", 2), ("other", 2)))
    assert first == step
    assert len({first, round_, run}) == 3


def test_what_was_sealed_for_one_step_opens_as_no_other_even_where_its_sender_signs_that():
    mine = senders()
    one, other = letter(mine, A, step="mask/input"), letter(mine, A, step="mask/other")
    assert read(Receivers(KEY), signed_anew(A, one, sealed(one))) == b"words"
    with pytest.raises(Abort) as caught:
        read(Receivers(KEY), signed_anew(A, other, sealed(one)))
    assert caught.value.cause is Cause.BOX


def test_nobody_signs_anothers_box_as_its_own_and_a_try_disturbs_no_context():
    mine, known = senders(), Receivers(KEY)
    one = letter(mine, A)
    assert read(known, one) == b"words"
    with pytest.raises(Abort) as caught:
        read(known, signed_anew(B, letter(senders(), B), sealed(one)))
    assert caught.value.cause is Cause.BOX
    assert read(known, letter(mine, A, body=b"later")) == b"later"
