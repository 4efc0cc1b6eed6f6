"""An intersection as real processes: as `run`, and a site killed at any step costs a try or ends it by name."""

import pandas as pd
import pytest
import tomli_w

from potluck.api.network.up import up
from potluck.api.plan.plan import Plan
from potluck.mpc.local import addresses
from potluck.tasks.intersect.site import COMMON
from support.owner.policies import OPEN
from support.ports import free_port
from support.processes.rig import BROKER, SERVER, Rig, Trap, need_broker, wait_for

pytestmark = pytest.mark.slow
KEYS = {"anna": ["a", "b", "c"], "bert": ["b", "c", "d"], "carl": ["c", "b", "e"]}
VICTIM = "bert"
CURVE = ("hello", "seeds", "hop/1", "hop/3", "tables", "found", "order")


def policy():
    first = int(addresses(1)[0].rsplit(":", 1)[1])
    shows = OPEN.replace("[approve]", 'intersect = ["*"]\n[approve]')
    return shows + f'[engine]\naddress = "127.0.0.1:{first}-{first + 15}"\npeers = ["127.0.0.1"]\n'


@pytest.fixture(scope="module")
def sites(mpc_engine, tmp_path_factory):
    need_broker()
    frames = {name: pd.DataFrame({"id": words}) for name, words in KEYS.items()}
    rig = Rig(tmp_path_factory.mktemp("keys") / "rig", frames, {name: policy() for name in KEYS})
    rig.folder.mkdir()
    rig.found(free_port())
    try:
        yield rig
    finally:
        rig.close()


def plan(names, protocol, purpose):
    """Keys of a purpose of its own: two alignments of one purpose would be one."""
    return Plan(
        name="keys",
        purpose=purpose,
        task="intersect",
        federation={"sites": list(names), "patience": 6.0},
        privacy={"noise": "none"},
        align={"keys": ["id"], "protocol": protocol, "reveal": "members"},
    )


def undergo(rig, names, protocol, step, back):
    """A run in which the victim dies before it sends a step's letter. Gives how the server ended."""
    for name in names:  # what they kept would be taken again
        for path in rig.home(name).rglob("*.alignment"):
            path.unlink()
    rig.start(BROKER, *names)
    path = rig.plan(plan(names, protocol, f"{protocol} {step}"), f"{rig.starts}")
    rig.trap(VICTIM, Trap("before send", f"psi/{step}", 1))
    rig.serve(path, "--out", rig.folder / "runs" / path.stem, wait=15)
    try:
        wait_for(lambda: rig.sprung(VICTIM), 60, f"the trap of {step} springs")
        assert rig.children[VICTIM].process.wait(15) == -9
        if back:
            rig.start(VICTIM)
        return rig.children[SERVER].end(150)
    finally:
        rig.disarm()
        rig.children[SERVER].stop()


@pytest.mark.parametrize("step", CURVE)
def test_a_site_that_is_killed_and_comes_back_costs_a_try(sites, step):
    ended = undergo(sites, KEYS, "ecdh", step, back=True)
    assert ended.code == 0, ended.words[-1500:]
    path, told = COMMON.find(sites.home("anna"), sites.runs()[0])
    assert (told.size, sorted(path.read_text().split())) == (2, ["b", "c", "id"])


@pytest.mark.parametrize("step", ["hop/1", "found"])
def test_a_site_that_stays_away_ends_it_by_name(sites, step):
    ended = undergo(sites, KEYS, "ecdh", step, back=False)
    assert ended.code == 4, ended.words[-1500:]
    assert VICTIM in ended.words.strip().splitlines()[-1]
    assert ended.out == ""


@pytest.mark.parametrize("step", ["link", "asked", "found"])
def test_so_it_is_with_engines(sites, step):
    ended = undergo(sites, ("anna", VICTIM), "rr22", step, back=False)
    assert ended.code == 4, ended.words[-1500:]
    assert VICTIM in ended.words.strip().splitlines()[-1]


def test_up_gives_what_run_gives(tmp_path, monkeypatch):
    need_broker()
    monkeypatch.chdir(tmp_path)
    tables = dict(plan(KEYS, "ecdh", "test").tables)
    for name, words in KEYS.items():
        pd.DataFrame({"id": words}).to_csv(tmp_path / f"{name}.csv", index=False)
    tables["data"] = {"files": {name: f"{name}.csv" for name in KEYS}}
    path = tmp_path / "plan.toml"
    path.write_text(tomli_w.dumps(tables))
    found = up(Plan.read(path), out=tmp_path / "run", ledger=tmp_path / "ledger", compare=True)
    assert (found.size, found.document["plain_size"], found.document["reused"]) == (2, 2, False)
    assert sorted(found.members.read_text().split()) == ["b", "c", "id"]
    again = up(Plan.read(path), out=tmp_path / "again", ledger=tmp_path / "ledger")
    assert (again.size, again.document["reused"]) == (2, True)
