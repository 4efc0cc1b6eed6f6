"""Cards: who vouches for which keys, and what a changed or made-up one meets."""

import hashlib
import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.party import SERVER, site
from potluck.core.visible import visible
from potluck.members import card as cards
from potluck.members.card import draft, fingerprint
from potluck.members.names import file_name
from support.members.scene import card, keys


def test_a_card_is_read_as_it_was_written(tmp_path):
    for name in ("cleveland", "Århus", "a b/c", '"quoted"\n', "病院"):
        (tmp_path / "x.card").write_text(card(name).text(), encoding="utf-8")
        assert cards.read(tmp_path / "x.card") == card(name)
    (tmp_path / "x.card").write_text(draft(SERVER, keys("c")).text(), encoding="utf-8")
    assert cards.read(tmp_path / "x.card").party == SERVER


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_no_changed_byte_of_a_card_is_accepted(tmp_path, every):
    path, true = tmp_path / "a.card", card("a")
    data = true.text().encode()
    refused = 0
    for at in range(data.index(b"\n") + 1, len(data), every):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        try:
            assert cards.read(path) == true, f"byte {at}"
        except PotluckError as error:
            assert error.exit_code in (2, 3)
            refused += 1
    assert refused > (len(data) - 100) / every - 20  # the others are blanks between words


def test_keys_of_two_cards_cannot_be_mixed():
    one, other = card("a"), card("b")
    one.verify()
    for mixed in (
        replace(one, box=other.box),
        replace(one, nkey=other.nkey),
        replace(one, signing=other.signing),
        replace(one, party=other.party),
        replace(one, signature=other.signature),
    ):
        with pytest.raises(Refused, match="not a true card"):
            mixed.verify()


def test_a_key_under_which_anybody_signs_is_refused():
    neutral = bytes([1, *bytes(31)])
    forged = neutral + bytes(32)
    Ed25519PublicKey.from_public_bytes(neutral).verify(forged, b"anything")  # the signature does hold
    with pytest.raises(Refused, match="no Ed25519 key"):
        replace(card("a"), signing=neutral, signature=forged).verify()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("version = 1", "version = 2", "version"),
        ('role = "site"', 'role = "site"\nemail = "x"', "email"),
        ('role = "site"', 'role = "client"', "role"),
        ('role = "site"', 'role = "compute"', "a true card"),
        ('role = "site"', 'role = "server"', "server"),
        ('name = "a"', 'name = "server"', "only the coordinator"),
        ('name = "a"', 'name = " "', "name"),
        ('name = "a"', f'name = "{"x" * 101}"', "name"),
        ('name = "a"', "name = 3", "name"),
        ('name = "a"', "", "name"),
        ('name = "a"', 'name = "b"', "bad signature"),
        ('signature = "', 'signature = "AAAA', "signature has 67 bytes"),
        ('signing = "', 'signing = " ', "signing is not base64"),
        ("[card]", "[card", "not TOML"),
    ],
)
def test_a_malformed_card_is_an_error_that_says_what(tmp_path, old, new, said):
    text = card("a").text()
    assert old in text
    (tmp_path / "a.card").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises((UsageError, Refused), match=said) as caught:
        cards.read(tmp_path / "a.card")
    assert "a.card" in str(caught.value)


def test_what_is_no_card_at_all_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="no card here"):
        cards.read(tmp_path / "none.card")
    (tmp_path / "b.card").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="is no card"):
        cards.read(tmp_path / "b.card")
    (tmp_path / "c.card").write_text("x = " + "[" * 5000)
    with pytest.raises(UsageError):
        cards.read(tmp_path / "c.card")


def test_a_fingerprint_is_160_bits_of_the_public_parts_for_reading_aloud():
    one = card("a")
    said = fingerprint(one)
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){7}[0-9A-HJKMNP-TV-Z]{4}", said)
    number = 0
    for letter in said.replace("-", ""):
        number = number * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".index(letter)
    assert number.to_bytes(20, "big") == hashlib.sha256(b"potluck fingerprint 1\0" + one.canonical).digest()[:20]
    other = card("z")
    changed = [
        replace(one, party=site("b")),
        replace(one, signing=other.signing),
        replace(one, box=other.box),
        replace(one, nkey=other.nkey),
    ]
    assert len({said, *map(fingerprint, changed)}) == 5
    assert fingerprint(replace(one, signature=other.signature)) == said


def test_a_name_can_neither_leave_its_folder_nor_act_on_a_screen():
    assert file_name("../etc/passwd").count("/") == 0
    assert file_name("a b") != file_name("a-b")
    assert visible("a\x1b[2K\r\u202eb") == "a\\u{1b}[2K\\u{d}\\u{202e}b"
    assert visible("Århus 病院 [b]") == "Århus 病院 [b]"
