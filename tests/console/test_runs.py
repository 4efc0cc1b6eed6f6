"""A plan that was asked for more than once: each run has its own page, which says what became of that run."""

import re
import sqlite3
from datetime import UTC, datetime

import pytest

from potluck.api.network.history import fate
from potluck.api.network.inbox import Seen, decide
from potluck.owner.access import AccessLog, Entry, Subject, read
from potluck.owner.requests import REPEATED, Request, Requests, State
from support.console import home as homes
from support.console.home import words


def state(home, run):
    with Requests(home / "requests.sqlite") as book:
        return book.state(run)


def line(home, plan, run, event, outcome, *why, number=None):
    about = Subject(asker=homes.ASKER, hash=plan, run=run)
    AccessLog(home / "access.jsonl").write(
        event, datetime.now(UTC), outcome=outcome, about=about, why=why, round=number
    )


def over(home, run):
    with Requests(home / "requests.sqlite") as book:
        book.finish(run)


def said(visitor, plan, run):
    """(what the page says is the state, the whole page)."""
    answer = visitor.get(f"/requests/{plan}?run={run}")
    assert answer.status_code == 200, words(answer.text)
    return words(re.search(r"<dt>State</dt><dd>(.*?)</dd>", answer.text)[1]).strip(), answer.text


def test_each_run_says_what_became_of_it_and_only_what_can_be_decided_has_buttons(home, ann, plan):
    """Four runs of one plan: approved and finished; revoked; approved, and denied by the policy since; waiting."""
    decide(home, "approve", plan, "ann", "as agreed")
    line(home, plan, "r1", "request", "approved")
    homes.spent(home, "r1")
    line(home, plan, "r1", "round", "done")
    over(home, "r1")
    for run in ("r2", "r3"):
        homes.ask(home, run=run)
        decide(home, "approve", plan, "ann")
    decide(home, "revoke", plan, "bob", "not twice", seen=Seen("r2"))
    with sqlite3.connect(home / "requests.sqlite") as db:
        db.execute("UPDATE requests SET state = 'approved' WHERE run = 'r3'")
    line(home, plan, "r3", "request", "denied", "epsilon_per_plan")
    homes.ask(home, run="r4")
    listed = ann.get("/past").text
    assert re.findall(rf'/requests/{plan}\?run=(r.)"', listed) == ["r4", "r3", "r2", "r1"]
    assert " approved " not in words(listed)
    found = {one: said(ann, plan, one) for one in ("r1", "r2", "r3", "r4")}
    assert {one: state for one, (state, _) in found.items()} == {
        "r1": "finished one round done here",
        "r2": "approval taken back by bob",
        "r3": "denied by the policy Most epsilon of a plan",
        "r4": "waits one approval missing",
    }
    pages = {one: words(text) for one, (_, text) in found.items()}
    assert all("It was asked for four times" in text for text in pages.values())
    assert [one for one, (_, text) in found.items() if "/decide" in text] == ["r3", "r4"]
    assert "This page is about an older run" in pages["r1"]
    assert "The policy has denied it since" in pages["r3"]
    assert "Nothing is left to do" not in pages["r3"]
    assert "This run spent epsilon" in pages["r1"]
    assert "This run has spent nothing here" in pages["r2"]
    assert "Left of the yearly cap" not in pages["r2"]
    assert "This page is about the newest run" in words(ann.get(f"/requests/{plan}").text)
    where = f"/requests/{plan}/papers"
    form = {"form": ann.form(f"{where}?run=r2", f"{where}/write")}
    assert ann.post(f"{where}/write", form).headers["location"] == f"{where}?run=r2"
    assert [one.run for one in read(home / "access.jsonl").entries if one.event == "papers"] == ["r2"]


def test_a_run_of_another_plan_is_not_this_plans(home, ann, plan):
    homes.ask(home, homes.spec(purpose="another"), "r9")
    assert ann.get(f"/requests/{plan}?run=r9").status_code == 400
    assert ann.get(f"/requests/{plan}/papers?run=r9").status_code == 404
    assert ann.get(f"/requests/{plan}?run=r1").status_code == 200  # the control


FATES = {
    "the policy denied it afterwards": ("approved", "request denied epsilon_per_plan", "denied by the policy"),
    "and it ended so": ("finished", "request denied epsilon_per_plan", "denied by the policy"),
    "the policy allowed it again": ("approved", "request denied hours; request approved", "approved"),
    "no round began": ("finished", "request approved", "ended before its first round"),
    "its last round failed": ("finished", "request approved; round done; round aborted silent",
                              "ended in a round that failed"),
    "all went well": ("finished", "request approved; round aborted silent; round done", "finished"),
    "the log is gone": ("finished", "", "finished"),
    "it was cancelled": ("withdrawn", "request pending", "cancelled by who asked"),
    "its rows did not fit": ("approved", "request approved; request refused data",
                             "turned away: the rows here do not fit the plan"),
    "they were fewer than the policy wants, whatever came of it": (
        "approved", "request approved; request refused data min_rows; end refused elsewhere",
        "refused by this site's policy: fewer rows to learn from than it wants"),
    "it goes on": ("approved", "request approved; round done; round done", "goes on: round 2 of 9"),
    "after an end, too": ("approved", "request approved; end aborted failed; round done", "goes on: round 1 of 9"),
    "it was cancelled amid": ("finished", "request approved; round done; end withdrawn", "cancelled by who asked"),
    "its rows fit again": ("approved", "request refused data; request approved", "approved"),
    "somebody said no before it came": ("denied", "deny", "denied by ann"),
}  # fmt: skip


@pytest.mark.parametrize("what", FATES)
def test_a_run_is_said_to_be_what_it_became(what):
    kind, log, word = FATES[what]
    lines = [
        Entry(
            when="2026-12-01",
            run="r1",
            event=event,
            outcome=outcome[0] if outcome else "",
            why=tuple(outcome[1:]),
            person="ann",
        )
        for event, *outcome in (one.split() for one in log.split("; ") if one)
    ]
    request = Request("r1", "h", b"", "x", 1.0, State(kind), ())
    assert fate(request, {"r1": lines}, sums=9).word == word


def test_a_decision_is_about_the_run_that_was_shown(home, ann, plan):
    """Two wait at once: the older was begun, and asked again after a step of it was repeated too often."""
    ann.decide(plan, "approve")
    homes.ask(home, run="r2")
    with Requests(home / "requests.sqlite") as book:
        book.again("r1", REPEATED)
    page = f"/requests/{plan}"

    def press(run, verdict, shown=""):
        form = ann.form(f"{page}?run={shown or run}", f"{page}/decide")
        fields = {"form": form, "run": run, "verdict": verdict, "reason": "because"}
        return ann.post(f"{page}/decide", fields)

    assert press("r1", "approve", shown="r2").status_code == 409  # not what the page was about
    answer = press("r2", "approve")
    assert answer.headers["location"] == f"{page}?run=r2"
    assert (state(home, "r1"), state(home, "r2")) == (State.PENDING, State.APPROVED)
    assert read(home / "access.jsonl").entries[-1].run == "r2"
    assert press("r1", "deny").status_code == 303  # a no is about the plan, whichever run it was read of
    assert (state(home, "r1"), state(home, "r2")) == (State.DENIED, State.DENIED)


def test_a_run_that_gave_way_to_a_newer_one_decides_nothing_and_leads_to_it(home, ann, plan):
    page = f"/requests/{plan}"
    form = ann.form(f"{page}?run=r1", f"{page}/decide")
    homes.ask(home, run="r2")
    fields = {"form": form, "run": "r1", "verdict": "approve", "reason": "as agreed"}
    answer = ann.post(f"{page}/decide", fields)
    assert answer.status_code == 409
    assert "the plan was asked again, as a new run" in words(answer.text)
    assert 'name="run" value="r2"' in answer.text
    assert "as agreed</textarea>" in answer.text
    assert state(home, "r2") is State.PENDING
