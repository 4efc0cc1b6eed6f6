"""Signing in as somebody else: passwords, invitations and passkeys that are not, or no longer, that person's."""

import json
import re
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from html import unescape

import pytest
from nacl.pwhash import argon2id
from starlette.responses import Response

from potluck.api.network import persons as api_persons
from potluck.api.network.history import voices
from potluck.api.network.inbox import decide, one_request
from potluck.api.network.policy import amend
from potluck.console.attempts import ALL, EACH, WINDOW
from potluck.console.challenges import LIFE
from potluck.console.devices import Devices
from potluck.console.origin import Origin
from potluck.console.site.verdicts import verdicts
from potluck.core.errors import Refused, UsageError
from potluck.core.rounds import RoundId
from potluck.members import passwords
from potluck.members.home import SiteHome
from potluck.members.persons import INVITED, Persons
from potluck.members.tokens import fresh
from potluck.owner.access import read
from potluck.owner.budget import Budget
from potluck.owner.policy import Approve
from potluck.owner.requests import Requests, State
from potluck.parties.admission.tries import marker
from support.console import home as homes
from support.console.authenticator import PRESENT, VERIFIED, Authenticator
from support.console.home import TOKEN, Visitor, words

GOOD = "correct horse battery"
pytestmark = pytest.mark.usefixtures("cheap")


@pytest.fixture
def persons(home):
    """ann and bob, who chose the same password."""
    known = Persons(home / "persons.json")
    for name in ("ann", "bob"):
        known.choose(known.invite(name, time.time()), time.time(), password=GOOD)
    return known


def sign_in(visitor, name, password=GOOD):
    return visitor.post("/sign-in/password", {"name": name, "password": password})


def log(home):
    return [(one.event, one.outcome, one.person, one.why) for one in read(home / "access.jsonl").entries]


def options(visitor, path, action):
    """What a page tells the browser for a passkey."""
    match = re.search(rf'action="{action}" data-options="([^"]+)"', visitor.get(path).text)
    return unescape(match[1])


def test_each_person_signs_in_as_themselves_and_two_are_two(home, persons, plan):
    policy = home / "policy.toml"
    policy.write_text(policy.read_text().replace("people = 1", "people = 2"))
    visitor = Visitor(home)
    states = []
    for name in ("ann", "ann", "bob"):
        visitor.client.cookies.clear()
        assert sign_in(visitor, name).status_code == 303
        assert f"signed in as {name}" in words(visitor.get("/").text)
        assert visitor.decide(plan, "approve").status_code == (303 if len(states) != 1 else 409)  # not asked again
        with Requests(home / "requests.sqlite") as book:
            states.append(book.state("r1"))
    assert states == [State.PENDING, State.PENDING, State.APPROVED]


def test_a_wrong_password_and_an_unknown_name_are_told_alike(home, persons):
    visitor = Visitor(home)
    wrong, unknown = (sign_in(visitor, name, "wrong horse battery") for name in ("ann", "eve"))
    assert (wrong.status_code, wrong.text) == (unknown.status_code, unknown.text) == (409, wrong.text)
    assert "set-cookie" not in wrong.headers
    assert log(home) == [("sign-in", "refused", name, ("password",)) for name in ("ann", "")]  # eve may be a password


def test_an_unknown_name_costs_as_much_as_a_known_one(home, persons, monkeypatch):
    """Not by the clock: one digest of the same cost is worked out for each."""
    seen = []
    verify = argon2id.verify
    monkeypatch.setattr(
        argon2id, "verify", lambda kept, tried: seen.append(kept.rsplit(b"$", 2)[0]) or verify(kept, tried)
    )
    visitor = Visitor(home)
    for name in ("ann", "eve", ""):
        sign_in(visitor, name, "wrong horse battery")
    assert len(seen) == 3
    assert len(set(seen)) == 1


def test_who_was_invited_and_chose_nothing_has_no_password(home, persons):
    persons.invite("carla", time.time())
    visitor = Visitor(home)
    for password in ("", "x", GOOD):
        assert sign_in(visitor, "carla", password).status_code == 409


def test_five_wrong_passwords_close_a_name_for_a_while_and_no_other(home, persons):
    visitor = Visitor(home)
    codes = [sign_in(visitor, "ann", "wrong horse battery").status_code for _ in range(EACH + 2)]
    assert codes == [409] * EACH + [429, 429]
    assert sign_in(visitor, "ann").status_code == 429
    assert sign_in(visitor, "bob").status_code == 303
    visitor.clock.now += WINDOW + 1
    assert sign_in(visitor, "ann").status_code == 303


def test_a_right_password_forgives_the_wrong_ones_before(home, persons):
    visitor = Visitor(home)
    for _ in range(3):
        for _ in range(EACH - 1):
            assert sign_in(visitor, "ann", "wrong horse battery").status_code == 409
        assert sign_in(visitor, "ann").status_code == 303


def test_many_names_or_many_at_once_do_not_get_around_it(home, persons):
    visitor = Visitor(home)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: sign_in(visitor, "ann", "wrong horse battery").status_code, range(16)))
    assert codes.count(409) == EACH
    codes = [sign_in(visitor, f"n{i}", "wrong horse battery").status_code for i in range(ALL)]
    assert codes.count(409) == ALL - EACH


def closed(visitor):
    """A stranger tries many names, until passwords are looked at no more."""
    for number in range(ALL + 1):
        sign_in(visitor, ("ann", "bob", f"n{number}")[number % 3], "wrong horse battery")


def test_no_stranger_keeps_a_person_out_of_a_browser_that_knows_them(home, persons):
    """Behind a proxy, and on this machine, all come from one address: a browser tells by what it was given before."""
    office, stranger = Visitor(home), Visitor(home)
    stranger.app, stranger = office.app, office.again()
    assert sign_in(office, "ann").status_code == 303
    closed(stranger)
    assert sign_in(stranger, "ann").status_code == 429
    assert sign_in(office.again(), "ann").status_code == 429  # the control: a browser that is new
    assert sign_in(office, "ann").status_code == 303
    assert sign_in(office, "bob").status_code == 429  # it knows ann and nobody else


def test_who_chose_a_password_in_a_browser_is_known_there(home, persons):
    office = Visitor(home)
    token = persons.invite("carla", time.time())
    chosen = {"token": token, "password": GOOD, "again": GOOD}
    assert office.post("/join/password", chosen).status_code == 303
    closed(office.again())
    assert sign_in(office, "carla").status_code == 303


def test_what_a_known_browser_keeps_opens_nothing_and_is_good_for_few_tries(home, persons):
    office = Visitor(home)
    assert sign_in(office, "ann").status_code == 303
    thief, kept = office.again(), dict(office.client.cookies)
    (name,) = [one for one in kept if one.count("-") == 2]
    thief.client.cookies.update({name: kept[name]})
    assert thief.get("/").status_code == 303
    codes = [sign_in(thief, "ann", "wrong horse battery").status_code for _ in range(EACH + 2)]
    assert codes == [409] * EACH + [429] * 2
    closed(office.again())
    for forged in ("0" * 32 + "." + "0" * 64, kept[name][:-1], "x", "." + kept[name].partition(".")[2]):
        other = office.again()
        other.client.cookies.update({name: forged})
        assert sign_in(other, "ann").status_code == 429, forged
    persons.choose(persons.invite("ann", time.time()), time.time(), password="another horse battery")
    assert sign_in(office, "ann", "another horse battery").status_code == 429  # of the old password


def test_cookies_that_another_program_planted_hide_no_known_browser(persons):
    devices, answer, ann = Devices(Origin.here(8711), "tag", fresh), Response(), persons.named("ann")
    devices.mark(ann, answer)
    kept = answer.headers["set-cookie"].partition(";")[0]
    planted = [f"{kept.partition('=')[0]}={number:032x}.{'0' * 64}" for number in range(300)]
    assert devices.known("; ".join([*planted, kept]), ann)
    assert not devices.known("; ".join(planted), ann)  # the control


COMMON = ["password1234", "P@ssw0rd2026!", "qwertyuiop123", "123456789012", "1q2w3e4r5t6y", "iloveyou1234",
          "monkeymonkey", "letmein12345!", "Welcome-2026!", "internazionale", "strawberry12", "abcdefghijkl",
          "Potluck-2026!", "potluck hospital", "ann example 1", "Example-Ann-99"]  # fmt: skip
"""The first ten are of lists of leaked passwords, or as them."""


@pytest.mark.parametrize("password", COMMON)
def test_no_password_is_one_that_others_try_first(persons, password):
    token = persons.invite("Carl Example", time.time())
    with pytest.raises(UsageError, match=r"try first|different letters"):
        persons.choose(token, time.time(), password=password.replace("ann", "carl").replace("Ann", "Carl"))


@pytest.mark.parametrize(
    "password", [GOOD, "tulip-97-ferry-kant", "Xk7#mQz!vR2p", "kalender wolke rost", "山田の庭には桃の木があります"]
)
def test_passwords_that_nobody_tries_first_are_taken(persons, password):
    assert persons.choose(persons.invite("carl", time.time()), time.time(), password=password).password


def test_a_password_of_the_sites_name_is_none(home, persons):
    token = persons.invite("carl", time.time())
    renamed = Persons(home.rename(home.parent / "cleveland") / "persons.json")
    with pytest.raises(UsageError, match="try first"):
        renamed.choose(token, time.time(), password="the Cleveland clinic")


def test_who_opens_the_way_in_without_its_token_is_told_nobodys_name(home):
    visitor = Visitor(home, person="Dr. Secret")
    for query in ("", "?token=", f"?token={'0' * 64}"):
        answer = visitor.get(f"/enter{query}")
        assert answer.status_code == 409
        assert "Secret" not in answer.text
    assert "Dr. Secret" in visitor.get(f"/enter?token={TOKEN}").text  # the control
    visitor.enter()
    assert "Secret" not in visitor.again().get(f"/enter?token={TOKEN}").text  # it was used


def test_who_is_not_signed_in_cannot_fill_the_log(home, persons):
    visitor = Visitor(home)
    for _ in range(ALL):
        visitor.post("/sign-in/passkey", {"credential": ""})
        visitor.post("/enter/now", {"token": ""})
    assert len(log(home)) == ALL
    visitor.clock.now += WINDOW + 1
    sign_in(visitor, "ann", "wrong horse battery")
    assert log(home)[ALL:] == [("sign-in", "refused", "ann", ("password",))]
    assert sign_in(visitor, "ann").status_code == 303


def test_an_invitation_is_good_once_and_for_three_days(home):
    known, visitor = Persons(home / "persons.json"), Visitor(home)
    token = known.invite("ann", time.time())
    chosen = {"token": token, "password": GOOD, "again": GOOD}
    assert visitor.get(f"/join?token={token}").status_code == 200
    assert visitor.get(f"/join?token={token}").status_code == 200  # looking uses nothing up
    for wrong in (
        {"again": "another horse battery"},
        {"password": "short", "again": "short"},
        {"password": "Aaaaaaaabbbcccc", "again": "Aaaaaaaabbbcccc"},
        {"password": "", "again": ""},
    ):
        assert visitor.post("/join/password", chosen | wrong).status_code == 400
    assert visitor.post("/join/password", chosen).status_code == 303
    assert visitor.post("/join/password", chosen).status_code == 409
    assert visitor.get(f"/join?token={token}").status_code == 409
    late = known.invite("ann", time.time() - INVITED - 1)
    assert visitor.post("/join/password", chosen | {"token": late}).status_code == 409
    first, second = (known.invite("ann", time.time()) for _ in range(2))
    assert visitor.get(f"/join?token={first}").status_code == 409  # replaced
    assert visitor.get(f"/join?token={second}").status_code == 200
    for token in ("", "0" * 64, second[:-1]):
        assert visitor.get(f"/join?token={token}").status_code == 409


def test_who_is_removed_or_chooses_anew_is_signed_out_everywhere(home, persons):
    thief, elsewhere = Visitor(home), Visitor(home)  # the pages may be shown by two processes
    assert sign_in(thief, "ann").status_code == sign_in(elsewhere, "ann").status_code == 303
    assert elsewhere.get("/").status_code == 200
    owner = thief.again()
    token = persons.invite("ann", time.time())
    owner.post(
        "/join/password", {"token": token, "password": "another horse battery", "again": "another horse battery"}
    )
    assert thief.get("/").status_code == elsewhere.get("/").status_code == 303
    assert owner.get("/").status_code == 200
    assert sign_in(thief, "ann").status_code == 409
    persons.remove("ann")
    assert owner.get("/").status_code == 303


def test_a_link_leads_to_its_request_once_one_has_signed_in_and_to_no_other_place(home, persons, plan):
    visitor, page = Visitor(home), f"/requests/{plan}?run=r1"
    away = visitor.get(page).headers["location"]
    assert f'name="to" value="{page}"' in visitor.get(away).text
    for to in (
        page,
        f"//evil.example{page}",
        f"https://evil.example{page}",
        f"/\\evil.example{page}",
        f"{page}\n",
        "/log",
    ):
        if to != page:
            assert 'name="to"' not in visitor.client.get("/sign-in", params={"to": to}).text
        answer = visitor.again().post("/sign-in/password", {"name": "ann", "password": GOOD, "to": to})
        assert answer.headers["location"] == (page if to == page else "/")


def test_a_yes_of_who_is_removed_lets_no_run_begin(home, persons, plan):
    """An attack: a stolen sign-in approved, and another site was away, so that nothing began until its person was
    removed. Control: where the first round had begun, it goes on. Damaged files keep nobody in."""
    begun = homes.ask(home, homes.spec(name="begun"), run="r2")
    for one in (plan, begun):
        decide(home, "approve", one, "ann", signed=True)
    with Budget(SiteHome.at(home).ledger) as ledger:
        ledger.write(marker(RoundId("r2", 1), "train/0"))
    api_persons.remove(home, "ann")
    with Requests(home / "requests.sqlite") as book:
        assert (book.state("r1"), book.state("r2")) == (State.PENDING, State.APPROVED)
        assert book.approvers(plan) == []
    (home / "policy.toml").write_text("version = ")
    (home / "requests.sqlite").write_text("no file of requests")
    with pytest.raises(Refused, match="'bob' is removed, but what they approved still counts"):
        api_persons.remove(home, "bob")
    assert persons.all() == ()


def test_the_no_of_who_is_removed_is_taken_back_by_another_and_the_log_says_whose(home, persons, plan):
    """Control: while bob is there, only he takes it back."""
    ann, page = Visitor(home), f"/requests/{plan}"
    sign_in(ann, "ann")
    decide(home, "deny", plan, "bob", signed=True)
    assert "Approve after all" not in ann.get(page).text
    persons.remove("bob")
    assert "the no of bob, who cannot sign in here, is taken back" in words(ann.get(page).text).lower()
    assert ann.decide(plan, "approve").status_code == 303
    assert read(home / "access.jsonl").entries[-1].why == ("takes back the no of bob",)
    homes.ask(home, run="r2")
    with Requests(home / "requests.sqlite") as book:
        assert (book.state("r1"), book.state("r2")) == (State.DENIED, State.APPROVED)


def test_what_was_approved_and_has_not_begun_waits_again_as_persons_are_invited_or_the_policy_asks_two(home, plan):
    """Control: what has begun goes on. Who said yes is asked again once that would be enough."""
    begun = homes.ask(home, homes.spec(name="begun"), run="r2")
    for one in (plan, begun):
        decide(home, "approve", one, "root")
    with Budget(SiteHome.at(home).ledger) as ledger:
        ledger.write(marker(RoundId("r2", 1), "train/0"))

    def states():
        with Requests(home / "requests.sqlite") as book:
            return book.state("r1"), book.state("r2")

    assert states() == (State.APPROVED, State.APPROVED)
    for name in ("ann", "bob"):
        api_persons.invite(home, name, "http://localhost:1")
    assert states() == (State.PENDING, State.APPROVED)
    decide(home, "approve", plan, "ann", signed=True)
    found = amend.form(home)
    amend.save(home, found.fields | {"approve.people": "2"}, found.digest, "ann", "")
    assert states() == (State.PENDING, State.APPROVED)
    homes.policy(home, "people = 2", "people = 1")  # the other way, in the file
    offered = [
        one.word for one in verdicts(one_request(home, plan), voices(home, one_request(home, plan).request), "ann")
    ]
    assert offered == ["approve", "deny"]


def test_an_invitation_that_is_none_costs_no_digest_and_is_written_down(home, persons, monkeypatch):
    monkeypatch.setattr(passwords, "digest", lambda _: pytest.fail("a digest was worked out"))
    fields = {"token": "0" * 64, "password": GOOD, "again": GOOD}
    assert Visitor(home).post("/join/password", fields).status_code == 409
    assert log(home) == [("sign-in", "refused", "", ("invitation",))]


def test_a_passkey_takes_no_other_persons_place(home, persons):
    """Two keys of one id: whose comes first in the file would sign in, and the other person could not any more."""
    visitor, bobs, anns = Visitor(home), Authenticator(), Authenticator()

    def join(name, made):
        token = persons.invite(name, time.time())
        answer = made.make(options(visitor, f"/join?token={token}", "/join/passkey"), visitor.origin.text)
        return visitor.post("/join/passkey", {"token": token, "credential": answer}).status_code

    assert join("bob", bobs) == join("bob", bobs) == 303  # the control: one's own again
    assert (join("ann", Authenticator(bobs.ident)), join("ann", anns)) == (409, 303)


def test_choosing_anew_leaves_nothing_that_was_chosen_before(home, persons):
    """A password may have been stolen, a key lost."""
    visitor, old = Visitor(home), Authenticator()

    def join(made):
        token = persons.invite("ann", time.time())
        answer = made.make(options(visitor, f"/join?token={token}", "/join/passkey"), visitor.origin.text)
        assert visitor.post("/join/passkey", {"token": token, "credential": answer}).status_code == 303

    join(old)
    assert sign_in(visitor.again(), "ann").status_code == 409
    join(Authenticator())
    signed = old.sign(ask(visitor), visitor.origin.text)
    assert visitor.again().post("/sign-in/passkey", {"credential": signed}).status_code == 409
    persons.choose(persons.invite("ann", time.time()), time.time(), password=GOOD)
    assert persons.named("ann").passkeys == ()
    assert sign_in(visitor.again(), "ann").status_code == 303


def test_the_printed_address_is_nobodys_once_persons_were_invited(home):
    """Else whoever has the terminal would be a second person who approves."""
    early, late = Visitor(home).enter(), Visitor(home)
    assert early.get("/").status_code == 200
    Persons(home / "persons.json").invite("bob", time.time())
    assert early.get("/").status_code == 303
    assert late.post("/enter/now", {"token": TOKEN}).status_code == 409
    assert "accepted an invitation" in words(late.get("/sign-in").text)


def test_behind_a_proxy_nobody_comes_by_a_printed_address(home):
    with pytest.raises(UsageError, match="nobody could sign in"):
        Visitor(home, token="")
    Persons(home / "persons.json").invite("bob", time.time())
    visitor = Visitor(home, token="")
    for token in ("", TOKEN):
        assert visitor.post("/enter/now", {"token": token}).status_code == 409


def test_what_is_kept_is_the_owners_alone_and_no_password(home, persons):
    path = home / "persons.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert GOOD not in path.read_text()
    digests = [one.password for one in persons.all()]
    assert all(one.startswith("$argon2id$") for one in digests)
    assert digests[0] != digests[1]  # each has a salt of its own
    token = persons.invite("ann", time.time())
    assert token not in path.read_text()
    path.chmod(0o644)
    with pytest.raises(Refused, match="other users"):
        persons.all()


def test_a_digest_costs_what_libsodium_says_for_people_who_wait(monkeypatch):
    monkeypatch.undo()
    passwords._nobody.cache_clear()
    assert passwords.digest(GOOD).startswith("$argon2id$v=19$m=65536,t=2,p=1$")


@pytest.mark.parametrize("name", ["", " ann", "ann ", "a\nb", "a\u202eb", "x" * 65, "ANN"])
def test_a_name_is_visible_and_unlike_another(persons, name):
    with pytest.raises(UsageError):
        persons.invite(name, time.time())


LIKE = ["ANN", "a n n", "\uff41nn", "ann.", "a\u0430n", "\u0430\u043d\u043d", "\u2003", "..."]


@pytest.mark.parametrize("name", LIKE)
def test_one_person_has_one_name(persons, name):
    """Case, spaces, dots, width; letters of another script beside those that are here; none at all."""
    with pytest.raises(UsageError):
        persons.invite(name, time.time())


def test_names_in_any_one_script_are_taken(tmp_path):
    for number, names in enumerate((["J\u00f3e", "Joe"], ["\u0391\u03bd\u03bd\u03b1"], ["\u5c71\u7530\u306f\u306a"])):
        known = Persons(tmp_path / f"{number}.json")
        for name in names:
            known.invite(name, time.time())
    with pytest.raises(UsageError, match="too much like"):
        Persons(tmp_path / "0.json").invite("Jo\u0301e", time.time())


@pytest.fixture
def two(home, plan):
    """A home whose policy asks two persons, and the state of what waits there."""
    policy = home / "policy.toml"
    policy.write_text(policy.read_text().replace("people = 1", "people = 2"))

    def state():
        with Requests(home / "requests.sqlite") as book:
            return book.state("r1")

    return state


def said(home, persons, plan, name):
    """An invited person approves."""
    if persons.named(name) is None:
        persons.choose(persons.invite(name, time.time()), time.time(), password=GOOD)
    visitor = Visitor(home)
    assert sign_in(visitor, name).status_code == 303
    return visitor.decide(plan, "approve").status_code


def test_the_printed_address_the_terminal_and_an_invitation_are_one_person(home, plan, two):
    """A name that the terminal gave itself is not the person's who has it later."""
    known = Persons(home / "persons.json")
    assert Visitor(home, person="Bob").enter().decide(plan, "approve").status_code == 303
    assert said(home, known, plan, "Ann Example") == 303
    assert two() is State.PENDING
    for name in ("ANN example", "bob", "carla"):
        with pytest.raises(Refused, match="each says yes as themselves"):
            decide(home, "approve", plan, name)
    known.choose(known.invite("Bob", time.time()), time.time(), password=GOOD)
    with Requests(home / "requests.sqlite") as book:
        assert book.missing("r1", Approve(people=2)) == 1
    assert said(home, known, plan, "Bob") == 303
    assert two() is State.APPROVED  # the control


def test_of_who_was_removed_nothing_counts_nor_after_a_return(home, persons, plan, two):
    assert said(home, persons, plan, "ann") == 303
    old = Visitor(home)
    assert sign_in(old, "ann").status_code == 303
    persons.remove("ann")
    persons.invite("ann", time.time())
    assert old.get("/").status_code == 303  # who returns signs in anew
    assert said(home, persons, plan, "bob") == 303
    assert two() is State.PENDING
    assert said(home, persons, plan, "carla") == 303
    assert two() is State.APPROVED


def test_a_no_of_the_terminal_holds_and_is_taken_back_there(home, persons, plan, two):
    decide(home, "deny", plan, "officer")
    assert two() is State.DENIED
    _, done = decide(home, "approve", plan, "Officer")
    assert done.missing == 2


def test_a_session_of_the_printed_address_does_not_come_back(home):
    known, visitor = Persons(home / "persons.json"), Visitor(home).enter()
    known.invite("ann", time.time())
    assert visitor.get("/").status_code == 303
    known.remove("ann")
    assert visitor.get("/").status_code == 303


def test_requests_and_pages_know_the_same_persons(home):
    at = SiteHome.at(home)
    assert Persons.beside(at.requests).path == at.persons


@pytest.fixture
def key(home):
    """(visitor, the authenticator with which ann joined)."""
    visitor, made = Visitor(home), Authenticator()
    token = Persons(home / "persons.json").invite("ann", time.time())
    answer = made.make(options(visitor, f"/join?token={token}", "/join/passkey"), visitor.origin.text)
    assert visitor.post("/join/passkey", {"token": token, "credential": answer}).status_code == 303
    assert visitor.get("/").status_code == 200
    return visitor.again(), made


def ask(visitor):
    return options(visitor, "/sign-in", "/sign-in/passkey")


def test_a_passkey_signs_in_once_a_page(home, key):
    visitor, made = key
    asked = ask(visitor)
    answer = made.sign(asked, visitor.origin.text)
    assert visitor.post("/sign-in/passkey", {"credential": answer}).status_code == 303
    assert "signed in as ann" in words(visitor.get("/").text)
    replay = visitor.again().post("/sign-in/passkey", {"credential": answer})
    assert replay.status_code == 409
    again = made.sign(asked, visitor.origin.text)  # a fresh signature of a challenge that was used
    assert visitor.again().post("/sign-in/passkey", {"credential": again}).status_code == 409
    assert log(home)[-2:] == [("sign-in", "refused", "", ("passkey",))] * 2


def test_a_signature_for_another_place_time_or_purpose_is_none(home, key):
    visitor, made = key
    here = visitor.origin.text
    token = Persons(home / "persons.json").invite("ann", time.time())
    to_make = json.loads(options(visitor, f"/join?token={token}", "/join/passkey"))

    def late():
        asked = ask(visitor)
        visitor.clock.now += LIFE + 2
        return made.sign(asked, here)

    def unverified():
        made.flags = PRESENT
        said = made.sign(ask(visitor), here)
        made.flags = PRESENT | VERIFIED
        return said

    def copied():
        made.count = -1
        said = made.sign(ask(visitor), here)
        made.count = 5
        return said

    def forged():
        return Authenticator(ident=made.ident).sign(ask(visitor), here)

    tries = {
        "another origin": lambda: made.sign(ask(visitor), "https://evil.example"),
        "another port": lambda: made.sign(ask(visitor), "http://localhost:9999"),
        "another host's key": lambda: made.sign(ask(visitor), here, rp="evil.example"),
        "a stranger's key": lambda: Authenticator().sign(ask(visitor), here),
        "a forged signature": forged,
        "a challenge of its own": lambda: made.sign(json.dumps({"challenge": "AAAA", "rpId": "localhost"}), here),
        "a challenge to make a key": lambda: made.sign(json.dumps({**to_make, "rpId": "localhost"}), here),
        "too late": late,
        "an unverified user": unverified,
        "no passkey": lambda: "",
        "no answer": lambda: "[]",
        "half an answer": lambda: json.dumps({"rawId": "AA", "response": {"clientDataJSON": 1}}),
        "deep nonsense": lambda: "[" * 5000,
        "deep nonsense inside": lambda: json.dumps({"response": {"clientDataJSON": "W1tb" * 12_000}}),
    }
    assert visitor.post("/sign-in/passkey", {"credential": made.sign(ask(visitor), here)}).status_code == 303
    tries["a copied key"] = copied  # it counts from the start again
    for what, attack in tries.items():
        answer = visitor.again().post("/sign-in/passkey", {"credential": attack()})
        assert answer.status_code == 409, what
        assert "set-cookie" not in answer.headers
    assert visitor.post("/sign-in/passkey", {"credential": made.sign(ask(visitor), here)}).status_code == 303


def test_a_passkey_is_made_for_the_invited_and_no_other(home, key):
    visitor, _ = key
    known = Persons(home / "persons.json")
    tokens = {name: known.invite(name, time.time()) for name in ("bob", "carla")}
    asked = options(visitor, f"/join?token={tokens['bob']}", "/join/passkey")
    made = Authenticator().make(asked, visitor.origin.text)
    assert visitor.post("/join/passkey", {"token": tokens["carla"], "credential": made}).status_code == 409
    assert visitor.post("/join/passkey", {"token": "0" * 64, "credential": made}).status_code == 409
    foreign = Authenticator().make(asked, "https://evil.example")
    assert visitor.post("/join/passkey", {"token": tokens["bob"], "credential": foreign}).status_code == 409
    assert not known.named("carla").joined


def test_a_key_that_could_check_no_signature_is_not_taken(home, persons):
    """It would be found out at the first sign-in, when the invitation is used up."""
    visitor = Visitor(home)
    token = persons.invite("carla", time.time())
    broken = [
        {1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)},  # on no curve
        {1: 2, 3: -7, -1: 1, -2: b"x"},
        {1: 2, 3: -7, -1: 99, -2: bytes(32), -3: bytes(32)},
        {1: 3, 3: -257, -1: b"", -2: b""},
        {1: 9},
    ]
    for cose in broken:
        asked = options(visitor, f"/join?token={token}", "/join/passkey")
        made = Authenticator(cose=cose).make(asked, visitor.origin.text)
        answer = visitor.post("/join/passkey", {"token": token, "credential": made})
        assert answer.status_code == 409, cose
    assert not persons.named("carla").joined
    asked = options(visitor, f"/join?token={token}", "/join/passkey")
    made = Authenticator().make(asked, visitor.origin.text)
    assert visitor.post("/join/passkey", {"token": token, "credential": made}).status_code == 303  # the control
