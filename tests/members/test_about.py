"""What a card says of its party: signed, bounded, and part of who people have agreed to."""

import hashlib
import time
from dataclasses import replace
from pathlib import Path

import pytest

from potluck.api.network import members as api
from potluck.core.errors import Refused, UsageError
from potluck.core.party import site
from potluck.members import card as cards
from potluck.members import charter
from potluck.members.about import LONGEST, NOTHING, About
from potluck.members.card import draft, fingerprint, key_mark
from potluck.members.change import Change
from potluck.members.federation import accept
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.members.offer import judged
from potluck.members.site import join, pin
from potluck.owner.access import MOST_CODES, short
from support.members.scene import CHIEF, NOW, after, federation, keys

CLINIC = About("Klinikum Århus", "Danmark", "data@klinik.example, +45 1234")
WORDS = "Klinikum Århus, Danmark; contact data@klinik.example, +45 1234"


def says(name, about):
    return draft(site(name), keys(name), about)


def test_a_card_that_says_nothing_has_the_bytes_and_the_fingerprint_of_before():
    it = says("a", NOTHING)  # both as the program wrote them before cards could say anything
    assert fingerprint(it) == "GKWW-QNX5-4VGC-DHKR-E5WD-8W5Q-V53G-PVZT"
    assert hashlib.sha256(it.text().encode()).hexdigest().startswith("4a3331b393a8e3bc1560a2ea4a8b44a3")


def test_what_a_card_says_is_signed_and_its_fingerprint_covers_all_but_the_contact(tmp_path):
    it, path = says("a", CLINIC), tmp_path / "a.card"
    path.write_text(it.text(), encoding="utf-8")
    read = cards.read(path)
    assert (read, read.organisation, read.country) == (it, "Klinikum Århus", "Danmark")
    for old in CLINIC.document().values():
        path.write_text(it.text().replace(old, "x"), encoding="utf-8")
        with pytest.raises(Refused, match="bad signature"):
            cards.read(path)
    others = [replace(CLINIC, organisation="x"), replace(CLINIC, country=""), replace(CLINIC, organisation="")]
    marks = {fingerprint(says("a", one)) for one in (*others, CLINIC, NOTHING)}
    assert len(marks) == 5
    assert fingerprint(says("a", replace(CLINIC, contact="another"))) == fingerprint(it)
    assert fingerprint(says("a", About(contact="x"))) == fingerprint(says("a", NOTHING)) == key_mark(it)
    swapped = About(CLINIC.country, CLINIC.organisation)  # a text cannot pass for the one beside it
    assert fingerprint(says("a", swapped)) not in marks


@pytest.mark.parametrize(
    "text",
    ["two\nlines", "\x1b[2K", "a\u202eb", " a", "a  b", "\u3164", "a\u00a0b", "\ud800", "x" * 201, "a" + "\u0301" * 40],
)
def test_hostile_texts_are_refused_when_they_are_made_and_when_they_are_read(tmp_path, text):
    for name in LONGEST:
        about = replace(NOTHING, **{name: text})
        with pytest.raises(UsageError, match=name):
            api.site_new(tmp_path / "home", about=about)
        assert not (tmp_path / "home").exists()
        if text == "\ud800":  # no file can hold it
            continue
        path = tmp_path / "evil.card"
        path.write_text(says("evil", about).text(), encoding="utf-8")  # signed by whoever wrote it
        with pytest.raises(UsageError, match=name):
            cards.read(path)
        it = federation("a")
        with pytest.raises(UsageError, match=name):
            charter.write(after(it, members=(says("a", about),)), CHIEF.signing)


def test_the_longest_texts_are_taken_and_one_letter_more_is_not():
    most = About(*("ø" * longest for longest in LONGEST.values()))
    says("a", most).verify()
    for name in LONGEST:
        with pytest.raises(UsageError, match="at most"):
            says("a", replace(most, **{name: "ø" * (LONGEST[name] + 1)})).verify()


def test_new_keys_keep_what_was_said_and_earlier_runs_keep_their_keys(tmp_path, room):
    now = time.time()
    chief, home = tmp_path / "hospitals", tmp_path / "a"
    api.federation_new(chief, "tls://localhost:4222", now, about=About("Registry"))
    made = api.site_new(home, about=CLINIC)
    file = api.federation_add(chief, [made.card], now).file
    assert api.site_join(home, file, now).fingerprint == made.fingerprint
    first = SiteHome.at(home).pinned()
    fresh = api.site_rotate(home, (None, None, "new@klinik.example"))
    assert fresh.about == replace(CLINIC, contact="new@klinik.example")
    later = api.federation_rotate(chief, [fresh.card], now, keys=True, days=None).federation
    assert later.coordinator.about == About("Registry")
    join(SiteHome.at(home), file.read_text(), "", now, wanted={first.digest})
    assert SiteHome.at(home).pinned().cards[site("a")].about == fresh.about
    held = SiteHome.at(home).open(now).keys
    assert SiteHome.at(home).earlier.held(first, held).signing.public == first.cards[site("a")].signing


def test_a_member_says_something_else_under_the_same_keys(tmp_path, room):
    now = time.time()
    chief, home = tmp_path / "hospitals", tmp_path / "a"
    api.federation_new(chief, "tls://localhost:4222", now)
    made = api.site_new(home)
    file = api.federation_add(chief, [made.card], now).file
    api.site_join(home, file, now)
    other = api.site_describe(home, ("Klinikum", None, None))
    assert other.fingerprint != made.fingerprint
    said = api.federation_rotate(chief, [other.card], now, keys=False, days=None, about=("Registry", "DK", None))
    assert said.document()["says"]["members"]["a"]["organisation"] == "Klinikum"
    assert said.document()["says"]["coordinator"]["country"] == "DK"
    joined = api.site_join(home, file, now)  # the same keys: nothing waits, and the home opens
    assert joined.fingerprint == other.fingerprint
    assert not joined.new_coordinator
    assert SiteHome.at(home).open(now).federation == CoordinatorHome.at(chief).open(now).federation
    waiting = api.site_rotate(home)
    again = api.site_describe(home, (None, "DK", None))  # the card of the keys that wait says it, too
    assert (again.card, again.about) == (waiting.card, About("Klinikum", "DK"))
    api.federation_rotate(chief, [again.card], now, keys=False, days=None)
    assert api.site_join(home, file, now).fingerprint == again.fingerprint


@pytest.mark.parametrize(
    ("about", "standing"), [(CLINIC, "waits"), (About(contact="x"), "follows"), (NOTHING, "follows")]
)
def test_who_calls_itself_something_else_is_new_here_and_a_new_contact_is_not(enrolled, about, standing):
    now = time.time()
    chief, home = CoordinatorHome.at(enrolled / "hospitals"), SiteHome.at(enrolled / "a")
    card_of_b = api.site_describe(enrolled / "b", tuple(about.document().values())).card
    after = api.federation_rotate(chief.folder, [card_of_b], now, keys=False, days=None).federation
    assert judged(home, chief.federation.read_text(), now, "renewals").standing == standing
    news = home.known.strangers(after, [site("b")], home.pinned())
    assert bool(news) is (standing == "waits")
    lines = " ".join(Change(home.pinned(), after).lines())
    assert ("says of itself now: organisation Klinikum" in lines) is (standing == "waits")
    assert "new keys" not in lines


def test_a_coordinator_that_says_something_else_is_followed():
    before = federation("a", "b")
    now = replace(after(before), coordinator=draft(before.coordinator.party, CHIEF, CLINIC))
    accept(now, before, NOW)
    mark = fingerprint(now.coordinator)
    one = f"the coordinator, {mark}, says of itself now"
    assert Change(before, now).lines() == tuple(
        f"{one}: {what} {text}; before: not said" for what, text in CLINIC.document().items()
    )


def test_no_card_keeps_a_new_contact_or_where_the_broker_is_out_of_a_log():
    """A log has 20 lines of a file, and the beginning of each."""
    names = [f"m{number}" for number in range(MOST_CODES + 1)]
    before = federation(*names)
    long = About("x" * 120, "DE", "old@clinic.example")
    cards = [replace(one, about=long) for one in before.members]
    new = [replace(one, about=replace(long, contact="new@elsewhere.example")) for one in cards]
    now = replace(after(before), members=tuple(new), broker="tls://elsewhere.example:4222")
    lines = Change(replace(before, members=tuple(cards)), now).lines()[:MOST_CODES]
    assert "the broker is at tls://elsewhere.example:4222 now" in lines[0]
    assert all("contact new@elsewhere.example" in short(line) for line in lines[1:])


def test_verbs_say_who_one_is(tmp_path, cli, room, monkeypatch):
    monkeypatch.chdir(tmp_path)
    who = ("--organisation", CLINIC.organisation, "--country", CLINIC.country, "--contact", CLINIC.contact)
    assert cli("federation", "new", "hospitals", "--broker", "tls://localhost:4222", "--organisation", "Reg").code == 0
    made = cli("site", "new", "a", *who)
    assert f"says: {WORDS}" in made.out
    assert cli("site", "new", "a", "--card").code == 2
    assert cli("site", "new", "a", "--card", "--contact", "c").code == 0
    shown = cli("federation", "add", "hospitals", "a/a.card")
    assert "says: Klinikum Århus, Danmark; contact c" in shown.out
    assert "says: Reg" in shown.out
    assert cli("site", "join", "a", "hospitals/federation.toml").code == 0
    api.federation_add(tmp_path / "hospitals", [api.site_new(tmp_path / "c", about=CLINIC).card], time.time())
    file = Path("hospitals/federation.toml")
    pin(SiteHome.at(Path("a")), charter.read(file), file.read_text(), time.time())
    listed = cli("site", "inbox", "a").out
    assert "who coordinates hospitals says of itself: Reg" in listed
    assert f"compare by voice\n  says of itself: {WORDS}" in listed
    assert cli("federation", "rotate", "hospitals", "--organisation", "").code == 0
    assert "says: Reg" not in cli("federation", "show", "hospitals").out
    assert cli("site", "new", "b", "--contact", "a\nb").code == 2
