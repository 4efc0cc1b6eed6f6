"""Four hospitals and three compute parties as real processes, and one death in one run of theirs."""

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from potluck.api.network import members as api
from potluck.api.plan.plan import Plan
from potluck.members.home import SiteHome
from potluck.parties.runners.journal import Journal
from support.owner import policies
from support.parties.across import drawn
from support.processes import hospitals
from support.processes.hospitals import NAMES
from support.processes.rig import BROKER, SERVER, Ended, Rig, Trap, wait_for

SERVERS = ("alpha", "beta", "gamma")
COMPUTES = tuple(f"compute-{name}" for name in SERVERS)
VICTIM = "compute-beta"
PATIENCE = 6.0
BOUND = 300.0
"""Seconds in which any of these runs must be over, with its death and new start; undisturbed they take some ten."""
STEPS = ("keys", "held", "ready", "link", "run", "accepted", "survivors", "result")


def federation(folder: Path) -> Rig:
    """Enrolled, nothing started."""
    rig = hospitals.federation(folder)
    now = time.time()
    for name, home in zip(SERVERS, COMPUTES, strict=True):
        api.site_new(rig.home(home), name, compute=True)
        (rig.home(home) / "policy.toml").write_text(policies.COMPUTES.format(ports=drawn()))
    api.federation_add(rig.fed, [SiteHome.at(rig.home(home)).card for home in COMPUTES], now)
    for home in (*NAMES, *COMPUTES):
        api.site_join(rig.home(home), rig.fed / "federation.toml", now, "")
    return rig


def plan(rounds: int = 2) -> Plan:
    made = hospitals.plan("share", patience=PATIENCE, rounds=rounds)
    return made.set("federation.server", "curious")


@dataclass(frozen=True)
class Death:
    """A compute party dies at a letter of its own. back: it is started again."""

    step: str
    moment: str = "before send"
    round: int = 1
    back: bool = True

    def __str__(self) -> str:
        return f"{self.step}-{self.moment}-{self.round}-{'back' if self.back else 'gone'}".replace(" ", "_")


def undergo(rig: Rig, death: Death) -> tuple[Ended, dict[str, Any]]:
    """A run in which it happens. Gives how the server ended, and what was seen."""
    began = time.monotonic()
    rig.start(BROKER, *NAMES, *COMPUTES)
    path = rig.plan(plan(), f"{death}-{rig.starts}")
    rig.trap(VICTIM, Trap(death.moment, f"share/{death.step}", death.round))
    rig.serve(path, "--out", rig.folder / "runs" / path.stem, wait=30)
    try:
        wait_for(lambda: rig.sprung(VICTIM), 150, f"the trap of {death} springs")  # the control: it did happen
        assert rig.children[VICTIM].process.wait(15) == -9
        if death.back:
            rig.start(VICTIM)
        ended = rig.children[SERVER].end(BOUND - (time.monotonic() - began))
    finally:
        rig.disarm()
        rig.children[SERVER].stop()
    path = rig.fed / "runs" / rig.runs()[0] / "journal.sqlite"
    with closing(Journal.look(path)) as journal:
        tries = [one["cause"] for one in journal.rounds() if not one["opened"]]
    return ended, {"seconds": round(time.monotonic() - began, 1), "tries": tries}
