"""The policy as a form: what it would change is said before it is saved, and nothing else of the file is touched."""

import json
import os
import re
import stat
import time
import tomllib
from datetime import UTC, datetime
from hashlib import sha256

import pytest

from potluck.api.network.ledger import anchor
from potluck.api.network.policy import amend
from potluck.core.plan import CODE, canonical, digest
from potluck.members import files
from potluck.members.home import SiteHome
from potluck.members.pinned import Pinned
from potluck.owner.access import AccessLog, read
from potluck.owner.budget import Budget
from potluck.owner.form.noticed import noticed
from potluck.owner.form.turns import turns
from potluck.owner.policy import template
from potluck.owner.policy_words import HOLDS, kept
from potluck.owner.requests import Requests
from potluck.parties.admission.consent import Consent
from potluck.parties.admission.owner import Owner
from potluck.parties.admission.proposal import first_sum
from potluck.parties.admission.session import Proposal
from support.console import home as homes
from support.console.home import Visitor, words
from support.console.policy import WHY, typed
from support.places import ROOT

CHANGE = "/policy/change"
NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


def log(home):
    return [(one.outcome, one.person, one.why) for one in read(home / "access.jsonl").entries if one.event == "policy"]


def look(visitor, changes, without=()):
    return visitor.post(CHANGE, typed(visitor.get(CHANGE).text, changes, without))


def save(visitor, changes, without=()):
    """Type it, look, and press the button."""
    page = look(visitor, changes, without)
    assert page.status_code == 200, words(page.text)
    return visitor.post("/policy/save", typed(page.text, WHY, action="/policy/save"))


def test_what_would_change_is_said_and_then_saved_and_nothing_else_is_touched(home, ann):
    policy = home / "policy.toml"
    policy.write_text(
        '# ours\r\nversion = 1 # the format\r\n[source]\r\nurl = "sqlite:///secret.db"\r\nquery = "select 1"\r\n\r\n'
        '[allow]\r\n# the board, 2026\r\nepsilon_per_year = 10.0  # a year\r\nwho = ["*"]\r\nlooks = 3 # few\r\n'
        "[approve]\r\npeople = 1\r\n[notify]\r\n".replace("[notify]\r\n", ""),
        newline="",
    )
    policy.chmod(0o640)
    before = policy.read_bytes().decode()
    page = look(ann, {"allow.epsilon_per_year": "2.5", "allow.columns": "age\r\nlab*", "allow.min_rows": "20"})
    text = words(page.text)
    assert "Epsilon of the last 366 days, composed, is at most 10." in text
    assert "Epsilon of the last 366 days, composed, is at most 2.5." in text
    assert "Added age , lab*" in text
    assert "One change of 3 would allow something that is not allowed now" in text
    assert "secret" not in page.text
    assert policy.read_bytes().decode() == before  # looking changes nothing
    assert ann.post("/policy/save", typed(page.text, WHY, action="/policy/save")).headers["location"] == "/policy"
    now = policy.read_bytes().decode()
    assert now == before.replace("= 10.0  #", "= 2.5  #").replace(
        "looks = 3 # few\r\n", 'looks = 3 # few\r\ncolumns = ["age", "lab*"]\r\nmin_rows = 20\r\n'
    )
    assert stat.S_IMODE(policy.stat().st_mode) == 0o640
    assert log(home) == [
        (
            "done",
            "ann",
            ('allow.columns +"lab*" +"age"', "allow.epsilon_per_year: 10.0 -> 2.5", "allow.min_rows: 1 -> 20"),
        )
    ]


def test_sums_without_noise_are_named_in_the_look_and_in_the_log(home, ann):
    lines = (home / "policy.toml").read_text().splitlines()
    kept = [one for one in lines if not one.startswith("noise =")]
    kept.insert(kept.index("[allow]") + 1, 'noise = ["shared"]')
    (home / "policy.toml").write_text("\n".join(kept))
    for name in ("allow.noise.none", "allow.noise.*"):
        page = look(ann, {name: "on"}, ["allow.noise.shared"] if name.endswith("*") else ())
        assert "Sums without noise become possible" in words(page.text), name
    page = look(ann, {"allow.noise.none": "on"})
    assert ann.post("/policy/save", typed(page.text, WHY, action="/policy/save")).status_code == 303
    assert log(home) == [("done", "ann", ('allow.noise +"none"',))]


def test_the_form_of_a_new_sites_policy_says_what_it_says_and_changes_nothing_by_itself(home, ann):
    (home / "policy.toml").write_text(template("a"))
    answer = look(ann, {})
    assert answer.status_code == 200
    assert "Nothing would change" in words(answer.text)
    assert save(ann, {"allow.looks.*": "on", "allow.looks": "", "allow.hours.*": "on", "allow.tasks.train": "on",
                      "keep.predictions": "on", "approve.rule": "hash"}).status_code == 303  # fmt: skip
    expected = tomllib.loads(template("a"))
    del expected["allow"]["looks"]
    expected["allow"] |= {"hours": ["*"], "tasks": ["train"]}
    expected |= {"keep": {"predictions": True}, "approve": {"rule": "hash", "people": 1}}
    text = (home / "policy.toml").read_text()
    assert tomllib.loads(text) == expected
    lines = set(template("a").splitlines()) - set(text.splitlines())
    assert len(lines) == 4  # looks, hours, tasks, rule; all others, comments too, stand as they were


def without(*keys):
    return [f"{key}.*" for key in ("allow.columns", "allow.who", *keys)]


def test_what_does_not_fit_is_said_all_at_once_and_the_first_has_the_focus(home, ann):
    """Of any beside others too, and nothing of what follows from a mistake alone."""
    changes = {"allow.columns": "age", "allow.tasks.train": "on", "allow.min_rows": "0", "approve.people": "3",
               "allow.epsilon_per_year": "0,7", "allow.delta": "1,000"}  # fmt: skip
    answer = look(ann, changes | {"allow.looks": "5"}, ["allow.epsilon_per_year.*", "allow.looks.*"])
    assert answer.status_code == 400
    assert set(re.findall(r'id="([\w.]+)-wrong"', answer.text)) == {one.removesuffix(".train") for one in changes}
    text = words(answer.text)
    assert "Six things do not fit" in text
    assert text.count("Has a comma, '0,7'. Type 0.7.") == 2  # above, and at the field
    assert "Type 1.000, or 1000." in text
    assert text.count("'0' does not fit. A whole number, 1 or more.") == 2  # quoted as the one with a comma is
    assert re.findall(r"<details open><summary><h2>(.*?)</h2>", answer.text) == [
        "Who says yes", "Who may ask, and for what", "Noise, and what it may cost", "Few rows",
    ]  # fmt: skip
    assert text.count("'Any' is ticked, and there is more. Untick 'Any', or take the rest out.") == 2
    assert "<details open>" not in ann.get(CHANGE).text
    names = look(ann, {"allow.columns": 'age, sex\n"a, b"'}, ["allow.columns.*"])
    assert "Has several on one line, 'age, sex'. Type age and sex on a line each" in words(names.text)
    quoted = look(ann, {"allow.columns": '"a, b"'}, ["allow.columns.*"])  # the control
    assert (quoted.status_code, "on a line each" in quoted.text) == (200, False)
    assert "One a line: mon-fri 08:00-18:00, or sat." in words(look(ann, {"allow.hours": "x"}, ["allow.hours.*"]).text)
    assert re.findall(r"<input[^>]* autofocus>", answer.text) == [
        re.search(r'<input[^>]*name="approve.people" value="1"[^>]*>', answer.text)[0]
    ]


def test_a_number_typed_beside_no_limit_counts_and_so_does_a_tick_beside_the_number_that_stood(home, ann):
    def kept():
        return tomllib.loads((home / "policy.toml").read_text())["allow"].get("min_cell")

    assert save(ann, {"allow.min_cell": "7"}).status_code == 303  # "no limit" is ticked beside it
    assert kept() == 7
    both = look(ann, {"allow.min_cell.*": "on", "allow.min_cell": "9"})  # both are changed: which was meant?
    assert both.status_code == 400
    assert "Has a number, and no limit" in words(both.text)
    assert save(ann, {"allow.min_cell.*": "on"}).status_code == 303
    assert kept() is None


WRONG = {
    "allow.epsilon_per_year": ["", "-1", "many", "nan", "1,5", "9" * 50],
    "allow.min_rows": ["0", "1.5", "", "1e3"],
    "allow.min_cell": ["1", "101"],
    "allow.delta": ["0", "0.5"],
    "allow.hours": ["25:00-26:00", "every day", "08:00-08:00"],
    "approve.people": ["3", "0"],
    "approve.rule": ["nobody", ""],
}


@pytest.mark.parametrize("key", WRONG)
def test_what_does_not_fit_is_said_at_its_field_as_the_file_reader_says_it_and_kept(home, ann, key):
    before = (home / "policy.toml").read_bytes()
    for value in WRONG[key]:
        answer = look(ann, {key: value, "allow.columns": "age", "allow.who": "somebody"}, without(key))
        assert answer.status_code == 400, (key, value)
        assert f'id="{key}-wrong"' in answer.text
        assert typed(answer.text)["allow.who"] == "somebody"  # nothing that was typed is lost
    assert (home / "policy.toml").read_bytes() == before


def test_two_persons_and_no_person_do_not_go_together(home, ann):
    answer = look(ann, {"approve.rule": "policy", "approve.people": "2"})
    assert (answer.status_code, 'id="approve.people-wrong"' in answer.text) == (400, True)


def test_a_file_that_changed_meanwhile_is_not_written_over_and_nothing_typed_is_lost(home, ann):
    """At both steps: while it is typed, and while the page of changes is read."""
    form = ann.get(CHANGE).text
    homes.policy(home, "epsilon_per_plan = 10.0", "epsilon_per_plan = 1.0")
    by_hand = (home / "policy.toml").read_bytes()
    answer = ann.post(CHANGE, typed(form, {"allow.min_rows": "30"}))
    assert answer.status_code == 409
    assert "Epsilon for a plan is at most 10." in words(answer.text)  # what the typed form would undo
    assert typed(answer.text)["allow.min_rows"] == "30"
    page = look(ann, {"allow.min_rows": "40"})
    homes.policy(home, "epsilon_per_plan = 1.0", "epsilon_per_plan = 0.5")
    by_hand = by_hand.replace(b"epsilon_per_plan = 1.0", b"epsilon_per_plan = 0.5")
    answer = ann.post("/policy/save", typed(page.text, WHY, action="/policy/save"))
    assert answer.status_code == 409
    assert typed(answer.text)["allow.min_rows"] == "40"
    assert (home / "policy.toml").read_bytes() == by_hand
    assert log(home) == []
    assert save(ann, {"allow.min_rows": "40"}).status_code == 303  # the control
    assert b"min_rows = 40" in (home / "policy.toml").read_bytes()


def test_which_requests_it_would_let_in_or_keep_out_is_said(home, ann, plan):
    text = words(look(ann, {"allow.epsilon_per_plan": "0.1"}).text)
    assert "waits now: the policy would deny it" in text
    assert "the plan spends up to epsilon 3" in text
    assert save(ann, {"allow.epsilon_per_plan": "0.1"}).status_code == 303
    homes.ask(home, homes.spec(purpose="another"), "r9", codes=("epsilon_per_plan",))
    text = words(look(ann, {"allow.epsilon_per_plan": "3"}).text)
    assert "was denied by the policy: it would be allowed, once it is asked for again" in text
    assert "waits now: the policy would allow it again" in text


def test_all_columns_of_a_list_are_seen_and_a_change_says_which_way_it_goes(home, ann):
    homes.policy(home, 'columns = ["*"]', f"columns = {[*(f'c{number}' for number in range(29)), 'c*']}")
    assert '<textarea name="allow.columns" class="lines" rows="31"' in ann.get(CHANGE).text
    found = {"allow.hours": "mon-fri 08:00-18:00", "allow.min_rows": "20", "allow.epsilon_per_year": "11"}
    text = words(look(ann, found | {"allow.columns": "c*\nc99"}, ["allow.hours.*"]).text)
    assert "Fewest rows to learn from ▼ allows less Before" in text
    assert "Most epsilon of a year ▲ allows more Before" in text
    assert "Columns that a plan may read = allows the same Added c99" in text
    assert "When a run may begin ▼ allows less Before When a run may begin: at any time. Then" in text


def test_lists_keep_names_that_a_line_would_change(home, ann):
    names = [" a", "b\nc", '"d"', "ä\u202eb", "#", "x = 1", "]", "'"]
    fields = {"allow.columns": "\n".join(json.dumps(one) for one in names)}
    assert save(ann, fields, ["allow.columns.*"]).status_code == 303
    assert tomllib.loads((home / "policy.toml").read_text())["allow"]["columns"] == names
    shown = ann.get(CHANGE).text
    assert "\u202e" not in shown
    assert look(ann, {}).status_code == 200
    assert "Nothing would change" in words(look(ann, {}).text)


def test_what_a_form_cannot_change_is_said(home, ann):
    path = home / "policy.toml"
    for text in ("version = 1\n" + "#" * amend.MOST, "version = 1\n[allow]\nwho = 3\n", "version ="):
        path.write_text(text)
        answer = ann.get(CHANGE)
        assert answer.status_code == 400
    path.rename(home / "elsewhere.toml")
    path.symlink_to("elsewhere.toml")
    assert "Is a link" in words(ann.get(CHANGE).text)


def test_what_cannot_be_logged_or_written_is_not_changed(home, ann, monkeypatch):
    page = look(ann, {"allow.min_rows": "40"})
    before = (home / "policy.toml").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("potluck.owner.access._append", full)
        assert ann.post("/policy/save", typed(page.text, WHY, action="/policy/save")).status_code == 409
    assert log(home) == []
    page = look(ann, {"allow.min_rows": "40"})
    with monkeypatch.context() as patch:
        patch.setattr(
            os, "fsync", lambda handle, real=os.fsync: full() if _is(handle, ".policy.toml") else real(handle)
        )
        assert ann.post("/policy/save", typed(page.text, WHY, action="/policy/save")).status_code == 400
    assert [one[0] for one in log(home)] == ["done", "aborted"]
    assert (home / "policy.toml").read_bytes() == before
    assert sorted(home.glob(".policy*")) == []


def _is(handle, name):
    return name in os.readlink(f"/proc/self/fd/{handle}")


def test_a_site_that_runs_goes_by_what_was_saved(home, ann):
    """The very process that was asked before: it reads the policy at each proposal."""
    at, spec = SiteHome.at(home), homes.spec()
    member = at.open(time.time())
    it = member.federation
    first = sha256(first_sum(spec).state).digest()
    proposal = Proposal(CODE, it.version, it.digest, canonical(spec), first, b"")
    with Budget(at.ledger, anchor=anchor(at, member)) as ledger, Requests(at.requests) as requests:
        consent = Consent(Owner(at, Pinned.at(at), ledger, requests, AccessLog(at.access), lambda _: None))
        assert consent.decide("ab" * 16, proposal).verdict == "pending"
        assert save(ann, {"allow.epsilon_per_plan": "0.1"}).status_code == 303
        denied = consent.decide("cd" * 16, proposal)
        assert (denied.verdict, denied.codes) == ("denied", ("epsilon_per_plan",))
        assert save(ann, {"allow.epsilon_per_plan": "10"}).status_code == 303
        assert consent.decide("cd" * 16, proposal).verdict == "pending"
        ann.decide(digest(spec).hex(), "approve")
        assert consent.decide("cd" * 16, proposal).verdict == "granted"
        assert save(ann, {"allow.epsilon_per_plan": "0.1"}).status_code == 303
        assert consent.stands("cd" * 16)  # "a run that was taken on goes on"
        assert consent.decide("cd" * 16, proposal).codes == ("epsilon_per_plan",)  # "where it is started again"


def test_when_a_change_counts_is_said_alike_wherever_it_is_said(home, ann):
    homes.policy(home, "people = 1", "people = 2")
    assert HOLDS in words(ann.get("/policy").text)
    tighter = words(look(ann, {"allow.min_rows": "20"}).text)
    assert HOLDS in tighter
    assert "Rows are not counted for this page: a run with fewer is turned away as it begins." in tighter
    save(ann, {"allow.epsilon_per_plan": "11"})
    assert HOLDS in words(Visitor(home, person="bob").enter().get("/policy/pending").text)
    for page in ("docs/reference/policy.md", "THREATS.md"):
        assert HOLDS in " ".join((ROOT / page).read_text().split()), page


def test_what_allows_more_needs_a_reason_which_log_and_history_keep(home, ann):
    before = (home / "policy.toml").read_bytes()
    page = look(ann, {"allow.epsilon_per_plan": "11", "allow.min_rows": "20"})
    for why in (" \n", "x" * 1001):
        page = ann.post("/policy/save", typed(page.text, {"reason": why}, action="/policy/save"))
        assert page.status_code == 400
        assert "Nothing was saved" in words(page.text)
    assert (home / "policy.toml").read_bytes() == before
    assert log(home) == []
    evil = "the <b>board</b> \u202e of May"
    assert ann.post("/policy/save", typed(page.text, {"reason": evil}, action="/policy/save")).status_code == 303
    tighter = typed(look(ann, {"allow.min_rows": "30"}).text, action="/policy/save")
    assert ann.post("/policy/save", tighter).status_code == 303  # allows no more: it goes without
    one, other = turns(read(home / "access.jsonl").entries)
    assert (one.persons, one.reason) == (("ann",), r"the <b>board</b> \u{202e} of May")
    assert (other.reason, other.codes) == ("", ("allow.min_rows: 20 -> 30",))
    assert kept(home / "policies", one.policy) != kept(home / "policies", other.policy)
    assert "<b>board" not in ann.get("/log").text


def test_a_change_in_the_file_is_said_to_be_whoever_has_the_terminals(home, ann, plan):
    """Noticed as the policy is gone by; of what a form shows it is said, and of an address nothing."""
    ann.decide(plan, "deny")
    homes.policy(home, "epsilon_per_plan = 10.0", "epsilon_per_plan = 11.0")
    assert log(home) == []
    ann.decide(plan, "approve")
    assert log(home) == [("done", "", ("allow.epsilon_per_plan: 10.0 -> 11.0",))]
    homes.policy(home, "people = 1", "people = 1 # one")
    save(ann, {"allow.epsilon_per_plan": "12"})
    assert log(home)[1:] == [("done", "", ()), ("done", "ann", ("allow.epsilon_per_plan: 11.0 -> 12.0",))]
    noticed(SiteHome.at(home), NOW)
    assert len(log(home)) == 3
    assert [one.persons for one in turns(read(home / "access.jsonl").entries)] == [(), (), ("ann",)]
    homes.policy(home, "epsilon_per_plan = 12.0", "epsilon_per_plan = 13.0")
    noticed(SiteHome.at(home), NOW)
    assert "whoever has the terminal, in the file" in words(ann.get("/policy").text)
    (home / "policy.known.json").write_text("{}")
    homes.policy(home, "epsilon_per_plan = 13.0", "epsilon_per_plan = 14.0")
    noticed(SiteHome.at(home), NOW)  # not known any more, from what
    assert len(log(home)) == 4


def test_a_process_that_dies_between_log_and_file_leaves_a_log_that_says_so(home, ann, monkeypatch):
    page = look(ann, {"allow.epsilon_per_plan": "11"})

    def killed(path, *rest, real=files.replace):
        if path.name == "policy.toml":
            raise KeyboardInterrupt
        return real(path, *rest)

    fields, standing = typed(page.text, action="/policy/save"), amend.form(home).digest
    monkeypatch.setattr(files, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        amend.save(home, fields, standing, "ann", "why")
    monkeypatch.undo()
    noticed(SiteHome.at(home), NOW)
    assert log(home) == [
        ("done", "ann", ("allow.epsilon_per_plan: 10.0 -> 11.0",)),
        ("done", "", ("allow.epsilon_per_plan: 11.0 -> 10.0",)),
    ]
