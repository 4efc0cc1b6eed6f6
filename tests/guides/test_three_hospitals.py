"""The guide "Three hospitals, three machines" is run as it is written, on four machines with its firewalls."""

import json
import re
import shlex
import subprocess
import tomllib
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

import potluck
from potluck.cli import potluck as group
from potluck.core.party import site
from potluck.dp.account import promise
from potluck.members.home import SiteHome
from potluck.owner.evidence import verify_export
from potluck.owner.judge import Year, judge
from potluck.owner.ledger_heads import SignedHead
from potluck.owner.reading import read as read_policy
from support.guides.machines import NETNS, NETWORK, Machines, missing
from support.guides.page import Await, Type, Write, line_step, steps
from support.guides.readers import Readers
from support.places import ROOT

GUIDE = ROOT / "docs" / "guides" / "three-hospitals.md"
HOSPITALS = ("cleveland", "hungarian", "va")
HEADER = "age,sex,cp,trestbps,chol,fbs,restecg,thalach,exang,oldpeak,slope,ca,thal,num\n"
FINGERPRINT = re.compile(r"\b(?:[0-9A-Z]{4}-){7}[0-9A-Z]{4}\b")
NEEDS = missing()


def rows(machines: Machines) -> None:
    """What each hospital's own system wrote: with columns that no plan names."""
    for name in HOSPITALS:
        plain = Path(potluck.__file__).parent / "demo" / "heart" / f"processed.{name}.data"
        export = machines.of[name].home / "export.csv"
        export.write_text(HEADER + plain.read_text(encoding="utf-8"), encoding="utf-8")


def firewalled(machines: Machines) -> dict[tuple[str, str, int], bool]:
    """Which connections come about, of those that the page's firewalls are about."""
    tried = [("cleveland", "coordinator", 4222), ("cleveland", "coordinator", 4223), ("cleveland", "va", 4222)]
    tried += [("coordinator", "cleveland", 8080), ("va", "cleveland", 8080), ("coordinator", "coordinator", 4223)]
    return {(one, to, port): machines.of[one].reaches(machines.of[to].address, port) for one, to, port in tried}


def host() -> tuple[str, bytes]:
    """What of this machine's own network must not change: its links and its hosts file."""
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, check=True, text=True).stdout
    return re.sub(r"^(\d+): ([^:]+):.*$", r"\2", links, flags=re.MULTILINE), Path("/etc/hosts").read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(bool(NEEDS), reason=NEEDS)
@pytest.mark.timeout(1200)  # some ninety commands on four machines
def test_the_guide_leads_to_a_report_on_machines_that_let_out_one_port(tmp_path):
    before = host()
    with Machines(tmp_path, ["coordinator", *HOSPITALS]) as machines:
        rows(machines)
        machines.listen("coordinator", 4223)  # not the broker's port
        machines.listen("cleveland", 8080)
        reader, todo = Readers(machines), steps(GUIDE)
        assert machines.of["va"].reaches(f"{NETWORK}.1", 4223), "control: without firewalls another port is open"
        assert machines.of["va"].reaches(f"{NETWORK}.2", 8080)
        ours = next(n for n, one in enumerate(todo) if isinstance(one, Write) and one.machine == "coordinator")
        serves = next(n for n, one in enumerate(todo) if isinstance(one, Await) and one.text == "serves")
        reader.do(todo[:ours])
        assert not machines.of["va"].reaches(f"{NETWORK}.1", 4223), "the hospital's own firewall stops it"
        reader.do(todo[ours : serves + 1])
        open_now = firewalled(machines)
        reader.do(todo[serves + 1 :])
        assert {way for way, there in open_now.items() if there} == {
            ("cleveland", "coordinator", 4222),
            ("coordinator", "coordinator", 4223),  # control: it listens
        }
        told(reader)
    assert host() == before
    there = subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.split()
    for machine in machines.of.values():
        assert machine.namespace not in there
        assert not (NETNS / machine.namespace).exists()


def told(reader: Readers) -> None:
    """What the page promises of the result."""
    homes = {name: machine.home for name, machine in reader.machines.of.items()}

    def marks(machine: str, line: str) -> set[str]:
        return set(FINGERPRINT.findall(reader.said[machine, line]))

    listed = marks("coordinator", "potluck federation add hospitals cleveland.card hungarian.card va.card")
    assert len(listed) == 4
    for name in HOSPITALS:
        assert marks(name, f"potluck site join {name} federation.toml") == listed, "the same list, read out by voice"
        assert len(marks(name, f"potluck site new {name}") & listed) == 1, "and the own one is in it"
        assert (homes[name] / name / "keys").stat().st_mode & 0o077 == 0
    assert len(set(reader.hashes.values())) == 1, "all were asked for the same plan"

    run = json.loads((homes["coordinator"] / "heart" / "run.json").read_text(encoding="utf-8"))
    assert len(run["rounds"]) == 20
    assert set(run["privacy"]["epsilon"]) == set(HOSPITALS)
    assert all(0.9 < epsilon <= 1.0 for epsilon in run["privacy"]["epsilon"].values())
    assert "cleveland" in (homes["coordinator"] / "heart.html").read_text(encoding="utf-8")
    assert not list(homes["coordinator"].rglob("rows.csv")), "no row went to the coordinator"

    spent = reader.said["cleveland", "potluck site budget cleveland"]
    assert f"epsilon {run['privacy']['epsilon']['cleveland']:.6g} in all" in spent
    assert "approve" in reader.said["cleveland", "potluck site log cleveland"]
    *lines, last = (homes["cleveland"] / "spent.jsonl").read_bytes().splitlines(keepends=True)
    federation = SiteHome.at(homes["va"] / "va").pinned()
    public, signed = federation.cards[site("cleveland")].signing, msgspec.json.decode(last, type=SignedHead)
    head = verify_export(lines, signed, public, "cleveland", bytes.fromhex(federation.id))
    known = json.loads((homes["coordinator"] / "heart" / "details.json").read_text(encoding="utf-8"))
    heads = {one["site"]: one["hash"] for one in known["network"]["heads"]}
    assert heads["cleveland"] == head.hash.hex(), "the evidence ends where the report says"


@pytest.mark.skipif(bool(NEEDS), reason=NEEDS)
def test_nothing_of_the_machines_is_left_after_a_failure(tmp_path):
    before, machines = host(), Machines(tmp_path, ["coordinator"])
    with pytest.raises(AssertionError, match="exit code 7"):
        fails(machines)
    machine = machines.of["coordinator"]
    assert machine.terminal("long").child.returncode is not None
    assert host() == before
    assert not (NETNS / machine.namespace).exists()


def fails(machines: Machines) -> None:
    """Steps of which the last one fails, with a command still going on."""
    with machines:
        reader = Readers(machines)
        reader.does(line_step("coordinator# echo '10.20.0.9 elsewhere.example' >> /etc/hosts"))
        reader.does(line_step("coordinator:long$ sleep 600"))
        reader.does(line_step("coordinator$ sh -c 'exit 7'"))


def test_every_command_of_the_guide_is_one_of_the_command_line():
    lines = [step.line for step in steps(GUIDE) if isinstance(step, Type) and step.line.startswith("potluck ")]
    assert len(lines) > 25
    for line in lines:
        command, words = group, shlex.split(line)[1:]
        while hasattr(command, "get_command"):
            command, *words = command.get_command(None, words[0]), *words[1:]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, line


def test_the_policy_of_the_guide_allows_its_plan_and_little_else(tmp_path):
    files = {step.path: step.text for step in steps(GUIDE) if isinstance(step, Write)}
    (tmp_path / "policy.toml").write_text(files["cleveland/policy.toml"], encoding="utf-8")
    (tmp_path / "heart.toml").write_text(files["heart.toml"], encoding="utf-8")
    rules = read_policy(tmp_path / "policy.toml")

    def denied(*changes):
        plan = potluck.Plan.read(tmp_path / "heart.toml")
        for key, value in changes:
            plan = plan.set(key, value)
        now, asker = datetime.now().astimezone(), frozenset({"hospitals"})
        found = judge(rules, plan.spec, asker=asker, now=now, year=Year(), promised=promise(plan.spec))
        return {one.code for one in found}

    assert denied() == set()
    assert denied(("privacy.epsilon", 1.5)) == {"epsilon_per_plan"}
    assert denied(("privacy", {"noise": "none"})) == {"noise"}
    assert denied(("federation.corrupt", 0)) == {"min_corrupt"}
    assert denied(("privacy.unit", "person"), ("data.person", "age")) >= {"person"}
    assert denied(("protect.with", "clear"), ("federation.server", "curious"), ("privacy.noise", "reveal")) == {
        "protect",
        "noise",
    }


def test_a_line_that_nobody_could_do_is_noticed():
    with pytest.raises(ValueError, match="no step"):
        line_step("then type potluck run")
    assert all(tomllib.loads(one.text) for one in steps(GUIDE) if isinstance(one, Write) and one.path.endswith(".toml"))
