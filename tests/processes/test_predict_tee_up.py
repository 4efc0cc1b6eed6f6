"""`potluck up` of a prediction under `tee`: real processes, the enclave one of them; what `run` gives."""

import json
from pathlib import Path

import pytest

from potluck.api.local.run import run
from potluck.api.network.up import up
from potluck.api.plan.plan import Plan
from potluck.core.errors import Refused
from potluck.tee.attestation.demand import built_in_text
from support.parties import predict_scene as scene
from support.processes.rig import need_broker

SIMULATED = "no protection: simulated"


@pytest.fixture
def place(tmp_path, monkeypatch):
    need_broker()
    monkeypatch.chdir(tmp_path)
    scene.settle(tmp_path, scene.network())
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("own", [False, True])
def test_up_gives_what_run_gives_under_the_built_in_policy_and_under_a_file(place, own):
    if own:
        (place / "enclave.toml").write_text(built_in_text() + "# ours\n")
    settings = ['protect.with="tee"', *(['protect.policy="enclave.toml"'] if own else [])]
    plan = Plan.read(place / "plan.toml", settings)
    there = up(plan, out=place / "up", ledger=place / "l1", compare=True, record=True)
    here = run(plan, out=place / "run", ledger=place / "l2", compare=True)
    assert Path(there.document["predictions"]).read_bytes() == Path(here.document["predictions"]).read_bytes()
    assert there.document.keys() == here.document.keys()
    assert there.document["stamp"] == here.document["stamp"] == SIMULATED
    assert there.document["agreement"] == {"rows": 7, "same_labels": 7, "largest_error": 0.0}
    for key in ("plan", "notes", "warnings", "max_error_bound"):
        assert there.document[key] == here.document[key]
    assert "No protection: simulated." in (place / "up" / "report.html").read_text()
    steps = [json.loads(line)["step"] for line in (place / "up/parcels/index.jsonl").read_text().splitlines()]
    assert {"tee/rows", "tee/counted", "tee/model", "tee/scores"} <= set(steps)
    assert not (place / "up" / "network").exists()


@pytest.mark.slow
@pytest.mark.torch
def test_up_gives_what_run_gives_by_a_graph(place):
    """The server's process knows by the plan's mode that its enclave needs an interpreter."""
    pytest.importorskip("torch")
    from support.parties import predict_graphs as graphs

    graphs.adapter(place)[0].write(place / "model.json")
    plan = Plan.read(place / "plan.toml", ['protect.with="tee"'])
    there = up(plan, out=place / "up", ledger=place / "l1", compare=True)
    here = run(plan, out=place / "run", ledger=place / "l2", compare=True)
    assert Path(there.document["predictions"]).read_bytes() == Path(here.document["predictions"]).read_bytes()
    assert there.document["agreement"] == {"rows": 7, "same_labels": 7, "largest_error": 0.0}
    assert there.document["max_error_bound"] is here.document["max_error_bound"] is None


def test_a_policy_that_would_not_believe_it_starts_nothing(place):
    (place / "enclave.toml").write_text('version = 1\nformats = ["nitro"]\n')
    plan = Plan.read(place / "plan.toml", ['protect.with="tee"', 'protect.policy="enclave.toml"'])
    with pytest.raises(Refused, match="formats holds none"):
        up(plan, out=place / "up", ledger=place / "l")
    assert not (place / "up").exists()
