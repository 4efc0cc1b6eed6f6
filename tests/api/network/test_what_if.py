"""`budget --what-if`: what a plan would leave is what it leaves once it has run; to ask costs and writes nothing."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from potluck.api.network.ledger import spending
from potluck.api.network.policy import effects
from potluck.api.network.what_if import what_if
from potluck.api.plan.plan import Plan
from potluck.cli import potluck
from potluck.cli.door import run as call
from potluck.core.errors import PlanError, Refused
from potluck.core.plan import canonical, digest
from potluck.owner.policy import Approve
from potluck.owner.requests import Requests
from support.parties import across
from support.parties.across import Across, quick

PERSON = Approve(rule="person", people=1)
PLAN = """
version = 1
name = "p"
purpose = "test"
task = "train"
[federation]
sites = ["a", "b", "c", "d"]
corrupt = 1
dropouts = 1
[data]
max_rows = 100
split = { test = 0.3 }
target = { column = "y", positive = ["1"] }
[data.columns]
x = { kind = "number", low = -3, high = 3 }
z = { kind = "number", low = -3, high = 3 }
[model]
kind = "logistic"
[training]
method = "gradient"
rounds = 3
expected_rows = 100
[protect]
with = "mask"
[privacy]
noise = "shared"
unit = "row"
epsilon = 1.0
delta = 1e-5
clip = 1.0
"""


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    """A federation in which one plan has run; its owners allow an epsilon of 3 a year."""
    folder = across.found(tmp_path_factory.mktemp("what-if"))
    for name in "abcd":
        policy = folder / name / "policy.toml"
        policy.write_text(capped(policy.read_text(), 3.0))
    (folder / "plan.toml").write_text(PLAN)
    fed = Across(folder)
    with fed.attending(*"abcd"):
        fed.run(quick(Plan.read(folder / "plan.toml")), wait=60.0)
    return folder


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def capped(policy: str, year: float) -> str:
    kept = [line for line in policy.splitlines() if not line.startswith("epsilon_per_year")]
    return "\n".join(kept).replace("[approve]", f"epsilon_per_year = {year}\n[approve]")


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's bytes and when it was last written."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def variant(fed, old="", new="", **keys):
    path = fed.folder / "other.toml"
    path.write_text(PLAN.replace(old, new) if old else PLAN)
    return path


@pytest.mark.slow
def test_what_a_plan_would_leave_is_what_it_leaves(fed):
    path = variant(fed, "rounds = 3", "rounds = 5")
    ahead = what_if(fed.folder / "b", path)
    before = spending(fed.folder / "b")
    assert (ahead.composed, ahead.left) == (before.composed_year, before.left)
    assert ahead.refused == ()
    with fed.attending(*"abcd"):
        fed.run(quick(Plan.read(path)), run="cd" * 16, wait=60.0)
    after = spending(fed.folder / "b")
    assert ahead.would_compose == pytest.approx(after.composed_year, rel=1e-12)
    assert ahead.would_leave == pytest.approx(after.left, rel=1e-12)
    assert after.runs[1].epsilon <= ahead.would_spend == 1.0
    assert before.composed_year < after.composed_year < before.composed_year + 1.0


def test_to_ask_writes_no_byte_and_makes_no_file(fed, capsys):
    home, path = fed.folder / "b", variant(fed)
    before = contents(fed.folder)
    assert call(potluck, ["site", "budget", str(home), "--what-if", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["would_spend"] == 1.0
    assert call(potluck, ["site", "budget", str(home), "--what-if", str(path)]) == 0
    assert "left this year: " in capsys.readouterr().out
    ledgers = fed.folder / "ledgers"
    ledgers.mkdir()
    (home / "ledger.sqlite").rename(ledgers / "b.sqlite")
    kept = contents(ledgers)
    given = ["budget", "--what-if", str(path), "--ledger", str(ledgers), "--json"]
    assert call(potluck, given) == 0
    owners = json.loads(capsys.readouterr().out)["owners"]
    assert owners["b"]["would_compose"] > owners["b"]["composed"] > owners["a"]["composed"] == 0
    assert contents(ledgers) == kept
    (ledgers / "b.sqlite").rename(home / "ledger.sqlite")
    ledgers.rmdir()
    assert contents(fed.folder) == before
    spending(home)  # the control: a ledger that is opened to be written to is another file afterwards
    assert contents(fed.folder) != before


def test_a_plan_that_the_budget_would_refuse_is_said_to_be(fed):
    dear = what_if(fed.folder / "b", variant(fed, "epsilon = 1.0", "epsilon = 5.0"))
    assert [line.partition(":")[0] for line in dear.refused] == ["allow.epsilon_per_year"]
    assert dear.would_leave == 0.0
    with pytest.raises(Refused, match="epsilon_per_year"), fed.attending(*"abcd"):  # and so it is
        fed.run(quick(Plan.read(fed.folder / "other.toml")), run="cd" * 16, wait=60.0)
    exact = what_if(fed.folder / "b", variant(fed, 'noise = "shared"', 'noise = "none"'))
    assert (exact.would_spend, exact.would_compose, exact.refused) == (None, None, ())
    assert exact.would_leave == exact.left


def test_a_ledger_that_was_put_back_and_a_plan_of_others_are_refused(fed, founded):
    home = fed.folder / "b"
    old = (home / "ledger.sqlite").read_bytes()
    with fed.attending(*"abcd"):
        fed.run(quick(Plan.read(variant(fed))), run="cd" * 16, wait=60.0)
    what_if(home, fed.folder / "other.toml")  # the control
    (home / "ledger.sqlite").write_bytes(old)
    with pytest.raises(Refused, match="put back from a copy"):
        what_if(home, fed.folder / "other.toml")
    (home / "ledger.sqlite").unlink()
    with pytest.raises(Refused, match="the ledger is missing"):
        what_if(home, fed.folder / "other.toml")
    assert not (home / "ledger.sqlite").exists()
    with pytest.raises(PlanError, match="b takes no part"):
        what_if(home, variant(fed, '["a", "b", "c", "d"]', '["a", "x", "c", "d"]'))


def test_another_plan_is_reckoned_with_the_ledgers_of_the_first(fed, capsys):
    """The first names ledgers and owners; an owner that has no part in the other spends nothing."""
    plan, other = fed.folder / "plan.toml", variant(fed, '["a", "b", "c", "d"]', '["a", "b", "c", "x"]')
    assert call(potluck, ["budget", str(plan), "--what-if", str(other), "--set", "privacy.epsilon=2.0", "--json"]) == 0
    owners = json.loads(capsys.readouterr().out)["owners"]
    assert {name: one["would_spend"] for name, one in owners.items()} == {"a": 2.0, "b": 2.0, "c": 2.0, "d": None}
    assert owners["d"]["would_compose"] is None
    assert call(potluck, ["budget", "--what-if", str(other), "--settle"]) == 2


def test_a_list_reckons_few_plans_and_the_page_of_each_reckons_its_own(fed, monkeypatch):
    """Each can take seconds: whoever asks for many must not keep a site's status from its owner."""
    monkeypatch.setattr(effects, "RECKONED", 1)
    home, spec = fed.home("a"), quick(Plan.read(fed.folder / "plan.toml"))
    beyond = [replace(spec, name=name, privacy=replace(spec.privacy, epsilon=9.0)) for name in ("p1", "p2")]
    with Requests(home.requests) as book:
        found = [book.ask(one.name, digest(one), canonical(one), "fed", 1.0, (), PERSON) for one in beyond]
    assert list(effects.barred(home, found)) == ["p1"]
    assert list(effects.barred(home, found[1:])) == ["p2"]  # the control
