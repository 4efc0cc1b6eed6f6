"""`potluck up`: what `run` gives, from real processes; and nothing of it is left, however it ends."""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

import potluck
from potluck.api.network.household import Household
from potluck.api.network.up import up as carried_out
from potluck.api.plan.plan import Plan
from support.processes import hospitals
from support.processes.rig import Rig, laid_out, wait_for


def written(rig: Rig, noise: dict[str, object] = hospitals.NONE, rounds: int = 3, patience: float = 30.0) -> Path:
    plan = hospitals.plan(privacy=noise, rounds=rounds, patience=patience)
    return laid_out(rig.folder / "plans", plan, hospitals.frames())


def places(rig: Rig) -> tuple[Path, Path]:
    return rig.folder / "runs" / "up", rig.folder / "runs" / "ledger"


def up(rig: Rig, plan: Path, *more: str):
    out, ledger = places(rig)
    return rig.spawn("up", "up", plan, "--out", out, "--ledger", ledger, "--json", *more, driven=False)


def test_up_gives_what_run_gives_and_counts_of_an_owners_rows_are_in_no_file_of_it(rig, tmp_path):
    plan = clamped(rig, 3)
    ended = up(rig, plan, "--record", "--compare", "--predictions").end(280)
    there = ended.document
    more = {"record": True, "compare": True, "predictions": True}
    here = potluck.run(Plan.read(plan), out=tmp_path / "run", ledger=tmp_path / "l", **more).document
    assert there["model"]["digest"] == here["model"]["digest"]
    assert there["metrics"] == here["metrics"]
    assert there["plan"] == here["plan"]
    assert there.keys() == here.keys()
    out, _ = places(rig)
    assert (out / "summary.json").read_bytes() == (tmp_path / "run" / "summary.json").read_bytes()
    assert there["own_predictions"].keys() == here["own_predictions"].keys() == here["privacy"]["epsilon"].keys()
    for name, file in there["own_predictions"].items():
        assert Path(file).read_bytes() == Path(here["own_predictions"][name]).read_bytes()
    assert not (out / "network").exists()
    assert "anna: column 'x': 1 of 40 values is clamped (1 above high)" in ended.words
    assert (out / "logs" / "server.log").is_file()
    assert counts_in(out) == []
    assert index(out) == index(tmp_path / "run")
    files = sorted(path.name for path in (out / "parcels").glob("*.bin"))
    lines = (out / "parcels/index.jsonl").read_text().splitlines()
    assert json.loads((out / "parcels/end.json").read_text()) == {"letters": len(lines)}
    assert files == sorted(json.loads(line)["file"] for line in lines)
    for path in (out / "parcels").iterdir():
        path.unlink()  # they hold what was read, unsealed, as was asked for


COUNTS = (b"are clamped", b"is clamped", b"not declared", b"rows of hospitals:")


def counts_in(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.name for path in files if any(text in path.read_bytes() for text in COUNTS))


def clamped(rig: Rig, rounds: int) -> Path:
    """A plan where one number of one owner is beyond its range."""
    plan = written(rig, rounds=rounds)
    frame = hospitals.frames()["anna"]
    frame.assign(x=[99.0, *frame.x.clip(-3, 3)[1:]]).to_csv(plan.parent / "rows.anna.csv", index=False)
    return plan


@pytest.mark.slow
def test_control_with_a_sites_screen_in_the_runs_folder_they_are_there(rig, monkeypatch):
    monkeypatch.setattr(Household, "logs", lambda self, folder: dict.fromkeys(self.commands, folder / "logs"))
    out, ledger = places(rig)
    carried_out(clamped(rig, 1), out=out, ledger=ledger)
    assert "site-anna.log" in counts_in(out)


def index(run: Path) -> Counter[tuple[str, ...]]:
    lines = map(json.loads, (run / "parcels/index.jsonl").read_text().splitlines())
    return Counter(tuple(str(line[key]) for key in ("round", "step", "from", "to")) for line in lines)


@pytest.mark.slow
def test_up_charges_what_run_charges(rig, tmp_path):
    plan = written(rig, {"noise": "shared", "unit": "row", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0})
    there = up(rig, plan).end(280).document
    here = potluck.run(Plan.read(plan), out=tmp_path / "run", ledger=tmp_path / "ledger").document
    assert there["privacy"] == here["privacy"]
    _, ledger = places(rig)
    assert sorted(path.name for path in ledger.glob("*.sqlite")) == [f"{name}.sqlite" for name in hospitals.NAMES]
    again = potluck.run(Plan.read(plan), out=tmp_path / "again", ledger=ledger).document  # it is an ordinary ledger
    assert again["privacy"] == here["privacy"]


@pytest.mark.parametrize(
    "trouble", ["data", *(pytest.param(word, marks=pytest.mark.slow) for word in ("plan", "file"))]
)
def test_what_cannot_be_run_leaves_nothing(rig, trouble):
    plan = written(rig)
    if trouble == "plan":
        plan.write_text(plan.read_text().replace("rounds = 3", "rounds = 0"))
    elif trouble == "data":
        path = rig.folder / "plans" / "rows.carl.csv"
        path.write_text(path.read_text() + "ohno,0.5,1\n")
    else:
        (rig.folder / "plans" / "rows.carl.csv").unlink()
    ended = up(rig, plan).end(280)
    assert ended.code == 2, ended.words
    assert ended.out == ""
    assert "ohno" not in ended.words
    out, ledger = places(rig)
    assert not out.exists()
    assert not ledger.exists() or list(ledger.iterdir()) == []


def midway(rig: Rig) -> None:
    """`up` is in the middle of a long run."""
    out, _ = places(rig)

    def moves() -> bool:
        paths = list(out.glob("network/coordinator/runs/*/transcript.jsonl"))
        lines = paths[0].read_text().splitlines(keepends=True) if paths else []
        return any(json.loads(line)["round"] == 3 for line in lines if line.endswith("\n"))

    wait_for(moves, 250, "the third round")


@pytest.mark.slow
def test_a_killed_up_takes_its_processes_with_it(rig):
    child = up(rig, written(rig, rounds=400))
    midway(rig)
    assert len(rig.processes()) >= 8  # the control: broker and its program, server, four sites, up
    child.stop(signal.SIGKILL)
    wait_for(lambda: not rig.processes(), 60, "all children of the killed `up` have ended")


@pytest.mark.slow
def test_an_interrupted_up_leaves_nothing_running_and_no_keys(rig):
    child = up(rig, written(rig, rounds=400))
    midway(rig)
    child.process.send_signal(signal.SIGINT)
    ended = child.end(280)
    assert ended.code == 130, ended.words
    assert ended.out == ""
    assert not rig.processes()
    assert not places(rig)[0].exists()
