"""The pages that only show: the access log, the budget, the policy, the members."""

import csv
import io
import json
import re
import threading
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import get_args

import pytest

from potluck.api.network.doctor import Finding
from potluck.api.network.ledger import spending
from potluck.api.network.members import federation_show
from potluck.console.said import said
from potluck.members.about import About
from potluck.members.home import SiteHome
from potluck.owner.access import AccessLog, Entry, Event, Outcome, Subject, read
from potluck.owner.requests import Requests, State
from potluck.report import words as words_of
from support.console import home as homes
from support.console.home import Visitor, words

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def fill(home, count):
    """So many lines, as a long life leaves them, written at once."""
    log = AccessLog(home / "access.jsonl")
    log.write(
        "request", NOW, outcome="pending", about=Subject(asker="hospitals", plan="heart", hash="ab" * 32, run="r9")
    )
    line = (home / "access.jsonl").read_bytes().splitlines(keepends=True)[-1]
    with (home / "access.jsonl").open("ab") as file:
        file.write(line * (count - 1))


def rows(text):
    return len(re.findall(r"<tr[ >]", text)) - 1


def test_ten_thousand_lines_are_pages_that_one_can_read(home):
    visitor = Visitor(home).enter()
    fill(home, 10_000)
    log = visitor.get("/log")
    assert rows(log.text) == 100
    assert "10,001 lines, newest first: page 1 of 101" in words(log.text)
    assert rows(visitor.get("/log?page=101").text) == 1
    assert "Signed in" in words(visitor.get("/log?page=101").text).partition("More")[2]  # the oldest
    assert len(log.content) < 100_000


@pytest.mark.slow
def test_a_hundred_requests_are_a_line_each(home):
    visitor = Visitor(home).enter()
    for number in range(99):
        homes.ask(home, homes.spec(name=f"n{number}"), f"q{number}")
    assert rows(visitor.get("/").text) == 100
    homes.ask(home, homes.spec(name="the last", purpose="another"), "q100")
    assert "101 requests wait for a decision, oldest first: page 1 of 2" in words(visitor.get("/").text)
    for path in ("/", "/past"):
        assert rows(visitor.get(f"{path}?page=2").text) == 1
        assert visitor.get(f"{path}?page=3").status_code == 400
        assert rows(visitor.get(f"{path}?about=AnOther").text) == 1
        assert "this text" in words(visitor.get(f"{path}?about=nowhere").text)


def test_the_log_is_filtered_by_event_and_text_and_exported_so(home, ann, plan):
    fill(home, 150)
    ann.decide(plan, "deny", "no permit, and no contract")
    text = words(ann.get("/log?event=deny").text)
    assert "1 line" in text
    assert "no permit, and no contract" in text
    assert rows(ann.get("/log?about=HEART").text) == 100
    assert "page=2" in ann.get("/log?about=HEART").text
    assert "no such line" in words(ann.get("/log?event=deny&about=heart").text)
    decisions = ann.get("/log?event=decisions").text
    assert (rows(decisions), "no permit, and no contract" in words(decisions)) == (1, True)
    answer = ann.get("/log/export?about=permit")
    assert answer.headers["content-disposition"] == 'attachment; filename="access-log.csv"'
    (line,) = csv.DictReader(io.StringIO(answer.text))
    assert (line["event"], line["person"], line["reason"]) == ("deny", "ann", "no permit, and no contract")
    assert len(list(csv.DictReader(io.StringIO(ann.get("/log/export").text)))) == 152


LINES = {
    ("request", "pending", "", ()): "A run was asked for: it waits",
    ("request", "denied", "", ("epsilon_per_plan", "min_rows")): "turned away by the policy asked by hospitals",
    ("request", "denied", "", ("federation",)): "turned away by the policy or program",
    ("request", "denied", "", ("denied",)): "a person here had denied the plan",
    ("rows", "", "ann", ()): "Rows were looked at ann",
    ("rows", "", "", ()): "A run read the rows for hospitals",
    ("end", "withdrawn", "", ()): "A run was cancelled by who asked",
    ("policy", "done", "", ()): "The policy was changed in the file, by whoever has the terminal",
    ("policy", "pending", "ann", ('allow.tasks +"a" -"b"', "allow.min_rows: 5 -> 6; approve.rule: person -> hash")): (
        'What they may ask for: added "a" taken out "b"; Fewest rows to learn from: 5 → 6; '
        "Who says yes to what the policy allows: somebody approves every run → "
    ),
    ("person", "done", "ann", ("invited", "bob")): "A person was invited ann bob",
    ("sign-in", "done", "ann", ("password",)): "Signed in ann with a password",
    ("doctor", "done", "ann", ()): "All was looked at, for Health",
}  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line[0]}-{line[1]}-{line[2]}-{len(line[3])}")
def test_a_line_of_the_log_is_a_sentence_on_the_page_and_in_the_table(standing, line):
    event, outcome, person, why = line
    home, ann, _ = standing
    path = home / "access.jsonl"
    before = path.read_bytes()
    try:
        path.write_text("")
        AccessLog(path).write(event, NOW, outcome=outcome, about=Subject(asker="hospitals", person=person), why=why)
        text = words(ann.get("/log").text)
        (row,) = csv.DictReader(io.StringIO(ann.get("/log/export").text))
    finally:
        path.write_bytes(before)
    assert LINES[line] in " ".join(text.split())
    assert row["what"] in text
    assert (row["event"], row["why"]) == (event, ", ".join(why))


def test_every_event_and_outcome_of_a_log_has_words(home):
    for event, outcome in product(get_args(Event), get_args(Outcome)):
        one = Entry(when=NOW.isoformat(), event=event, outcome=outcome)
        assert said(one)[0].isupper(), event


@pytest.mark.parametrize(
    "query", ["page=0", "page=3", "page=-1", "page=%C2%B2", "page=" + "9" * 50, "event=nothing", "page="]
)
def test_a_page_or_event_that_is_not_there_is_said(standing, query):
    _, ann, _ = standing
    assert ann.get(f"/log?{query}").status_code == 400


FORMULAS = ['=HYPERLINK("https://evil.example")', "+1", "@x", "-2", " =1", "\uff1d1", 'study;=cmd|" /C calc"!A1',
            'a";=1', "x; \uff0b1", "a,=1"]  # fmt: skip


def test_no_name_is_a_formula_in_a_spreadsheet(home, ann):
    """Nor in one that takes a semicolon for the end of a cell, which no quotes of ours keep from it."""
    log = AccessLog(home / "access.jsonl")
    for evil in FORMULAS:
        log.write("request", NOW, about=Subject(asker=evil, plan="p", run=evil), why=(evil,))
    text = ann.get("/log/export").text
    for mark in ",;\t":
        cells = [one.strip(' "') for line in csv.reader(io.StringIO(text), delimiter=mark) for one in line]
        assert [one for one in cells if unicodedata.normalize("NFKC", one).startswith(("=", "+", "-", "@"))] == []
    assert f"'{FORMULAS[0]}" in [one for line in csv.reader(io.StringIO(text)) for one in line]


def test_filters_are_text(home, ann):
    page = ann.get("/log?about=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert "<script" not in page.text
    assert 'value="&#34;&gt;&lt;script' in page.text


def test_the_budget_is_the_ledgers(home, ann):
    assert "No run has used this site's rows" in words(ann.get("/budget").text)
    known = homes.spent(home)
    assert 0.1 < known < 10
    text = words(ann.get("/budget").text)
    assert f"In all ε {words_of.epsilon(known)}" in text
    spent = words_of.epsilon(spending(home).composed_year)
    assert f"The last year ε {spent} composed" in text
    assert f"Left this year ε {10 - float(spent):.2f} of 10.00, the cap" in text  # both as printed are the cap
    assert "heart" in text


def test_the_policy_is_said_in_words_and_follows_the_file(home, ann):
    assert "Epsilon of the last 366 days, composed, is at most 10." in words(ann.get("/policy").text)
    homes.policy(home, "epsilon_per_year = 10.0", "epsilon_per_year = 2.5")
    assert "is at most 2.5." in words(ann.get("/policy").text)
    homes.policy(home, "epsilon_per_year", "epsilon_per_yeer")
    answer = ann.get("/policy")
    assert answer.status_code == 400
    assert "epsilon_per_yeer" in words(answer.text)


def test_members_are_shown_with_their_fingerprints(home, ann):
    text = words(ann.get("/members").text)
    found = federation_show(home, time.time()).document()
    assert len(found["members"]) == 4
    for fingerprint in (*found["members"].values(), found["coordinator"]):
        assert fingerprint in text
    assert "in 29 days" in text


def test_what_a_member_says_of_itself_is_its_own_words(home, ann, stranger, monkeypatch):
    """Beside its fingerprint, escaped; they prove nothing, and the page says so."""
    says = About("St. <b>Anna", "AT", "Dr. X, +43 1 2345")
    pinned = SiteHome.at(home).pinned()
    cards = tuple(replace(one, about=says) if one.party.name == "d" else one for one in pinned.members)
    monkeypatch.setattr(SiteHome, "pinned", lambda self: replace(pinned, members=cards))
    page = ann.get("/members").text
    assert words(page).count("What a member says of itself proves nothing") == 1
    assert "St. <b>" not in page
    assert "Says of itself nothing" not in words(page).partition("d site St. <b>Anna, AT Dr. X, +43 1 2345")[2]


def test_health_says_what_is_wrong_and_what_to_do_in_words_and_looks_at_all_when_asked(home, ann, monkeypatch):
    text = words(ann.get("/health").text)
    assert "potluck site doctor" in text
    (home / "policy.toml").write_text("version = 1\n[allow]\nwhom = []\n")
    page = ann.get("/health")
    text = words(page.text)
    assert "✗ Wrong" in text
    assert "unknown key allow.whom" in text
    asked = []

    def examine(folder, *, quick=False, person=""):
        asked.append(quick)
        return (
            Finding("broker", "bad", "it <b>refuses</b> \u202ethese keys", "rotate"),
            Finding("disk", "look", "x", "potluck site rows"),
            Finding("clock", "good", "ok"),
        )

    monkeypatch.setattr("potluck.console.site.health.examine", examine)
    ann.get("/health")
    answer = ann.post("/health/look", {"form": ann.form("/health", "/health/look")})
    text = words(answer.text)
    assert asked == [True, True, False]  # a page that is loaded never waits for a broker
    assert "One thing is wrong" in text
    assert "What to do: rotate" in text
    assert "Ask IT, with this line: potluck site rows" in text
    assert text.index("Broker") < text.index("Disk") < text.index("Clock")
    assert "<b>refuses" not in answer.text
    assert "\u202e" not in answer.text
    assert ann.post("/health/look", {"form": "0" * 64}).status_code == 409


def test_one_look_at_everything_goes_on_at_a_time(home, ann, monkeypatch):
    began, go = threading.Event(), threading.Event()

    def slow(folder, *, quick=False, person=""):
        if not quick:
            began.set()
            assert go.wait(60)
        return ()

    monkeypatch.setattr("potluck.console.site.health.examine", slow)
    forms = [ann.form("/health", "/health/look") for _ in range(2)]
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(lambda: ann.post("/health/look", {"form": forms[0]}).status_code)
        assert began.wait(60)
        assert ann.post("/health/look", {"form": forms[1]}).status_code == 429
        go.set()
        assert first.result() == 200


@pytest.fixture
def stranger(home):
    """(name, fingerprint) of a member to whom nobody here agreed."""
    known = SiteHome.at(home).known
    (path,) = [known.path]
    found = json.loads(path.read_text())
    mark = next(mark for mark, one in found["agreed"].items() if one["party"].endswith("d"))
    del found["agreed"][mark]
    path.write_text(json.dumps(found))
    return mark


def test_a_new_member_is_shown_and_agreed_to_by_whoever_compared_its_fingerprint(home, ann, plan, stranger):
    text = words(ann.get("/members").text)
    assert "New here" in text
    assert stranger in text
    asked = words(ann.get(f"/requests/{plan}").text)
    assert "Whoever approves says below that they compared" in asked
    assert "it names members that are new here" in words(ann.get("/").text)
    form = ann.form("/members", "/members/agree")
    assert ann.post("/members/agree", {"form": form}).status_code == 400  # none was ticked
    form = ann.form("/members", "/members/agree")
    assert ann.post("/members/agree", {"form": form, f"agree.{stranger}": "on"}).status_code == 303
    assert "New here" not in words(ann.get("/members").text)
    assert "New here" not in words(ann.get(f"/requests/{plan}").text)
    line = read(home / "access.jsonl").entries[-1]
    assert (line.event, line.person, stranger in line.why[0]) == ("members", "ann", True)


def test_where_two_persons_approve_one_agrees_to_no_new_member(home, ann, stranger):
    policy = SiteHome.at(home).policy
    policy.write_text(policy.read_text().replace("people = 1", "people = 2"))
    form = ann.form("/members", "/members/agree")
    assert ann.post("/members/agree", {"form": form, f"agree.{stranger}": "on"}).status_code == 303
    text = words(ann.get("/members").text)
    assert "To agree to a member takes two persons here" in text
    assert "You agree; another person must, too" in text
    assert "compared the ticked ones" not in text  # nor is she asked again
    text = words(Visitor(home, person="bob").enter().get("/members").text)
    assert "ann agrees; somebody else must, too" in text
    assert f"I compared {stranger} with somebody at d" in text
    assert stranger not in SiteHome.at(home).known.agreed()


def test_whoever_approves_a_run_with_a_new_member_says_that_they_compared_it(home, ann, plan, stranger):
    page = f"/requests/{plan}"
    assert f'name="agree.{stranger}" required' in ann.get(page).text
    answer = ann.decide(plan, "approve")  # as a browser would not let her
    assert (answer.status_code, "was compared" in words(answer.text)) == (400, True)
    assert stranger not in SiteHome.at(home).known.agreed()
    fields = {"form": ann.form(page, f"{page}/decide"), "verdict": "approve", f"agree.{stranger}": "on"}
    assert ann.post(f"{page}/decide", fields).status_code == 303
    assert stranger in SiteHome.at(home).known.agreed()
    with Requests(home / "requests.sqlite") as book:
        assert book.state("r1") is State.APPROVED


def test_a_new_member_takes_two_words_wherever_they_are_given_and_asks_nobody_twice(home, plan, stranger):
    policy = SiteHome.at(home).policy
    policy.write_text(policy.read_text().replace("people = 1", "people = 2"))
    vera, viktor = (Visitor(home, person=name).enter() for name in ("vera", "viktor"))
    page, tick = f"/requests/{plan}", f"agree.{stranger}"
    form = vera.form(page, f"{page}/decide")
    assert vera.post(f"{page}/decide", {"form": form, "verdict": "approve", tick: "on"}).status_code == 303
    for shown in (page, "/members"):  # both pages know her word
        assert tick not in vera.get(shown).text
        assert "vera agrees; somebody else must, too" in words(viktor.get(shown).text)
    form = viktor.form("/members", "/members/agree")
    assert viktor.post("/members/agree", {"form": form, tick: "on"}).status_code == 303
    assert stranger in SiteHome.at(home).known.agreed()
    assert "vera approved" in words(viktor.get(page).text)  # what she approved still counts
    assert viktor.decide(plan, "approve").status_code == 303
    with Requests(home / "requests.sqlite") as book:
        assert book.state("r1") is State.APPROVED


def test_nobody_agrees_to_members_that_were_not_shown(home, ann, stranger):
    path = SiteHome.at(home).known.path
    form = ann.form("/members", "/members/agree")
    found = json.loads(path.read_text())
    other = next(mark for mark, one in found["agreed"].items() if one["party"].endswith("b"))
    del found["agreed"][other]
    path.write_text(json.dumps(found))
    for fields in ({f"agree.{other}": "on"}, {f"agree.{stranger}": "on"}):
        assert ann.post("/members/agree", {"form": form} | fields).status_code == 409
    assert other not in json.loads(path.read_text())["agreed"]


def test_what_was_turned_away_without_asking_anybody_is_said_with_what_to_do(home, ann):
    log, now = AccessLog(home / "access.jsonl"), datetime.now(UTC)
    for why in ("denied", "revoked"):  # by a person
        log.write("request", now, outcome="denied", about=Subject(asker="hospitals", plan="n", run="r"), why=(why,))
    assert "Turned away" not in words(ann.get("/").text)
    (home / "access.jsonl").write_text("")
    for number, why in enumerate([("epsilon_per_plan",), ("federation",), *[("engine",)] * 25]):
        about = Subject(asker="hospitals", plan=f"<b>n{number}", run=f"t{number}")
        log.write("request", now, outcome="denied", about=about, why=why)
    with (home / "access.jsonl").open("a") as file:
        file.write('{"when": "yesterday", "event": "request", "outcome": "denied", "why": ["engine"]}\n')
    page = ann.get("/")
    assert "And 7 more" in words(page.text)
    assert "<b>n" not in page.text
    (home / "access.jsonl").write_text("".join((home / "access.jsonl").read_text().splitlines(True)[:3]))
    text = words(ann.get("/").text)
    assert "the server goes by another federation file" in text
    assert "Most epsilon of a plan , which the policy did not allow then" in text
