"""The JSON reference is complete across machines: verbs of site and coordinator, and `up`, print no key it lacks."""

import json
import time
from pathlib import Path

import pytest

import potluck
from potluck.api.network.sessions import Order, session
from potluck.cli import potluck as group
from potluck.cli.door import run
from potluck.core.errors import UsageError
from potluck.core.party import site
from potluck.core.plan import canonical, digest
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.net.broker import binary
from potluck.owner.budget import Budget
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from support.docs.keys import SITES, keys, section

POLICY = """
version = 1
[source]
file = "../a.csv"
[allow]
who = ["*"]
tasks = ["*"]
models = ["*"]
columns = ["*"]
protect = ["*"]
noise = ["*"]
readers = ["*"]
compute = ["*"]
epsilon_per_plan = 2.0
epsilon_per_year = 2.0
"""


@pytest.fixture
def said(plan, capsys):
    """Run a verb with --json; gives its document."""

    def verb(*words: str) -> object:
        capsys.readouterr()
        code = run(group, [*words, "--json"])
        printed = capsys.readouterr()
        assert code == 0, printed.err
        return json.loads(printed.out)

    return verb


@pytest.fixture
def asked(plan, said) -> str:
    """The plan's hash. There are homes of a coordinator and of site a, which was asked for it."""
    said("federation", "new", "fed", "--broker", "tls://localhost:4222")
    said("site", "new", "a-home", "--name", "a")
    said("federation", "add", "fed", "a-home/a.card")
    said("site", "join", "a-home", "fed/federation.toml")
    Path("a-home/policy.toml").write_text(POLICY, encoding="utf-8")
    home, spec = SiteHome.at(Path("a-home")), potluck.Plan.read(plan).spec
    with Requests(home.requests) as requests:
        rules = read_policy(home.policy).approve
        requests.ask("r1", digest(spec), canonical(spec), "fed", time.time(), (), rules)
    with Budget(Path("ledger.sqlite")) as ledger:
        ledger.begin("r1", spec.name, digest(spec), "row", 1e-5, time.time())
    (home.folder / "site.toml").write_text('version = 1\nname = "a"\nledger = "../ledger.sqlite"\n', encoding="utf-8")
    (home.folder / "federation.toml").unlink()  # so that a ledger without an anchor may be shown
    return digest(spec).hex()


def test_every_key_of_an_owners_verbs_is_documented(said, asked, plan):
    known = section("site")
    documents = [said("site", "inbox", "a-home"), said("site", "preview", "a-home", asked[:16])]
    documents += [said("site", "budget", "a-home"), said("site", "budget", "a-home", "--what-if", plan)]
    documents += [said("site", verb, "a-home", asked, "--person", "ann") for verb in ("approve", "revoke", "deny")]
    documents += [said("site", "log", "a-home"), said("site", "status", "a-home")]
    for folder in ("own/r0", "rounds/r1"):
        Path("a-home", folder).mkdir(parents=True)
    Path("a-home/own/r0/metrics.json").write_text('{"digest": "sha256:0", "metrics": {"auc": 0.5}}')
    documents += [said("site", "models", "a-home"), said("site", "forget", "a-home", "r1")]
    skip = frozenset({"r1", "gradient", "auc"})
    found = set().union(*(keys(document, skip) for document in documents))
    assert found >= {"learnt", "values", "held_out", "head", "verdict", "when", "missing", "export", "rounds"}
    assert found - known == set()


def test_every_key_of_status_is_documented(plan, said, asked):
    read = potluck.Plan.read(plan)
    home = CoordinatorHome.at(Path("fed"))
    with session(home, read, False, Order(), time.time()) as kept:
        kept.journal.heard(site("a"), "pending", (), 1, bytes(32))
    found = said("status", "fed")
    assert keys(found, frozenset(SITES)) - section("status") == set()
    assert keys(found, frozenset(SITES)) >= {"running", "redone", "seconds_ago", "resumed"}
    assert found["runs"][0]["sites"]["a"]["state"] == "pending"


@pytest.mark.slow
def test_up_prints_what_run_prints(plan, said):
    try:
        binary()
    except UsageError:
        pytest.skip("needs nats-server")
    compared = said("up", str(plan), "--compare", "--out", "there")
    here = said("run", str(plan), "--compare", "--out", "here")
    names = frozenset(SITES)
    assert keys(compared, names) == keys(here, names)
    assert keys(compared, names) <= section("run, demo, up, server run")
