"""The signed federation file: no byte of it can be changed, no older one comes back, no stranger signs the next."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort
from potluck.members import charter
from potluck.members.card import draft, fingerprint
from potluck.members.federation import accept, broker_addresses, hand_over
from potluck.members.keys import Keys
from potluck.secret.box import PublicBoxKey
from support.members.scene import CHIEF, DAY, NOW, after, card, federation, keys, rekeyed

STRANGER = keys("stranger")


def parse(text):
    return charter.parse(text, "federation.toml")


def test_a_federation_is_read_as_it_was_written():
    three = rekeyed(federation("b", "a", "Århus"), CHIEF, keys("next"))
    read = parse(charter.write(three, keys("next").signing))
    assert read == three
    assert read.digest == three.digest
    assert [party.name for party in read.sites] == ["a", "b", "Århus"]
    assert read.addresses == (("broker.example", 4222),)


def test_the_rosters_keys_are_those_of_the_cards():
    it = federation("a", "b")
    it.roster().verify(site("b"), b"x", keys("b").signing.sign(b"x"))
    it.roster().verify(SERVER, b"x", CHIEF.signing.sign(b"x"))
    with pytest.raises(Abort):
        it.roster().verify(site("a"), b"x", keys("b").signing.sign(b"x"))
    assert keys("a").box.unseal(PublicBoxKey(it.boxes()[site("a")]).seal(b"hi", b""), b"") == b"hi"
    assert it.users() == {SERVER: CHIEF.user.public, site("a"): keys("a").user.public, site("b"): keys("b").user.public}


@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_no_changed_byte_of_the_file_is_accepted(every):
    true = rekeyed(federation("a"), CHIEF, keys("next"))
    data = charter.write(true, keys("next").signing).encode()
    refused, start = 0, data.index(b"\n") + 1
    for at in range(start, len(data), every):
        try:
            assert parse((data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]).decode()) == true, f"byte {at}"
        except (PotluckError, UnicodeDecodeError):
            refused += 1
    assert refused > (len(data) - start - 200) / every - 20  # the others are blanks between words


def test_no_changed_byte_of_what_is_signed_keeps_the_signature():
    true = federation("a")
    signed, signature = true.canonical, CHIEF.signing.sign(true.canonical)
    true.roster().verify(SERVER, signed, signature)
    for at in range(len(signed)):
        with pytest.raises(Abort):
            true.roster().verify(SERVER, signed[:at] + bytes([signed[at] ^ 128]) + signed[at + 1 :], signature)


def test_every_word_of_the_federation_is_signed_and_in_the_digest():
    it = federation("a", "b")
    signature = CHIEF.signing.sign(it.canonical)
    it.verify(signature)
    other = rekeyed(it, CHIEF, keys("next"))
    changed = [
        replace(it, name="x"),
        replace(it, id="f" * 32),
        replace(it, version=2),
        replace(it, issued=it.issued + 1),
        replace(it, expires=it.expires + 1),
        replace(it, broker="tls://evil.example:4222"),
        replace(it, ca=it.ca + "\n"),
        replace(it, members=it.members[:1]),
        replace(it, members=(it.members[0], card("b", "evil"))),
        replace(it, coordinator=other.coordinator, handovers=other.handovers, version=2),
    ]
    for one in changed:
        with pytest.raises(Refused, match="not signed by the coordinator"):
            one.verify(signature)
    assert len({it.digest, *(one.digest for one in changed)}) == len(changed) + 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "hospitals"', 'name = "hospitals"\nmotto = "x"', "motto"),
        ('name = "hospitals"', "", "name"),
        ("version = 1\nissued", 'version = "1"\nissued', "version"),
        ("[coordinator]", "[spare]\n[coordinator]", "spare"),
        ("+00:00\nexpires", ".5+00:00\nexpires", "issued"),
        ("+00:00\nexpires", "\nexpires", "issued"),
        ("[[members]]", "[[members]]\nspare = 1", "spare"),
        ("[federation]", "[federation", "not TOML"),
    ],
)
def test_a_malformed_file_is_an_error_that_says_what(old, new, said):
    text = charter.write(federation("a"), CHIEF.signing)
    assert old in text
    with pytest.raises(UsageError, match=said):
        parse(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 0}, "version or times"),
        ({"expires": 1}, "version or times"),
        ({"id": "F" * 32}, "id"),
        ({"id": "ab"}, "id"),
        ({"name": ""}, "name"),
        ({"broker": "tls://x"}, "tls://host:port"),
        ({"ca": "x"}, "no certificate|not a certificate"),
        ({"coordinator": card("a")}, "server's"),
        ({"members": (card("b"), card("a"))}, "order"),
        ({"members": (card("a"), draft(SERVER, keys("x")))}, "same name|site's"),
    ],
)
def test_a_coordinator_cannot_sign_what_makes_no_sense(changes, said):
    with pytest.raises((UsageError, Refused), match=said):
        charter.write(replace(federation("a"), **changes), CHIEF.signing)


def test_the_brokers_private_key_cannot_get_into_the_file():
    ca = federation().ca + "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
    with pytest.raises(UsageError, match="not a certificate"):
        charter.write(replace(federation(), ca=ca), CHIEF.signing)


def test_two_members_cannot_share_a_name_or_any_key():
    a, b = keys("a"), keys("b")
    half = lent(a.box.public[:1184] + b.box.public[1184:], a.user.public), lent(b.box.public, a.user.public)
    other_half = lent(b.box.public[:1184] + a.box.public[1184:], b.user.public)
    pairs = [
        (card("a"), card("a", "other")),
        (card("\u00e9"), card("e\u0301")),  # one letter in two spellings
        (card("a"), card("a ")),
        (card("a"), card("b", "a")),
        (card("a"), card("b", "coordinator")),
        *((card("a"), one) for one in (*half, other_half)),
    ]
    for pair in pairs:
        members = tuple(sorted(pair, key=lambda one: one.party.name))
        with pytest.raises(Refused, match="the same name or share a key"):
            charter.write(replace(federation(), members=members), CHIEF.signing)


def lent(box, nkey):
    """A true card of b's in which some public keys are another's."""
    own = keys("b")
    return draft(site("b"), Keys(own.signing, SimpleNamespace(public=box), SimpleNamespace(public=nkey)))


def test_a_member_listed_under_anothers_keys_is_refused():
    a, b = card("a"), card("b")
    swapped = (replace(b, party=a.party), replace(a, party=b.party))
    with pytest.raises(Refused, match="not a true card"):
        charter.write(replace(federation(), members=swapped), CHIEF.signing)


def test_a_stranger_cannot_sign_the_next_version():
    pinned = federation("a")
    accept(after(pinned), pinned, NOW)
    forged = after(pinned, coordinator=draft(SERVER, STRANGER))
    forged = parse(charter.write(forged, STRANGER.signing))  # true to itself, hence readable
    with pytest.raises(Refused, match="has not handed over") as caught:
        accept(forged, pinned, NOW)
    assert fingerprint(forged.coordinator) in str(caught.value)


def test_an_older_version_cannot_come_back():
    first = federation("a")
    second = after(first)
    accept(second, first, NOW)
    with pytest.raises(Refused, match="version 1 is older than version 2"):
        accept(first, second, NOW)


def test_one_version_cannot_have_two_contents():
    pinned = federation("a")
    accept(pinned, pinned, NOW)
    with pytest.raises(Refused, match="other content"):
        accept(replace(pinned, members=(card("mallory"),)), pinned, NOW)


def test_another_federation_cannot_take_the_place():
    with pytest.raises(Refused, match="another federation"):
        accept(after(federation("a"), id="f" * 32), federation("a"), NOW)


def test_an_expired_file_is_refused_and_says_since_when():
    it = federation("a")
    it.current(it.expires - 1)
    with pytest.raises(Refused, match=r"expired on 2028-01-14 08:00 UTC.*federation rotate"):
        it.current(it.expires)


def test_an_hour_of_clock_skew_is_tolerated_and_no_more():
    it = federation("a")
    it.current(it.issued - 3600)
    with pytest.raises(Refused, match="clock"):
        it.current(it.issued - 3601)


def test_a_hand_over_is_followed_also_over_skipped_versions():
    first = federation("a")
    second = rekeyed(first, CHIEF, keys("second"))
    third = after(second)
    fourth = rekeyed(third, keys("second"), keys("fourth"))
    for pinned in (first, second, third):
        accept(parse(charter.write(fourth, keys("fourth").signing)), pinned, NOW)
    with pytest.raises(Refused, match="older"):
        accept(second, fourth, NOW)


def test_the_old_key_is_worth_nothing_once_it_was_handed_over():
    first = federation("a")
    second = rekeyed(first, CHIEF, keys("second"))
    back = after(second, coordinator=first.coordinator, handovers=())
    for again in (back, rekeyed(back, CHIEF, STRANGER)):
        with pytest.raises(Refused, match="has not handed over"):
            accept(again, second, NOW)


def test_a_hand_over_cannot_be_forged():
    first = federation("a")
    public = STRANGER.signing.public
    true = hand_over(first.id, 2, CHIEF.signing, public)
    forged = [
        replace(hand_over(first.id, 2, STRANGER.signing, public), old=CHIEF.signing.public),
        replace(hand_over(first.id, 2, CHIEF.signing, keys("x").signing.public), new=public),
        hand_over("f" * 32, 2, CHIEF.signing, public),
        replace(hand_over(first.id, 3, CHIEF.signing, public), version=2),
    ]
    mine = after(first, coordinator=draft(SERVER, STRANGER))
    accept(parse(charter.write(replace(mine, handovers=(true,)), STRANGER.signing)), first, NOW)
    for link in forged:
        with pytest.raises(Refused, match="not signed by the old one"):
            charter.write(replace(mine, handovers=(link,)), STRANGER.signing)


def test_hand_overs_lead_without_gaps_to_the_key_that_signs():
    first = federation("a")
    a, b, c = CHIEF, keys("b2"), keys("c2")
    ab, bc = hand_over(first.id, 2, a.signing, b.signing.public), hand_over(first.id, 3, b.signing, c.signing.public)
    back = hand_over(first.id, 4, c.signing, a.signing.public)
    final = replace(first, version=9, coordinator=draft(SERVER, c))
    accept(parse(charter.write(replace(final, handovers=(ab, bc)), c.signing)), first, NOW)
    for links in ((bc, ab), (ab,), (ab, bc, back), (ab, hand_over(first.id, 10, b.signing, c.signing.public))):
        with pytest.raises(Refused, match="do not lead"):
            charter.write(replace(final, handovers=links), c.signing)
    with pytest.raises(Refused, match="do not lead"):
        charter.write(replace(final, version=2, handovers=(ab, bc)), c.signing)


def test_a_hand_over_of_a_version_already_pinned_is_not_followed():
    """The coordinator signed version 5 with the key that it would have given away at 3: somebody else has it."""
    pinned = replace(federation("a"), version=5)
    link = hand_over(pinned.id, 3, CHIEF.signing, STRANGER.signing.public)
    late = replace(pinned, version=6, coordinator=draft(SERVER, STRANGER), handovers=(link,))
    with pytest.raises(Refused, match="has not handed over"):
        accept(parse(charter.write(late, STRANGER.signing)), pinned, NOW)


@pytest.mark.parametrize(
    "url", ["tls://broker.example:4222", "tls://127.0.0.1:1", "tls://[::1]:65535", "tls://localhost:4222"]
)
def test_a_brokers_address(url):
    ((host, port),) = broker_addresses(url)
    assert host.strip("[]") in url
    assert str(port) in url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker:4222",
        "nats://b:4222",
        "tls://b",
        "tls://b:0",
        "tls://b:65536",
        "tls://b:x",
        "tls://u:p@b:4222",
        "tls://b:4222/",
        "tls://b:4222?x",
        "tls://:4222",
        "tls://b b:4222",
        "tls://[::1:4222",
        'tls://b":4222',
        "tls://b\n:4222",
        "tls://b:4222\n",
        "tls://bü:4222",
        "tls://b:٤",
    ],
)
def test_what_is_no_brokers_address(url):
    with pytest.raises(UsageError, match="tls://host:port"):
        broker_addresses(url)
    with pytest.raises(UsageError, match="tls://host:port"):
        broker_addresses(f"tls://a:1,{url},tls://c:3")


def test_three_nodes_are_signed_as_one_text_and_read_in_their_order():
    it = replace(federation("a"), broker="tls://a.example:4222,tls://b.example:4222,tls://[::1]:4223")
    read = parse(charter.write(it, CHIEF.signing))
    assert read == it
    assert read.addresses == (("a.example", 4222), ("b.example", 4222), ("::1", 4223))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tls://a:1,tls://b:1", "one node or three, not 2"),
        ("tls://a:1,tls://b:1,tls://c:1,tls://d:1", "one node or three, not 4"),
        ("tls://a:1,tls://b:1,tls://a:1", "one address"),
        ("tls://a:1,tls://b:1, tls://c:1", "tls://host:port"),
        ("tls://a:1,", "tls://host:port"),
    ],
)
def test_two_nodes_are_no_safer_than_one(text, words):
    with pytest.raises(UsageError, match=words):
        broker_addresses(text)


def test_clock_of_the_scene():
    federation("a").current(NOW)
    assert federation("a").expires - federation("a").issued == 365 * DAY
