"""`potluck audit`: what it prints, and how it ends."""

import json
from importlib import import_module

import msgspec
import pandas as pd
import pytest

import potluck
from potluck.api.proof.audit import Audited
from potluck.audits.promises.audits import AUDITS
from potluck.audits.promises.promise import Bound, Check
from potluck.cli import potluck as verbs
from potluck.cli.door import run
from potluck.core.errors import UsageError
from potluck.report.proof.kept import Audits
from support.promises.bugs import half_noise
from support.promises.plans import SITES, plan
from support.report.samples import heart, write

PLAN = f"""
version = 1
name = "counts"
purpose = "a test"
task = "statistics"
[federation]
sites = {json.dumps(SITES)}
[data.columns]
x = {{ kind = "number", low = 0, high = 10 }}
[[statistics]]
name = "h"
kind = "histogram"
column = "x"
bins = 100
[protect]
with = "clear"
[privacy]
noise = "site"
unit = "row"
epsilon = 4.0
delta = 1e-5
"""


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "plan.toml"
    found.write_text(PLAN)
    return found


def test_the_verb_says_what_held_and_ends_with_4_where_something_did_not(path, capsys, monkeypatch):
    arguments = ["audit", str(path), "--minutes", "1e-9", "--json"]
    assert run(verbs, arguments) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["held"] is True
    assert {one["name"] for one in document["checks"]} >= {"noise: statistics", "charges: the run"}
    assert "audit: noise of statistics" in said.err
    half_noise(monkeypatch)
    assert run(verbs, arguments) == 4
    failed = [one["name"] for one in json.loads(capsys.readouterr().out)["checks"] if one["held"] is False]
    assert failed == ["noise: statistics", "run again: statistics", "sites' noise: statistics"]


def test_a_plan_without_noise_promises_nothing_and_the_audit_says_so():
    done = potluck.audit(plan().set("privacy", {"noise": "none"}))
    assert done.held is None
    assert [(one.name, one.held) for one in done.all] == [("promise", None)]
    assert "nothing to audit" in done.checks[0].words


@pytest.mark.slow
def test_an_owners_own_rows_stand_in_for_made_up_ones(path):
    rows = pd.DataFrame({"x": [1.0, 2.5, 9.0]})
    done = potluck.audit(path, rows, minutes=1e-9)
    found = {one.name: one for one in done.all if isinstance(one, Bound | Check)}
    assert found["sensitivity: statistics"].held
    assert "of 3 that were tried" in found["sensitivity: statistics"].words


def test_minutes_that_cannot_be_are_refused(path):
    with pytest.raises(UsageError, match="--minutes: 0 minutes are not possible"):
        potluck.audit(path, minutes=0.0)


@pytest.mark.slow
def test_an_interrupted_audit_goes_on_where_it_was(path, tmp_path, monkeypatch):
    kept, calls = tmp_path / "kept.json", []

    def interrupted(words):
        calls.append(words)
        if words == "charges":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        potluck.audit(path, minutes=1e-9, resume=kept, progress=interrupted)
    assert kept.stat().st_mode & 0o777 == 0o600
    half_noise(monkeypatch)  # what is finished is not looked at again
    calls.clear()
    told, details = heart()
    folder = write(tmp_path / "run", told, msgspec.structs.replace(details, plan_hash=potluck.Plan.read(path).hash))
    done = potluck.audit(path, run=folder, minutes=1e-9, resume=kept, progress=calls.append)
    assert calls[0] == "charges"
    beside = {one.name: one.taken for one in msgspec.json.decode(done.kept.read_bytes(), type=Audits).all}
    assert (beside["shape of noise: statistics"], beside["charges: statistics"]) == (True, False)
    said = {one.name: one.held for one in done.all}
    assert (said["noise: statistics"], said["sites' noise: statistics"]) == (True, False)
    calls.clear()
    again = potluck.audit(path, minutes=1e-9, resume=kept, progress=calls.append)
    before = done.document()
    assert (before["taken"], len(done.warnings())) == (["noise", "sensitivity", "clip", "coins"], 1)
    taken = [one.name for one in AUDITS]
    assert (again.document(), calls) == (before | {"taken": taken}, [])
    assert again.warnings()[0].endswith(f": {', '.join(taken[:-1])} and {taken[-1]}")
    with pytest.raises(UsageError, match="is about something else"):
        potluck.audit(path, minutes=1e-9, seed=1, resume=kept)
    kept.write_bytes(b"{")
    with pytest.raises(UsageError, match="is not what an interrupted call keeps"):
        potluck.audit(path, minutes=1e-9, resume=kept)
    with pytest.raises(UsageError, match="nothing is kept of an owner's own rows"):
        potluck.audit(path, pd.DataFrame({"x": [1.0]}), resume=tmp_path / "other.json")


def test_what_is_broken_is_said_in_capitals(path, capsys, monkeypatch):
    broken = Check("noise: statistics", False, "half of what is said", 1.0, 0.5)
    verb = import_module("potluck.cli.audit")
    monkeypatch.setattr(verb, "audit", lambda *_, **__: Audited("counts", "sha256:0", [broken], []))
    assert run(verbs, ["audit", str(path)]) == 4
    assert "BROKEN noise: statistics" in capsys.readouterr().out


def test_a_bound_is_said_as_odds_before_epsilon(path, capsys, monkeypatch):
    """By hand: e^4 / (1 + e^4) = .982, which is 99 of 100 rounded up; e^3.05 / (1 + e^3.05) = .955, 95 rounded down."""
    bound = Bound("paired: statistics", 4.0, 3.05, 0.9999, True, "claimed epsilon 4; the rest")
    verb = import_module("potluck.cli.audit")
    monkeypatch.setattr(verb, "audit", lambda *_, **__: Audited("counts", "sha256:0", [bound], []))
    assert run(verbs, ["audit", str(path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "at most 99 can be right, the plan says, and it was proved that this limit is 95 or higher; claimed" in said
