"""`potluck up` with `tee`: real processes, the enclave one of them; what `run` gives, and nothing left of it."""

import pytest

import potluck
from potluck.api.network.up import up
from potluck.api.plan.plan import Plan
from potluck.core.errors import Refused
from potluck.tee.attestation.demand import built_in_text
from support.processes import hospitals
from support.processes.rig import laid_out, need_broker

SIMULATED = "no protection: simulated"


@pytest.fixture
def place(tmp_path, monkeypatch):
    need_broker()
    monkeypatch.chdir(tmp_path)
    laid_out(tmp_path, hospitals.plan(word="tee", patience=30.0), hospitals.frames())
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("own", [False, True])
def test_up_gives_what_run_gives_under_the_built_in_policy_and_under_a_file(place, own):
    if own:
        (place / "enclave.toml").write_text(built_in_text() + "# ours\n")
    plan = Plan.read(place / "plan.toml", ['protect.policy="enclave.toml"'] if own else [])
    there = up(plan, out=place / "up", ledger=place / "l1")
    here = potluck.run(plan, out=place / "run", ledger=place / "l2")
    mask = potluck.run(Plan.read(place / "plan.toml", ['protect.with="mask"']), out=place / "m", ledger=place / "l3")
    assert there.model.digest() == here.model.digest() == mask.model.digest()
    assert there.document["plan"] == here.document["plan"]
    assert there.document.keys() == here.document.keys()
    assert there.document["stamp"] == here.document["stamp"] == SIMULATED
    assert "No protection: simulated." in (place / "up" / "report.html").read_text()
    assert not (place / "up" / "network").exists()


def test_a_policy_that_would_not_believe_it_starts_nothing(place):
    (place / "enclave.toml").write_text('version = 1\nformats = ["nitro"]\n')
    with pytest.raises(Refused, match="formats holds none"):
        up(Plan.read(place / "plan.toml", ['protect.policy="enclave.toml"']), out=place / "up", ledger=place / "l")
    assert not (place / "up").exists()
