"""End to end: broker, server and four sites as processes, over TLS, each with its own rights; the digest of `run`."""

import json
import socket
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import potluck
from potluck.api.plan.plan import Plan
from support.owner.policies import OPEN
from support.ports import free_port
from support.processes import hospitals
from support.processes.hospitals import NAMES, federation
from support.processes.rig import BROKER, Rig, need_broker

pytestmark = pytest.mark.slow  # the fast suite has `up`, whose parties are these programs
DEMO = Path(potluck.__file__).parent / "demo"
HEART = DEMO / "heart.toml"
SITES = ("cleveland", "hungarian", "switzerland", "va")
EXACT = "privacy={noise='none'}"
SHORT = "training.rounds=6"
STATISTICS = """statistics=[{name="age", kind="mean", column="age", by="sex"}, {name="n", kind="count"}]"""


@pytest.fixture(scope="module")
def hearts(tmp_path_factory):
    """The four hospitals of the heart data, up and waiting."""
    need_broker()
    files = Plan.read(HEART).spec.data.files
    policies = {name: OPEN.replace('"rows.csv"', json.dumps(str(DEMO / files[name]))) for name in SITES}
    rig = Rig(tmp_path_factory.mktemp("end") / "f", dict.fromkeys(SITES), policies)
    rig.found(free_port())
    try:
        rig.start(BROKER, *SITES)
        yield rig
    finally:
        rig.close()
    rig.leaves_nothing()


def across(rig: Rig, name: str, *settings: str) -> dict[str, Any]:
    sets = [part for one in settings for part in ("--set", one)]
    return rig.serve(HEART, "--out", rig.folder / "runs" / name, *sets).end(280).document


def alone(tmp_path: Path, *settings: str) -> dict[str, Any]:
    """The same plan with all parties in one process."""
    return potluck.run(Plan.read(HEART, settings), out=tmp_path / "run", ledger=tmp_path / "ledger").document


@pytest.mark.parametrize("word", ["mask", "clear", "he"])
def test_the_model_is_that_of_a_run_in_one_process(hearts, tmp_path, word, he_engine):
    settings = (EXACT, SHORT, f"protect.with='{word}'", 'federation.server="curious"')
    there, here = across(hearts, word, *settings), alone(tmp_path, *settings)
    assert there["model"]["digest"] == here["model"]["digest"]
    assert there["model"]["coefficients"] == here["model"]["coefficients"]
    assert there["metrics"]["federated"] == here["metrics"]["federated"]
    assert there["plan"]["hash"] == here["plan"]["hash"]
    assert [one["dropped"] for one in there["rounds"]] == [[]] * 6
    assert there.keys() == here.keys()


def test_with_noise_every_site_is_charged_what_a_run_in_one_process_charges(hearts, tmp_path):
    there, here = across(hearts, "noise", SHORT), alone(tmp_path, SHORT)
    told, wanted = there["privacy"], here["privacy"]
    assert told == wanted
    assert 0 < min(told["epsilon"].values()) <= 1.0
    run = hearts.runs()[0]
    for name in SITES:
        [own] = [one for one in hearts.budget(name)["runs"] if one["run"] == run]
        assert own["epsilon"] == told["epsilon"][name]
        assert own["state"] == "finished"


def test_statistics_are_those_of_a_run_in_one_process(hearts, tmp_path):
    settings = ("task='statistics'", STATISTICS, EXACT)
    assert across(hearts, "statistics", *settings)["results"] == alone(tmp_path, *settings)["results"]


def test_the_broker_says_nothing_before_tls(hearts):
    listen = (hearts.fed / "broker/nats.conf").read_text().split("listen: ")[1].split('"')[1]
    host, port = listen.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 5) as plain:
        plain.settimeout(1.0)
        plain.sendall(b"CONNECT {}\r\nPING\r\n")
        try:
            said = plain.recv(100)
        except (TimeoutError, ConnectionResetError):
            said = b""
    assert b"INFO" not in said
    assert b"PONG" not in said


def stored(home: Path, name: str) -> str:
    """The rows of a site in another form, and the policy that names it."""
    frame = hospitals.frames()[name]
    if name == "bert":
        frame.to_parquet(home / "rows.parquet")
        return OPEN.replace("rows.csv", "rows.parquet")
    if name == "carl":
        with closing(sqlite3.connect(home / "rows.sqlite")) as base:
            frame.to_sql("patients", base, index=False)
        query = 'url = "sqlite:///rows.sqlite"\nquery = "select x, z, y from patients"'
        return OPEN.replace('file = "rows.csv"', query)
    frame.to_csv(home / "rows.csv", index=False)
    return OPEN


def test_rows_may_lie_in_any_kind_of_source(tmp_path):
    need_broker()
    rig: Rig = federation(tmp_path / "f")
    for name in NAMES:
        (rig.home(name) / "rows.csv").unlink()
        (rig.home(name) / "policy.toml").write_text(stored(rig.home(name), name))
    plan = hospitals.plan()
    try:
        rig.start(BROKER, *NAMES)
        done: Mapping[str, Any] = rig.serve(rig.plan(plan, "sources"), "--out", tmp_path / "f/runs/x").end(60).document
    finally:
        rig.close()
    assert done["model"]["digest"] == hospitals.reference(plan).digest()
    rig.leaves_nothing()
