"""The policy through the pages: what one account of two can do to it, and what no form reaches."""

import json
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest

from potluck.api.network.inbox import Seen, decide
from potluck.api.network.policy import amend
from potluck.members.home import SiteHome
from potluck.members.persons import Persons
from potluck.owner.access import Subject, read
from potluck.owner.form.changes import Change
from potluck.owner.form.turns import turns
from support.console import home as homes
from support.console.home import Visitor, words
from support.console.policy import WHY, typed
from support.examples import fewer

CHANGE, PENDING = "/policy/change", "/policy/pending"
GOOD = "correct horse battery"
pytestmark = pytest.mark.usefixtures("cheap")


@pytest.fixture
def two(home):
    """ann and bob, signed in, where the policy asks two persons."""
    homes.policy(home, "people = 1", "people = 2")
    known, pages = Persons(home / "persons.json"), Visitor(home)

    def join(name):
        known.choose(known.invite(name, time.time()), time.time(), password=GOOD)
        visitor = pages.again()
        assert visitor.post("/sign-in/password", {"name": name, "password": GOOD}).status_code == 303
        return visitor

    return join("ann"), join("bob")


def policy(home):
    return tomllib.loads((home / "policy.toml").read_text())


def log(home):
    return [(one.outcome, one.person) for one in read(home / "access.jsonl").entries if one.event == "policy"]


def save(visitor, changes, without=()):
    page = visitor.post(CHANGE, typed(visitor.get(CHANGE).text, changes, without))
    assert page.status_code == 200, words(page.text)
    return visitor.post("/policy/save", typed(page.text, WHY, action="/policy/save"))


def say(visitor, word, page=None):
    fields = typed(page or visitor.get(PENDING).text, {"say": word}, action="/policy/decide")
    return visitor.post("/policy/decide", fields)


LOOSER = {
    "one person is enough": {"approve.people": "1"},
    "nobody is asked": {"approve.rule": "policy", "approve.people": "1"},
    "an approval serves every run": {"approve.rule": "hash"},
    "more epsilon": {"allow.epsilon_per_year": "11"},
    "no cap": {"allow.epsilon_per_plan": "", "allow.epsilon_per_plan.*": "on"},
    "a larger delta": {"allow.delta": "0.001"},
    "fewer sites": {"allow.min_sites": "1"},
    "scores are kept": {"keep.predictions": "on"},
    "one looser among tighter ones": {"allow.min_rows": "50", "allow.epsilon_per_year": "2", "approve.people": "1"},
}


@pytest.mark.parametrize("what", fewer(LOOSER, "one person is enough", "more epsilon", "one looser among tighter ones"))
def test_one_of_two_persons_allows_nothing_alone(home, two, what):
    """Nor by a second session of their own, nor by two changes after each other."""
    ann, _ = two
    before = policy(home)
    assert save(ann, LOOSER[what]).headers["location"] == PENDING
    assert policy(home) == before
    again = ann.again()
    again.post("/sign-in/password", {"name": "ann", "password": GOOD})
    assert say(again, "confirm").status_code == 409
    assert save(again, LOOSER[what]).headers["location"] == PENDING
    assert say(ann, "confirm").status_code == 409
    assert policy(home) == before
    assert log(home) == [("pending", "ann")] * 2


def test_two_persons_change_it(home, two):
    """The control of the test above."""
    ann, bob = two
    save(ann, {"approve.people": "1", "allow.min_rows": "50"})
    assert "A change waits for a second person" in words(bob.get("/policy").text)
    assert "A change of the policy waits for your word, which ann proposed" in words(bob.get("/").text)
    assert "for a second person: you proposed it" in words(ann.get("/").text)
    text = words(bob.get(PENDING).text)
    assert "ann proposed it" in text
    assert "the board of May" in text
    assert turns(read(home / "access.jsonl").entries) == ()  # nothing holds yet
    assert "Before Two. Then One." in text
    assert say(bob, "confirm").status_code == 303
    assert (policy(home)["approve"]["people"], policy(home)["allow"]["min_rows"]) == (1, 50)
    assert log(home) == [("pending", "ann"), ("approved", "bob")]
    (turn,) = turns(read(home / "access.jsonl").entries)
    assert (turn.persons, turn.reason) == (("ann", "bob"), "the board of May")
    assert bob.get(PENDING).status_code == 303
    assert save(ann, {"allow.min_rows": "1"}).headers["location"] == "/policy"  # one is enough now
    assert policy(home)["allow"]["min_rows"] == 1


def test_what_only_tightens_holds_at_once(home, two):
    ann, _ = two
    tighter = {"allow.epsilon_per_year": "1", "allow.min_rows": "50", "allow.hours": "mon-fri 08:00-18:00",
               "allow.columns": "lab1*\nage", "allow.tasks.train": "on", "allow.looks": "0"}  # fmt: skip
    without = [f"allow.{one}.*" for one in ("hours", "columns", "tasks", "looks")]
    assert save(ann, tighter, without).headers["location"] == "/policy"
    assert policy(home)["allow"]["columns"] == ["lab1*", "age"]
    assert (
        save(ann, {"allow.columns": "lab12*", "allow.hours": "tue 09:00-10:00\nfri 08:30-17:00"}).headers["location"]
        == "/policy"
    )
    for wider in ({"allow.columns": "lab*"}, {"allow.hours": "fri 08:30-18:30"}, {"allow.tasks.fit": "on"}):
        assert save(ann, wider).headers["location"] == PENDING, wider
    assert log(home) == [("done", "ann")] * 2 + [("pending", "ann")] * 3


def test_no_word_or_key_hides_among_many(home, two):
    """From whoever confirms it, and from whoever reads the log."""
    ann, bob = two
    many = "\n".join(f"harmless{number}" for number in range(400))
    homes.policy(home, 'columns = ["*"]', "columns = []")
    changes = {"allow.columns": f"{many}\nhiv_status", "approve.people": "1", "keep.predictions": "on"}
    numbers = ("epsilon_per_plan", "epsilon_per_year", "min_rows", "min_sites", "min_corrupt", "min_cell", "looks")
    changes |= {f"allow.{one}": "9" for one in numbers}
    changes |= {"allow.dominance": "0.9", "allow.max_parameters_per_row": "9", "allow.delta": "0.001",
                "allow.who": "x", "allow.tasks.train": "on", "allow.models.trees": "on", "allow.noise.none": "on",
                "allow.protect.mask": "on", "allow.readers": "x", "allow.compute": "x"}  # fmt: skip
    without = [f"allow.{one}.*" for one in (*numbers, "dominance", "max_parameters_per_row", "who", "tasks", "models",
                                           "noise", "protect", "readers", "compute")]  # fmt: skip
    save(ann, changes, without)
    text = words(bob.get(PENDING).text)
    assert "harmless399 , hiv_status" in text
    (line,) = [one for one in read(home / "access.jsonl").entries if one.event == "policy"]
    said = "; ".join(line.why)
    assert "approve.people: 2 -> 1" in said
    assert 'allow.columns +"harmless0" +"harmless1" +"harmless2" +398 more;' in said
    assert 'allow.noise +"none"' in said
    assert "keep.predictions: False -> True" in said
    assert "..." not in said
    lines = [one for one in read(home / "access.jsonl").entries if one.event == "policy"]
    keys = [f"allow.key{number}_{'x' * 60}" for number in range(45)]  # more than one line of the log holds
    parts = [Change(key, "", "", "", (), (), number == 44, f"{key}: 1 -> 2") for number, key in enumerate(keys)]
    amend._note(SiteHome.at(home), Subject(person="ann"), "pending", parts)
    added = [one.why for one in read(home / "access.jsonl").entries if one.event == "policy"][len(lines) :]
    assert [len(why) for why in added] == [20, 20, 5]
    assert added[0][0].startswith("allow.key44_")  # what loosens comes first
    assert {key for key in keys if not any(key in one for why in added for one in why)} == set()


def test_nothing_is_confirmed_but_what_was_shown(home, two):
    """The proposer swaps the change under the other's eyes, or the file does."""
    ann, bob = two
    save(ann, {"allow.epsilon_per_year": "11"})
    page = bob.get(PENDING).text
    save(ann, {"approve.people": "1"})
    assert say(bob, "confirm", page).status_code == 409
    page = bob.get(PENDING).text
    homes.policy(home, "epsilon_per_plan = 10.0", "epsilon_per_plan = 1.0")
    assert say(bob, "confirm", page).status_code == 409
    assert "It can hold no more" in words(bob.get(PENDING).text)
    assert policy(home)["approve"]["people"] == 2
    assert say(bob, "drop").status_code == 303
    assert (log(home)[-1], bob.get(PENDING).status_code) == (("denied", "bob"), 303)


def test_what_somebody_proposed_who_was_removed_is_void(home, two):
    ann, bob = two
    save(ann, {"approve.people": "1"})
    page = bob.get(PENDING).text
    known = Persons(home / "persons.json")
    known.remove("ann")
    known.choose(known.invite("ann", time.time()), time.time(), password=GOOD)  # who returns is another
    assert say(bob, "confirm", page).status_code == 409
    assert policy(home)["approve"]["people"] == 2


def test_a_yes_is_judged_by_a_policy_that_changes_as_it_is_given(home, plan):
    _, done = decide(
        home, "approve", plan, "Ada", seen=Seen(sure=lambda: homes.policy(home, "people = 1", "people = 2"))
    )
    assert (done.changed, done.missing) == ((), 1)
    homes.policy(home, "people = 2", "people = 1")
    assert decide(home, "approve", plan, "Ada")[1].changed  # the control


def test_names_of_the_printed_address_are_nobodys_once_persons_were_invited(home):
    homes.policy(home, "people = 1", "people = 2")
    carl = Visitor(home, person="carl").enter()
    save(carl, {"approve.people": "1"})
    dora = Visitor(home, person="CARL").enter()
    assert say(dora, "confirm").status_code == 409
    known = Persons(home / "persons.json")
    known.choose(known.invite("bob", time.time()), time.time(), password=GOOD)
    bob = dora.again()
    bob.post("/sign-in/password", {"name": "bob", "password": GOOD})
    assert say(bob, "confirm").status_code == 409
    assert policy(home)["approve"]["people"] == 2


def test_a_form_writes_no_key_that_names_a_file_program_or_address(home, ann):
    before = policy(home)
    evil = {"source.file": "/etc/shadow", "engine.address": "evil.example:1", "attestation.policy": "mine.toml",
            "models.folder": "/", "notify.command": "curl evil.example", "version": "2", "allow.nothing": "x",
            "allow": "x", "keep.predictions.x": "y"}  # fmt: skip
    page = ann.post(CHANGE, typed(ann.get(CHANGE).text, evil))
    assert "Nothing would change" in words(page.text)
    page = ann.post(CHANGE, typed(ann.get(CHANGE).text, {**evil, "allow.min_rows": "7"}))
    fields = typed(page.text, WHY, action="/policy/save")
    assert not {"source.file", "engine.address", "notify.command"} & set(fields)
    assert ann.post("/policy/save", {**fields, "source.file": "/etc/shadow"}).status_code == 303
    before["allow"]["min_rows"] = 7
    assert policy(home) == before


TOML = ['"]\nwho = ["*"]\n[source]\nfile = "/etc/shadow', "'''", '"""\n', "\\u005d", "x # y", "a\x00b", "[source]"]


def test_no_word_of_a_list_is_toml(home, ann):
    lines = "\n".join(json.dumps(one) for one in TOML)
    assert save(ann, {"allow.columns": lines}, ["allow.columns.*"]).status_code == 303
    assert policy(home)["allow"]["columns"] == TOML
    assert policy(home)["source"] == {"file": "rows.csv"}


def test_only_what_was_shown_is_saved_once(home, ann):
    """Another form's id, other fields than the page showed, a page of another session, a double click."""
    page = ann.post(CHANGE, typed(ann.get(CHANGE).text, {"allow.min_rows": "50"}))
    fields = typed(page.text, WHY, action="/policy/save")
    decide = ann.form("/policy", "/sign-out")
    other = Visitor(home, person="eve").enter()
    for changed in ({"form": decide}, {"form": "0" * 64}):
        assert ann.post("/policy/save", fields | changed).status_code == 409
    assert other.post("/policy/save", fields).status_code == 409
    assert ann.post("/policy/save", fields, Origin="https://evil.example").status_code == 403
    assert ann.post("/policy/save", fields | {"allow.min_rows": "1", "allow.epsilon_per_year": "99"}).status_code == 409
    assert "min_rows" not in policy(home)["allow"]
    page = ann.post(CHANGE, typed(ann.get(CHANGE).text, {"allow.min_rows": "50"}))
    fields = typed(page.text, WHY, action="/policy/save")
    with ThreadPoolExecutor(4) as pool:
        codes = [one.status_code for one in pool.map(lambda _: ann.post("/policy/save", fields), range(4))]
    assert sorted(codes) == [303, 409, 409, 409]
    assert log(home) == [("done", "ann")]


def test_who_is_not_signed_in_neither_sees_nor_changes_it(home):
    visitor = Visitor(home)
    for path in ("/policy", CHANGE, PENDING):
        assert visitor.get(path).headers["location"] == "/sign-in"
    for path in (CHANGE, "/policy/save", "/policy/decide"):
        assert visitor.post(path, {"say": "confirm"}).status_code == 401


def test_two_who_save_at_once_lose_nothing(home, ann):
    """One of them is told that the file changed."""
    other = Visitor(home, person="bob").enter()
    pages = [
        (one, typed(one.post(CHANGE, typed(one.get(CHANGE).text, {key: "9"})).text, WHY, action="/policy/save"))
        for one, key in ((ann, "allow.min_rows"), (other, "allow.min_sites"))
    ]
    with ThreadPoolExecutor(2) as pool:
        codes = [one.status_code for one in pool.map(lambda page: page[0].post("/policy/save", page[1]), pages)]
    assert sorted(codes) == [303, 409]
    allow = policy(home)["allow"]
    assert ("min_rows" in allow) != ("min_sites" in allow)
