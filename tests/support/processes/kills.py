"""One kill in one run, and what must hold afterwards."""

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from potluck import Plan
from potluck.api.network.ledger import spending
from potluck.core.asks import Kind
from potluck.dp.account import Cost
from potluck.dp.banded import overdrawn
from potluck.dp.events import Banded, SampledGauss
from potluck.members.home import SiteHome
from potluck.owner.chain import Chain
from potluck.owner.entries import cost
from support.processes.hospitals import NAMES, NONE, SHARED, plan, reference
from support.processes.rig import BROKER, SERVER, Ended, Rig, Trap, wait_for

SENT = {  # by step of a round: who says it to whom
    "begin": "server",
    "mask/advertise": "site",
    "mask/roster": "server",
    "mask/share": "site",
    "mask/relay": "server",
    "mask/input": "site",
    "mask/survivors": "server",
    "mask/sign": "site",
    "mask/signed": "server",
    "mask/unmask": "site",
}
CLEAR = {"begin": "server", "clear/input": "site"}
VICTIM = "bert"
STARTED = 120.0
"""Until sites answer: the first plan with noise, or with a network, has each load what that takes, on cores that others
use too."""
BOUND = 360.0
"""Seconds in which any of these runs must be over, kill and new start included; undisturbed they take two."""


@dataclass(frozen=True)
class Kill:
    """Who dies (server, site, broker), when, and in which of the run's rounds."""

    role: str
    step: str
    moment: str
    noise: str = "none"
    word: str = "mask"
    round: int = 2
    optimizer: str = "sgd"
    looks: bool = False
    drawn: bool = False
    walking: bool = False
    deep: bool = False
    banded: bool = False
    boosted: bool = False
    voted: bool = False

    def __str__(self) -> str:
        said = f"{self.role}-{self.step}-{self.moment}-{self.noise}-{self.round}".replace(" ", "_").replace("/", ".")
        words = ("looks", "drawn", "walking", "deep", "banded", "boosted", "voted")
        said += "".join(f"-{name}" for name in words if getattr(self, name))
        return said if self.optimizer == "sgd" else f"{said}-{self.optimizer}"

    def plan(self, privacy: Mapping[str, Any]) -> Plan:
        """What is run. Where an optimizer has a state, models are averaged too, which is another."""
        made = plan(self.word, privacy)
        if self.drawn:
            made = made.set("training.batch", 50)
        if self.walking:
            made = made.set("training.steps", 4).set("training.rate", 0.25).set("training.method", "average")
        if self.deep:
            made = made.set("model", {"kind": "network", "layers": [3], "activation": "tanh"})
        if self.banded:  # a round takes all sites, or is run again
            made = made.set("training.band", 2).set("federation.dropouts", 0)
        if self.boosted:  # a tree a round, whose three levels take a sum each
            made = made.set("model", {"kind": "trees", "depth": 3, "bins": 4})
            return made.set("training", {"method": "boosting", "rounds": 1})
        if self.voted:
            made = made.set("data.split.validation", 0.3)
            return made.set("training.vote", {}).set("federation.dropouts", 0)
        if self.looks:  # its second look is worse than its first: it ends there
            made = made.set("data.split.validation", 0.3).set("training.rate", 40.0)
            return made.set("training.stop", {"metric": "loss", "patience": 1})
        if self.optimizer == "sgd":
            return made
        return made.set("training.optimizer", self.optimizer).set("training.iterates", "averaged")

    @property
    def driven(self) -> str:
        """Whose driver springs the trap: the broker's death is at a letter that the server sees."""
        return VICTIM if self.role == "site" else SERVER

    def trap(self, rig: Rig) -> Trap:
        """Of several letters of a step the server's trap takes the one of or to the victim."""
        return Trap(self.moment, self.step, self.round, VICTIM, rig.broker_pid if self.role == "broker" else "")


def moments(role: str, sender: str) -> tuple[str, str]:
    """The moments before and after a letter at whoever dies."""
    me = "site" if role == "site" else "server"
    return ("before send", "after send") if me == sender else ("on receipt", "when done")


def undergo(rig: Rig, kill: Kill) -> dict[str, Any]:
    """Run, kill, start again, and hold everything against what must be. Gives what happened."""
    began = time.monotonic()
    rig.start(BROKER, *NAMES)
    privacy = NONE if kill.noise == "none" else SHARED | {"noise": kill.noise}
    of = kill.plan(privacy)
    name = f"{kill}-{rig.starts}"
    path = rig.plan(of, name)
    out = rig.folder / "runs" / name
    rig.trap(kill.driven, kill.trap(rig))
    rig.serve(path, "--out", out, wait=STARTED)
    try:  # the control: it did happen
        wait_for(lambda: rig.sprung(kill.driven), STARTED + 40, f"the trap of {kill} springs")
        victim = {"site": VICTIM, "server": SERVER, "broker": BROKER}[kill.role]
        dead = rig.children[victim]
        died = dead.process.wait(15)  # the wrapper around the broker ends by itself
        assert died == (4 if victim == BROKER else -9), (victim, died, dead.words.read_text()[-500:])
        stops = []
        if victim == SERVER:
            rig.serve(path, "--out", out, wait=STARTED)
        else:
            rig.start(victim)
        ended = rig.children[SERVER].end(BOUND - (time.monotonic() - began))
        while ended.code != 0:
            stops.append(named(ended))
            assert len(stops) < 3, stops
            rig.serve(path, "--out", out, wait=STARTED)
            ended = rig.children[SERVER].end(BOUND - (time.monotonic() - began))
    finally:
        rig.disarm()
        rig.children[SERVER].stop()  # where anything above failed: the next case starts afresh
    run = rig.runs()[0]
    books(rig, kill, run, ended.document)
    result(rig, kill, run, ended.document)
    rounds = rig.rounds(run)
    return {
        "stops": stops,
        "tries": sum(1 for one in rounds if not one["opened"]),
        "seconds": round(time.monotonic() - began, 1),
        "givers": [len(one["givers"]) for one in rounds if one["opened"]],
    }


def named(ended: Ended) -> str:
    """A stop must have a cause."""
    assert ended.code in (3, 4), (ended.code, ended.words[-2000:])
    assert "bug" not in ended.words
    assert ended.out == ""
    return ended.words.strip().splitlines()[-1]


def books(rig: Rig, kill: Kill, run: str, document: dict[str, Any]) -> None:
    """The ledgers equal what left; nobody answered one round twice."""
    for name in NAMES:
        sent = [(line["round"], line["step"]) for line in rig.letters(name, "send", run)]
        answers = [one for one in sent if one[0] > 0 and one[1] != "stop"]
        assert len(answers) == len(set(answers)), f"{name} answered twice: {sorted(answers)}"
        left = {number for number, step in answers if step.endswith("/input")}
        charged = rig.charged(name, run)
        assert len(charged) == len(set(charged))
        unsent = set(charged) - left  # charged first, then killed before it left
        assert left <= set(charged)
        mine = kill.role == "site" and name == VICTIM and kill.moment == "before send"
        assert unsent <= ({kill.round} if mine else set()), (name, charged, left)
        if kill.drawn:
            assert {type(one.event) for one in costs(rig, name, run) if one.phase is Kind.TRAIN} == {SampledGauss}
        if kill.banded:
            events = [one.event for one in costs(rig, name, run) if one.phase is Kind.TRAIN]
            assert {type(event) for event in events} == {Banded}
            assert {event.number for event in events} == {1, 2, 3}
            assert not overdrawn(events)
        if kill.walking:
            assert {one.event.count for one in costs(rig, name, run) if one.phase is Kind.TRAIN} == {4}
        if kill.noise != "none":
            history = next(one for one in spending(rig.home(name)).runs if one.run == run)
            assert history.releases == len(charged)
            assert history.epsilon <= SHARED["epsilon"] * (1 + 1e-9)
            told = document["privacy"]["epsilon"][name]
            if any(text.startswith("no last word") and name in text for text in document["warnings"]):
                assert told <= history.epsilon * (1 + 1e-9)  # it came back too late to say what it had charged
            else:
                assert math.isclose(told, history.epsilon, rel_tol=1e-9), (name, told, history.epsilon)
    for one in rig.rounds(run):
        only_votes = kill.voted and (one["kind"], one["step"]) == ("train", 3)
        for giver in one["givers"]:
            assert (one["number"] in rig.charged(giver, run)) is not only_votes


def costs(rig: Rig, name: str, run: str) -> list[Cost]:
    """What a site's ledger was charged, oldest first."""
    with contextlib.closing(Chain(SiteHome.at(rig.home(name)).ledger)) as chain:
        rows = chain.read("SELECT value FROM facts WHERE run = ? AND length(value) > 0 ORDER BY seq", run)
    return [cost(value, name) for (value,) in rows]


def result(rig: Rig, kill: Kill, run: str, document: dict[str, Any]) -> None:
    """The right sum: bit for bit that of a run over the same givers; with noise, within what the noise can do."""
    opened = [one for one in rig.rounds(run) if one["opened"]]
    kinds = [*(("train", n) for n in range(3)), ("evaluate", 0)]
    if kill.looks:
        kinds = [(kind, n) for n in range(2) for kind in ("train", "validate")] + [("evaluate", 0)]
        assert [one["round"] for one in document["history"]] == [1, 2]
        assert document["model"]["round"] == 1
    if kill.voted:  # and on the last model, when nothing is added any more
        kinds.insert(3, ("train", 3))
        assert document["votes"] == [{"round": number, "against": [], "of": len(NAMES)} for number in (1, 2, 3)]
    assert [(one["kind"], one["step"]) for one in opened] == kinds
    givers = [one["givers"] for one in opened]
    if kill.noise == "none":
        clean = kill.plan(NONE)
        assert document["model"]["digest"] == reference(clean, givers).digest()
        if kill.round > 1 and kill.word != "clear":  # mask: the sites of the first sum or none (decision 0011)
            assert document["model"]["digest"] == reference(clean).digest()
        return
    if kill.deep:  # what noise does to a network's weights nobody can say
        return
    quiet = {**SHARED, "noise": kill.noise}
    wanted = reference(kill.plan(quiet), givers).coefficients
    for key, value in document["model"]["coefficients"].items():
        assert abs(value - wanted[key]) < 2.0, (key, value, wanted[key])
