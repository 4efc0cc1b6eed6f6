"""What is decided is what was shown, once, by who saw it."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from potluck.api.network.composed import Composed
from potluck.api.network.inbox import decide, one_request
from potluck.core.errors import Refused
from potluck.owner import access
from potluck.owner.access import read
from potluck.owner.requests import Requests, State
from support.console import home as homes
from support.console.home import Visitor, words


def decided(home):
    return [one.event for one in read(home / "access.jsonl").entries if one.event in ("approve", "deny", "revoke")]


def state(home, run="r1"):
    with Requests(home / "requests.sqlite") as book:
        return book.state(run)


def test_a_form_without_its_id_or_with_another_decides_nothing(home, ann, plan):
    page = f"/requests/{plan}"
    ids = {"none": "0" * 64, "empty": " ", "sign-out's": ann.form(page, "/sign-out"),
           "preview's": ann.form(page, f"{page}/preview")}  # fmt: skip
    for ident in ids.values():
        assert ann.decide(plan, "approve", form=ident).status_code == 409
    assert decided(home) == []


def test_a_form_is_of_one_action_and_used_up_by_it(home, ann, plan):
    """Where nothing that the page showed would tell: reading the rows, signing out."""
    page = f"/requests/{plan}"
    ids = {action: ann.form(page, action) for action in (f"{page}/decide", f"{page}/preview", "/sign-out")}
    for action in (f"{page}/preview", "/sign-out"):
        for other in ids.keys() - {action}:
            assert ann.post(action, {"form": ids[other]}).status_code == 409, (action, other)
    look = {"form": ids[f"{page}/preview"]}
    assert [ann.post(f"{page}/preview", look).status_code for _ in range(2)] == [200, 409]
    assert [one.event for one in read(home / "access.jsonl").entries].count("rows") == 1


def test_a_form_of_another_session_decides_nothing(home, ann, plan):
    """An attacker who has an account of his own may fetch a form, but cannot make another's browser send it."""
    bob = Visitor(home, person="bob").enter()
    page = f"/requests/{plan}"
    his = bob.form(page, f"{page}/decide")
    assert ann.decide(plan, "approve", form=his).status_code == 409
    assert decided(home) == []


def test_a_form_of_another_plan_decides_nothing(home, ann, plan):
    other = homes.ask(home, homes.spec(purpose="another"), "r2")
    form = ann.form(f"/requests/{other}", f"/requests/{other}/decide")
    assert ann.decide(plan, "approve", form=form).status_code == 409
    assert decided(home) == []


def test_a_double_click_counts_once(home, ann, plan):
    """A second yes would serve the next run of the plan, which nobody has looked at."""
    page = f"/requests/{plan}"
    form = ann.form(page, f"{page}/decide")
    with ThreadPoolExecutor(4) as pool:
        codes = [one.status_code for one in pool.map(lambda _: ann.decide(plan, "approve", form=form), range(4))]
    assert sorted(codes) == [303, 409, 409, 409]
    assert decided(home) == ["approve"]
    homes.ask(home, run="r2")
    assert state(home, "r2") is State.PENDING


def test_two_tabs_count_once(home, ann, plan):
    page = f"/requests/{plan}"
    tabs = [ann.form(page, f"{page}/decide") for _ in range(2)]
    assert [ann.decide(plan, "approve", form=one).status_code for one in tabs] == [303, 409]
    homes.ask(home, run="r2")
    assert state(home, "r2") is State.PENDING


CHANGES = {
    "another run of it": lambda home: homes.ask(home, run="r2"),
    "its rows were counted": lambda home: homes.counted(home),
    "the budget's cap": lambda home: homes.policy(home, "epsilon_per_year = 10.0", "epsilon_per_year = 9.0"),
    "who must approve": lambda home: homes.policy(home, "people = 1", "people = 2"),
    "how many runs a yes lets in": lambda home: homes.policy(home, 'rule = "person"', 'rule = "hash"'),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changed_since_it_was_shown_is_not_decided(home, ann, plan, what):
    page = f"/requests/{plan}"
    form = ann.form(page, f"{page}/decide")
    CHANGES[what](home)
    answer = ann.decide(plan, "approve", form=form)
    assert answer.status_code == 409
    assert "has changed" in words(answer.text)
    assert decided(home) == []
    assert ann.decide(plan, "approve").status_code == 303  # the control: what the page shows now


@pytest.mark.parametrize("verdict", ["revoke", "deny"])
def test_a_no_and_a_revocation_count_while_numbers_move(home, ann, plan, verdict, monkeypatch):
    """A run in rounds moves the budget between the page and the button, and somebody counts rows meanwhile."""
    moving = iter(range(1, 100))

    def spends(home, which, run=""):
        return replace(one_request(home, which, run), spent=float(next(moving)), before=next(moving))

    monkeypatch.setattr("potluck.console.site.requests.one_request", spends)
    homes.counted(home)
    assert ann.decide(plan, "approve").status_code == 303  # what another run spends within the cap changes no yes
    form = ann.form(f"/requests/{plan}", f"/requests/{plan}/decide")
    homes.policy(home, "people = 1", "people = 2")
    assert ann.decide(plan, verdict, "stop it", form=form).status_code == 303
    assert decided(home) == ["approve", verdict]
    assert state(home) is not State.APPROVED


def test_a_yes_is_refused_once_the_cap_no_longer_bears_the_run_and_is_told_so(home, ann, plan, monkeypatch):
    page = f"/requests/{plan}"
    form = ann.form(page, f"{page}/decide")

    def full(home, which, run=""):
        return replace(one_request(home, which, run), year=Composed(99.0, 99.0))

    monkeypatch.setattr("potluck.console.site.requests.one_request", full)
    answer = ann.decide(plan, "approve", form=form)
    assert answer.status_code == 409
    assert "whether the yearly cap bears this run" in words(answer.text)
    assert "the policy" not in words(answer.text).partition("changed since (")[2].partition(")")[0]
    assert decided(home) == []


def test_a_reason_that_was_typed_is_given_back_where_nothing_was_decided(home, ann, plan):
    page = f"/requests/{plan}"
    form = ann.form(page, f"{page}/decide")
    homes.policy(home, "epsilon_per_year = 10.0", "epsilon_per_year = 9.0")
    answer = ann.decide(plan, "approve", "as the <board> agreed", form=form)
    assert answer.status_code == 409
    assert ">\nas the &lt;board&gt; agreed</textarea>" in answer.text
    assert "what the page showed has changed" in words(answer.text)
    again = re.search(
        r'action="[^"]*/decide"[^>]*>\s*<input type="hidden" name="form" value="([0-9a-f]+)"', answer.text
    )
    assert ann.decide(plan, "approve", "as the <board> agreed", form=again[1]).status_code == 303  # of this page
    assert decided(home) == ["approve"]


def test_what_was_decided_elsewhere_meanwhile_is_not_decided_again(home, ann, plan):
    page = f"/requests/{plan}"
    form = ann.form(page, f"{page}/decide")
    decide(home, "deny", plan, "carla")
    assert ann.decide(plan, "approve", form=form).status_code == 409
    assert state(home) is State.DENIED


LATE = [lambda home, plan: homes.ask(home, run="r2"), lambda home, plan: decide(home, "deny", plan, "bob")]


@pytest.mark.parametrize("late", LATE)
def test_what_changes_between_the_look_and_the_commit_is_not_decided(home, ann, plan, late, monkeypatch):
    """Another process of the home writes just before the transaction begins."""
    change = Requests.change

    def later(self):
        monkeypatch.setattr(Requests, "change", change)
        late(home, plan)
        return change(self)

    form = ann.form(f"/requests/{plan}", f"/requests/{plan}/decide")
    monkeypatch.setattr(Requests, "change", later)
    assert ann.decide(plan, "approve", form=form).status_code == 409
    assert "approve" not in decided(home)


@pytest.mark.parametrize("verdict", ["approve", "deny"])
def test_what_cannot_be_logged_is_not_decided(home, ann, plan, verdict, monkeypatch):
    def full(path, line):
        raise OSError(28, "No space left on device")

    form = ann.form(f"/requests/{plan}", f"/requests/{plan}/decide")
    with monkeypatch.context() as patch:
        patch.setattr(access, "_append", full)
        assert ann.decide(plan, verdict, form=form).status_code == 409
        with pytest.raises(Refused, match="cannot be written"):
            decide(home, verdict, plan, "bob")
    assert (state(home), decided(home)) == (State.PENDING, [])
    decide(home, "approve", plan, "bob")  # the control: and nothing of what failed counts
    assert state(home) is State.APPROVED


def test_no_other_word_is_a_verdict(home, ann, plan):
    for verdict in ("", "APPROVE", "revoke", "start", "approve\n", "withdraw"):
        assert ann.decide(plan, verdict).status_code == 409, verdict
    assert decided(home) == []


def test_what_the_policy_denies_nobody_approves_by_a_form(home, ann):
    plan = homes.ask(home, homes.spec(purpose="too much"), "r3", codes=("epsilon_per_plan",))
    page = f"/requests/{plan}"
    assert 'value="approve"' not in ann.get(page).text
    for form in ("0" * 64, ann.form(page, f"{page}/decide")):  # that of the button which keeps it from running again
        assert ann.post(f"{page}/decide", {"form": form, "verdict": "approve"}).status_code == 409
    assert state(home, "r3") is State.DENIED
