"""`up` and wrong files: the reason that a site keeps to itself is its owner's, who is here, too."""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import tomli_w

from potluck.api.network import up
from potluck.api.network.processes import Processes
from potluck.core.errors import UsageError
from potluck.net.broker import binary
from support.parties.fit_scene import frames, plan


@dataclass
class House:
    """Stands in for a household of two sites and a compute party."""

    refused: list = field(default_factory=list)
    sites: dict = field(default_factory=lambda: {"a": "site-a", "b": "site-b"})
    computes: dict = field(default_factory=lambda: {"alpha": "compute-alpha"})

    def refusing(self):
        return self.refused


@pytest.fixture
def screens(tmp_path):
    (tmp_path / "site-a.log").write_text("a of c\ndropped: refused by the site: DataError: no row\nbroker: lost\n")
    (tmp_path / "site-b.log").write_text("b of c\nrequest x: refused (it has no such column)\n")
    (tmp_path / "compute-alpha.log").write_text("alpha of c\nbroker: connected\n")
    here = SimpleNamespace(_logs=dict.fromkeys(("site-a", "site-b", "compute-alpha"), tmp_path))
    here.last_word = lambda *about: Processes.last_word(here, *about)
    return here


def test_who_dropped_the_run_is_heard(screens):
    said = up._reasons(House(), screens)
    assert said == [("site-a", "dropped: refused by the site: DataError: no row")]


def test_who_said_no_is_heard_once(screens):
    said = up._reasons(House(refused=["site-b", "site-a"]), screens)
    assert dict(said) == {"site-b": "request x: refused (it has no such column)", "site-a": "broker: lost"}
    assert len(said) == 2


@pytest.mark.slow
def test_owners_without_a_common_row_are_told_so(mpc_engine, tmp_path):
    try:
        binary()
    except UsageError:
        pytest.skip("nats-server is missing")
    given, made = frames(rows=40), plan(federation__patience=8.0)
    given["o1"]["id"] = given["o1"].id + " elsewhere"
    for name, frame in given.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    tables = json.loads(json.dumps(made.tables))
    tables["data"]["files"] = {name: f"{name}.csv" for name in given}
    (tmp_path / "plan.toml").write_text(tomli_w.dumps({k: v for k, v in tables.items() if v is not None}))
    words = [sys.executable, "-m", "potluck", "up", "plan.toml", "--out", "out", "--ledger", "ledger"]
    ended = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 3
    assert "no row is common to all owners" in ended.stderr
    assert "refused by the site" in ended.stderr
    assert "Traceback" not in ended.stderr
