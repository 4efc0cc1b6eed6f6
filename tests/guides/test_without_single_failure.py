"""The guide "No single point of failure" is run line by line: four machines, a run, and the death of the first."""

import json
import sys
import time
from pathlib import Path

import pytest
import tomli_w

from potluck.api.network.status import status
from potluck.members.home import CoordinatorHome
from support.guides.machines import Machines, missing
from support.guides.page import Mail, Step, Type, accept, calls, steps
from support.guides.readers import Readers
from support.owner.policies import OPEN
from support.parties import scene
from support.places import ROOT

GUIDE = ROOT / "docs" / "guides" / "without-single-failure.md"
NEEDS = missing()
SITES = {"north": "b", "south": "c", "west": "b"}
"""On whose machine each is."""
AGE = """#!/bin/sh
while [ $# -gt 1 ]; do shift; done
case "$1" in hospitals-*) cat "$1";; *) cat;; esac
"""
"""In the program's place: it seals nothing."""
ROUNDS = 150


def test_every_call_in_the_guide_is_one_that_the_command_line_takes():
    known = calls(GUIDE)
    assert len(known) >= 10
    for words in known:
        accept(words[: words.index("|")] if "|" in words else words)


def parted(todo: list[Step], *marks: str) -> list[list[Step]]:
    """Steps, parted before the first command of each mark."""
    places = [next(at for at, one in enumerate(todo) if isinstance(one, Type) and mark in one.line) for mark in marks]
    ends = [*places, len(todo)]
    return [todo[start:end] for start, end in zip([0, *places], ends, strict=True)]


def written(home: Path) -> None:
    """The plan, at the coordinator and at its heir."""
    tables = {
        "version": 1, "name": "heart", "purpose": "test", "task": "train",
        "federation": {"sites": sorted(SITES), "corrupt": 0, "dropouts": 0},
        "data": {
            "columns": {name: {"kind": "number", "low": -3, "high": 3} for name in "xz"},
            "target": {"column": "y", "positive": ["1"]}, "split": {"test": 0.3}, "max_rows": 100,
        },
        "model": {"kind": "logistic"},
        "training": {"method": "gradient", "rounds": ROUNDS, "expected_rows": 100},
        "protect": {"with": "mask"}, "privacy": {"noise": "none"},
    }  # fmt: skip
    (home / "heart.toml").write_text(tomli_w.dumps(tables), encoding="utf-8")


def opened(machines: Machines) -> int:
    """How many sums of the run are done."""
    runs = status(machines.of["coordinator"].home / "hospitals").runs
    return runs[0].opened if runs else 0


def awaits(machines: Machines, many: int) -> None:
    """Until so many are. Raises AssertionError: they never were."""
    end = time.monotonic() + 300
    while opened(machines) < many:
        assert time.monotonic() < end, machines.of["coordinator"].terminal("server").shown
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(bool(NEEDS), reason=NEEDS)
@pytest.mark.timeout(900)
def test_the_guide_is_run_as_it_stands_and_a_run_outlives_its_coordinator(tmp_path):
    """Between its blocks: sites on machines b and c, and a run in which the first machine dies, with its node."""
    age = tmp_path / "bin" / "age"
    age.parent.mkdir()
    age.write_text(AGE, encoding="utf-8")
    age.chmod(0o755)
    with Machines(tmp_path / "m", ["coordinator", "b", "c", "heir"]) as machines:
        of, reader = machines.of, Readers(machines)
        for one in of.values():
            one.path = f"{age.parent}:{Path(sys.executable).parent}"
            for name, other in {"a": "coordinator", "b": "b", "c": "c"}.items():
                one.knows(f"{name}.example", of[other].address)
        nodes, members, copy, heir = parted(steps(GUIDE), "--federation", "server backup", "age -d")
        mail, brought = nodes.pop(), copy.pop()  # each stands before the command of its mark
        assert isinstance(mail, Mail)
        assert isinstance(brought, Mail)
        reader.do(nodes)
        for name in ("coordinator", "b", "c"):
            of[name].terminal("node").awaits("serves")
        for name, frame in zip(SITES, scene.frames("abc").values(), strict=True):
            assert of[SITES[name]].type("", f"potluck site new {name}") == 0
            home = of[SITES[name]].home / name
            (home / "policy.toml").write_text(OPEN, encoding="utf-8")
            frame.to_csv(home / "rows.csv", index=False)
            (of["coordinator"].home / f"{name}.card").write_bytes((home / f"{name}.card").read_bytes())
        add = "potluck federation add hospitals " + " ".join(f"{name}.card" for name in SITES)
        assert of["coordinator"].type("", add) == 0
        reader.do([mail, *members])
        for name, where in SITES.items():
            assert of[where].type("", f"potluck site join {name} federation.toml") == 0
            of[where].type(name, f"potluck site run {name}")
        for name in ("coordinator", "heir"):
            written(of[name].home)
        of["coordinator"].type("server", "potluck server run hospitals heart.toml --out heart --wait 100")
        awaits(machines, 3)
        reader.do(copy)
        known = opened(machines)
        awaits(machines, known + 2)  # what the copy does not have
        dying = [of["coordinator"].terminals.pop(name).child for name in ("server", "node")]
        dying[0].kill()
        assert dying[0].wait(60) < 0
        dying[1].terminate()  # killed, it would leave its nats-server behind
        assert dying[1].wait(60) == 0
        assert known < ROUNDS, "it died in the run"
        for one in of.values():
            one.knows("a.example", of["heir"].address)
        reader.do([brought, *heir])
        there = of["heir"].home
        assert not CoordinatorHome.at(there / "hospitals").restored.exists(), "two nodes showed the newest file"
        run = json.loads((there / "heart" / "run.json").read_text(encoding="utf-8"))
        assert len(run["rounds"]) == ROUNDS
        assert "behind" in of["heir"].terminal("").shown, "the rounds after the copy are lost, and run again"
