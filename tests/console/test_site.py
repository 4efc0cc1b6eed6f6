"""The owner's pages say what the verbs say, and do what the verbs do."""

import json
import sqlite3

import msgspec
import pandas as pd
import pytest

from potluck.api.network.doctor.work import waiting
from potluck.api.network.history import _changes
from potluck.api.network.inbox import decide, inbox
from potluck.api.network.preview import preview
from potluck.api.network.running.status import status
from potluck.api.plan.plan import Plan
from potluck.cli import potluck
from potluck.cli.door import run as call
from potluck.console.site.assumed import once
from potluck.core.errors import Refused
from potluck.core.plan import Permit
from potluck.dp.odds import odds
from potluck.members.home import SiteHome
from potluck.owner.access import REASON, read
from potluck.owner.requests import Requests, State
from support.console import home as homes
from support.console.home import Visitor, words
from support.parties import scene


def log(home):
    return [(one.event, one.person, one.reason) for one in read(home / "access.jsonl").entries]


def state(home, run="r1"):
    with Requests(home / "requests.sqlite") as book:
        return book.state(run)


def test_a_request_is_said_in_the_words_of_the_inbox(home, ann, plan):
    (asked,) = inbox(home)
    text = words(ann.get(f"/requests/{plan}").text)
    claims, assumed = once(asked.views)
    for line in (asked.what, asked.together, asked.gist, asked.cost, *asked.sentences(claims), *asked.risks):
        assert line[1:] in text
    assert f"“The cryptography fails” means: {assumed} ." in text
    assert text.count(assumed) == 1
    assert [line.replace("the cryptography fails", assumed) for line in asked.sentences(claims)] == asked.seen
    assert "Afterwards the model is with the coordinator's server and every site" in text
    assert f"sha256:{plan}" in text
    assert (
        f"A guesser is right {-int(-odds(3.0, 1e-5) // 1)} in 100 at most" in text
    )  # Kairouz et al., by the dp room's formula
    assert text.index("in 100") < text.index("epsilon")


@pytest.mark.parametrize("task", ["train", "statistics"])
def test_what_an_officer_reads_first_is_a_page_of_plain_words(home, ann, task):
    columns = {name: {"kind": "number", "low": 0, "high": 1} for name in ("age", "chol", "cp", "thalach", "exang")}
    data = {"columns": columns, "max_rows": 400}
    asks = {
        "train": {
            "data": data | {"target": {"column": "num", "positive": ["1", "2", "3", "4"]}, "split": {"test": 0.3}},
            "model": {"kind": "logistic"},
            "training": {"method": "gradient", "rounds": 6, "expected_rows": 300},
            "privacy": scene.SHARED,
        },
        "statistics": {
            "data": data,
            "statistics": [{"name": f"mean of {one}", "kind": "mean", "column": one} for one in columns],
            "privacy": {key: value for key, value in scene.SHARED.items() if key != "clip"},
        },
    }
    of = {"name": "heart", "purpose": "Can heart disease be told from simple measurements?", "task": task}
    plan = Plan(**of, federation={"sites": list("abcd"), "corrupt": 1}, protect={"with": "mask"}, **asks[task])
    plan.require()
    page = ann.get(f"/requests/{homes.ask(home, plan.spec, 'r2')}").text
    read = homes.unfolded(page)
    assert len(read) <= 380, " ".join(read)
    text = " ".join(read)
    for said in (
        "asked by",
        "age",
        "the server learns",
        "blurred by noise",
        "who sees what",
        "in 100",
        "of 10.00",
        "deny",
    ):
        assert said in text.lower()
    for jargon in ("X25519", "Ed25519", "sha256", "delta", "cells", "collude"):
        assert jargon in page or jargon == "cells"
        assert jargon not in text


def test_what_waits_is_listed_and_what_was_asked_stays(home, ann, plan):
    assert plan in ann.get("/").text
    ann.decide(plan, "deny", "not in our interest")
    assert plan not in ann.get("/").text
    assert "denied" in words(ann.get("/past").text)


def test_a_decision_is_the_verbs_own_and_stands_in_the_log_with_person_and_reason(home, ann, plan):
    assert ann.decide(plan, "approve", "as the board agreed").headers["location"] == f"/requests/{plan}"
    assert state(home) is State.APPROVED
    assert ann.decide(plan, "revoke", "the board changed its mind").status_code == 303
    assert state(home) is State.REVOKED
    assert log(home)[2:] == [("approve", "ann", "as the board agreed"), ("revoke", "ann", "the board changed its mind")]


def test_a_verb_takes_a_reason_too(home, plan, capsys):
    told = ["site", "deny", str(home), plan, "--person", "bob", "--reason", "no permit", "--json"]
    assert call(potluck, told) == 0
    assert json.loads(capsys.readouterr().out)["reason"] == "no permit"
    assert log(home) == [("deny", "bob", "no permit")]


@pytest.mark.parametrize("reason", ["", "  ", "x" * (REASON + 1)])
def test_a_no_needs_a_reason_and_its_form_stays_good(home, ann, plan, reason):
    page = f"/requests/{plan}"
    form = ann.form(page, f"{page}/decide")
    assert ann.decide(plan, "deny", reason, form).status_code == 400
    assert state(home) is State.PENDING
    assert ann.decide(plan, "deny", "why not", form).status_code == 303


def test_where_the_policy_asks_two_one_person_is_one(home, plan):
    homes.policy(home, "people = 1", "people = 2")
    ann, bob = (Visitor(home, person=name).enter() for name in ("ann", "bob"))
    assert ann.decide(plan, "approve").status_code == 303
    assert 'value="approve"' not in ann.get(f"/requests/{plan}").text  # she is not asked again
    assert ann.decide(plan, "approve").status_code == 409
    decide(home, "approve", plan, "ann")  # in the terminal she says it again: still one person
    assert state(home) is State.PENDING
    page = words(bob.get(f"/requests/{plan}").text)
    assert "one approval missing ann approved; whoever opens these pages under another name can" in page
    assert page.count("ann approved it") == 2
    assert bob.decide(plan, "approve").status_code == 303
    assert state(home) is State.APPROVED


def test_a_page_says_who_decided_and_what_follows(home, plan):
    homes.policy(home, "people = 1", "people = 2")
    ann, bob = (Visitor(home, person=name).enter() for name in ("ann", "bob"))
    page = f"/requests/{plan}"
    assert 'class="stamp done"' not in ann.get(page).text
    ann.decide(plan, "approve")
    text = words(ann.get(page).text)
    assert "Approved by ann , " in text
    assert "one more person must approve" in text
    bob.decide(plan, "approve")
    assert "once the other parties approve, too" in words(bob.get(page).text)
    bob.decide(plan, "deny", "no permit")
    text = words(ann.get(page).text)
    assert "Denied by bob , " in text
    assert "is told so, and not why" in text


def test_what_a_newer_policy_forbids_cannot_be_approved_here(home, ann, plan):
    page = f"/requests/{plan}"
    form = ann.form(page, f"{page}/decide")
    homes.policy(home, "epsilon_per_plan = 10.0", "epsilon_per_plan = 0.5")
    text = words(ann.get(page).text)
    assert "The policy of now does not allow it" in text
    assert "State not allowed by the policy of now Asked by" in text  # and nobody "can"
    assert "Nothing waits for a decision" in words(ann.get("/").text)
    assert "not allowed by the policy of now" in words(ann.get("/past").text)
    assert (inbox(home), status(home).waiting) == ([], ())
    assert [one.what for one in waiting(SiteHome.at(home), 0.0)] == ["none waits"]
    assert ann.decide(plan, "approve", form=form).status_code == 409
    assert ann.decide(plan, "approve", form=ann.form(page, f"{page}/decide")).status_code == 409
    assert state(home) is State.PENDING
    homes.policy(home, "epsilon_per_plan = 0.5", "epsilon_per_plan = 10.0")
    assert "The policy of now" not in words(ann.get(page).text)
    assert len(inbox(home)) == len(status(home).waiting) == 1
    homes.ask(home, codes=("epsilon_per_plan",))  # asked again while the policy was against it
    assert state(home) is State.DENIED
    homes.ask(home)
    assert ann.decide(plan, "approve").status_code == 303  # the control


def test_a_run_that_is_over_can_only_be_kept_from_running_again(home, ann, plan):
    page = f"/requests/{plan}"
    promised = words(ann.get(page).text).partition("A guesser is right ")[2][:3]
    ann.decide(plan, "approve")
    assert "Revoke" in words(ann.get(page).text)
    homes.spent(home)
    with Requests(home / "requests.sqlite") as book:
        book.finish("r1")
    text = words(ann.get(page).text)
    assert int(text.partition("A guesser is right ")[2][:3]) < int(promised)  # of what was spent
    assert not {"Revoke", "Deny", "Approve"} & set(text.split())
    assert inbox(home, plan)[0].before == 0  # it is not among those before itself
    assert ann.decide(plan, "revoke", "no").status_code == 409
    assert ann.decide(plan, "deny", "once is enough").status_code == 303
    assert state(home) is State.FINISHED
    text = words(ann.get(page).text)
    assert "No later run of this plan begins here, until ann approved it" in text
    assert "Approve after all" in text
    assert "Approve after all" not in words(Visitor(home, person="bob").enter().get(page).text)  # hers alone
    homes.ask(home, run="r2")
    assert state(home, "r2") is State.DENIED


def test_a_yes_reads_the_rows_first_and_those_that_do_not_fit_want_a_tick(home, ann, plan):
    """Control: rows that fit are read and counted, and the same press approves."""
    page, good = f"/requests/{plan}", (home / "rows.csv").read_text()
    (home / "rows.csv").write_text("id,other\n1,2\n")
    form = ann.form(page, f"{page}/decide")
    answer = ann.decide(plan, "approve", "as agreed", form=form)
    text = words(answer.text)
    assert (answer.status_code, state(home)) == (409, State.PENDING)
    assert "Nothing was decided: the rows here do not fit this plan" in text
    assert "Approve anyway" in text
    assert "as agreed" in answer.text
    assert "Approve anyway" not in words(ann.get(page).text)
    fields = {"form": ann.form(page, f"{page}/decide"), "verdict": "approve", "reason": "x", "anyway": "on"}
    assert ann.post(f"{page}/decide", fields).status_code == 303
    assert state(home) is State.APPROVED
    (home / "rows.csv").write_text(good)
    homes.ask(home, run="r2")
    assert ann.decide(plan, "approve").status_code == 303
    assert state(home, "r2") is State.APPROVED
    events = [one.event for one in read(home / "access.jsonl").entries]
    assert [one for one in events if one in ("rows", "approve")] == ["approve", "rows", "approve"]


def test_what_differs_from_an_earlier_plan_of_the_task_is_said_in_words_and_by_key(home, ann, plan):
    assert "Nothing of hospitals for this task was let in." in words(ann.get(f"/requests/{plan}").text)
    ann.decide(plan, "approve")
    later = homes.ask(home, homes.spec(purpose="to sell it"), "r2")
    text = words(ann.get(f"/requests/{later}").text)
    before = text[text.index("What differs") :]
    assert "Its purpose is another; it was: test." in before
    assert 'purpose "test" "to sell it"' in before
    assert "null" not in before[: before.index("The small print")]
    assert "training.rounds" not in before[: before.index("The small print")]
    ann.decide(later, "approve")
    first = words(ann.get(f"/requests/{plan}").text)  # what came after it is nothing before it
    assert "Nothing of hospitals for this task was let in." in first


def test_the_permit_is_read_first_and_once_it_is_over_nobody_approves(home, ann, plan):
    permit = Permit(basis="EHDS art. 53 <b>", controller="Ward 7", retention="ten years", expires="2027-12-31")
    held = homes.ask(home, homes.spec(permit=permit), run="r2")
    text = words(ann.get(f"/requests/{held}").text)
    places = [text.index(said) for said in ("Ward 7", "EHDS art. 53 <b>", "ten years", "2027-12-31", "Asked by")]
    assert places == sorted(places)
    assert ann.decide(held, "approve").status_code == 303
    over = homes.ask(home, homes.spec(permit=Permit(expires="2020-01-01")), run="r3")
    page = ann.get(f"/requests/{over}").text
    assert "Its permit is over" in words(page)
    assert 'value="approve"' not in page
    with pytest.raises(Refused, match="permit is over"):
        decide(home, "approve", over, "ann")
    changed = words(page).partition("What differs")[2]  # beside the one that was let in
    assert "permit.expires &quot;2027-12-31&quot;".replace("&quot;", '"') in changed
    assert decide(home, "deny", over, "ann", "too late")[1].changed[0].state is State.DENIED


def test_a_preview_reads_the_rows_only_when_asked_and_says_who_looked(home, ann, plan):
    page = f"/requests/{plan}"
    assert [event for event, _, _ in log(home)] == ["sign-in"]
    answer = ann.post(f"{page}/preview", {"form": ann.form(page, f"{page}/preview")})
    assert "Nothing was sent" in words(answer.text)
    assert "Gradient" in words(answer.text)
    assert log(home)[1:] == [("rows", "ann", "")]
    assert ann.get(f"{page}/preview").status_code == 405


def test_what_would_leave_is_said_by_feature(home, ann):
    """Known answer: at weights 0 the logistic gradient is the sum of (1/2 - y) times the feature, to its sign."""
    exact = scene.plan(privacy=scene.NONE).spec
    whole = msgspec.structs.replace(exact.data, split=None)
    plan = homes.ask(home, msgspec.structs.replace(exact, data=whole), "r2")
    page = f"/requests/{plan}"
    found = preview(home, plan)
    rows = pd.read_csv(home / "rows.csv")
    sums = {name: ((0.5 - rows["y"]) * rows[name]).sum() / 3 for name in ("x", "z")}  # ranges of -3 to 3 become -1 to 1
    values = dict(zip(found.names["gradient"], found.values["gradient"], strict=True))
    assert list(values) == ["intercept", "x", "z"]
    sign = 1 if values["x"] * sums["x"] > 0 else -1
    assert {name: sign * values[name] for name in sums} == pytest.approx(sums, abs=1e-3)
    text = words(ann.post(f"{page}/preview", {"form": ann.form(page, f"{page}/preview")}).text)
    assert f"x {values['x']:.6g}" in text


def test_a_bug_is_named_and_shows_nothing_else(ann, monkeypatch):
    def broken(*_):
        raise ValueError("row 42 says 3.14")

    monkeypatch.setattr("potluck.console.site.requests.history", broken)
    answer = ann.get("/")
    assert answer.status_code == 500
    assert "Bug: ValueError" in words(answer.text)
    assert "42" not in answer.text
    assert "content-security-policy" in answer.headers


def test_a_damaged_file_of_persons_lets_nobody_in(home, ann, plan):
    (home / "persons.json").write_text("{")
    (home / "persons.json").chmod(0o600)
    for path in ("/", f"/requests/{plan}", "/sign-in"):
        answer = ann.get(path)
        assert answer.status_code == 400
        assert "Is damaged (persons.json)" in words(answer.text)
        assert str(home.parent) not in answer.text


def test_a_plan_of_another_version_hides_no_other_and_can_be_denied(home, ann, plan, capsys):
    old = homes.ask(home, homes.spec(purpose="old"), "r2")
    with sqlite3.connect(home / "requests.sqlite") as db:
        db.execute("""UPDATE plans SET plan = replace(plan, '"version":1', '"version":99') WHERE hash = ?""", (old,))
        assert db.total_changes == 1
    for path in ("/", "/past"):
        assert plan in ann.get(path).text
        assert "a plan that this version cannot read" in words(ann.get(path).text)
    answer = ann.get(f"/requests/{old}")
    assert answer.status_code == 409
    assert "cannot read" in words(answer.text)
    assert [one.request.hash for one in inbox(home)] == [plan]
    assert call(potluck, ["site", "inbox", str(home), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert ([one["hash"] for one in told["requests"]], told["unread"]) == ([f"sha256:{plan}"], [f"sha256:{old}"])
    assert ann.decide(plan, "approve").status_code == 303
    decide(home, "deny", old, "ann")
    assert state(home, "r2") is State.DENIED


def test_no_difference_hides_behind_a_name_with_dots_and_one_that_says_nothing_is_not_shown():
    def shown(before, now):
        return [(one.key, one.before, one.now) for one in _changes(before, now)]

    one, other = ({"columns": {"a": {"b.c": 1}}}, {"columns": {"a.b": {"c": 1}}})
    assert shown(one, other) == [("columns.a", "b.c = 1", "–"), ('columns."a.b"', "–", "c = 1")]
    assert shown({"a": {"b": [1], "c": 0}}, {"a": {"b": [2], "c": 1}}) == [("a.b", "[1]", "[2]"), ("a.c", "0", "1")]
    assert shown({"a": None, "b": 1}, {"b": 1, "c": {"d": None, "e": []}}) == []
    assert shown({"x": None}, {"x": {"low": 0, "unit": "", "at": {"y": "z"}}}) == [("x", "–", 'low = 0, at = y = "z"')]


def test_a_page_that_is_not_there_says_so(ann):
    for path in ("/nowhere", "/requests/" + "0" * 64):
        answer = ann.get(path)
        assert answer.status_code in (400, 404)
        assert "did not work" in words(answer.text)
