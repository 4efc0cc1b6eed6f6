"""A prediction across machines for tests: homes, policies and ledgers of a hospital and a clinic, no broker."""

import contextlib
import csv
import time
from hashlib import sha256

import numpy as np

from potluck.api.network import members as api
from potluck.api.network.once import run_round
from potluck.api.plan.plan import Plan
from potluck.core.party import SERVER
from potluck.core.plan import CODE, canonical
from potluck.drivers.transcript import Transcript
from potluck.members.home import CoordinatorHome
from potluck.parties.admission.session import Proposal
from potluck.parties.runners.identity import identity
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.server import Coordinator, Run
from potluck.tasks.predict.site import SCORES
from potluck.tasks.predict.task import PREDICT
from support.owner.policies import OPEN
from support.parties import across
from support.parties import predict_scene as scene

RUN = "ab" * 16


def enrolled(place):
    """A coordinator, a hospital with a model and a clinic with rows."""
    api.federation_new(place / "fed", "tls://localhost:4222", time.time(), 30)
    for name, file in (("hospital", "model.json"), ("clinic", "rows.csv")):
        api.site_new(place / name, None)
        policy(place, name, file=file)
    scene.logistic().write(place / "hospital" / "model.json")
    (place / "clinic" / "rows.csv").write_text(scene.rows())
    names = ("hospital", "clinic")
    api.federation_add(place / "fed", [place / n / f"{n}.card" for n in names], time.time())
    for name in names:
        api.site_join(place / name, place / "fed" / "federation.toml", time.time(), "")
    (place / "plan.toml").write_text(scene.PLAN)
    return place


def policy(folder, name, file, **changes):
    text = OPEN.replace("rows.csv", file)
    for key, value in changes.items():
        text = text.replace(f'{key} = ["*"]', f"{key} = {value}")
    (folder / name / "policy.toml").write_text(text)


def plan(folder, *settings):
    digest = scene.logistic().digest()
    fixed = (f'model={{digest="{digest}"}}', 'predict.mode="batch"', "federation.patience=2.0", "data.files={}")
    made = Plan.read(folder / "plan.toml", (*fixed, *settings))
    made.require()
    return made.spec


class Hall(across.Across):
    """The federation, its coordinator asking for a prediction."""

    @contextlib.contextmanager
    def serving(self, spec, run, wait):
        home = CoordinatorHome.at(self.folder / "fed")
        member = home.open(time.time())
        it = member.federation
        proposal = Proposal(CODE, it.version, it.digest, canonical(spec), sha256(b"").digest(), b"")
        running = Run(spec, None, None, run, proposal, wait, Transcript())
        heads = KnownHeads(home.folder / "heads.json", it)
        with contextlib.closing(Journal(self.folder / f"{run}.sqlite", spec)) as journal:
            line, say = self.exchange.line(SERVER), lambda e, t: self.said.append((e, t))
            yield Coordinator(running, identity(member), line, journal, heads, say), journal

    def predict(self, spec, run=RUN, wait=10.0):
        with self.serving(spec, run, wait) as (coordinator, journal):
            if journal.stands(PREDICT.first(spec)) is None:
                coordinator.gather()
            log = run_round(spec, PREDICT.first(spec), coordinator, journal, PREDICT.serve(spec))
            coordinator.close(b"")
            return log


def scores(folder, run=RUN):
    path, told = SCORES.find(folder / "clinic", run)
    with path.open(newline="") as file:
        return np.array([float(line[1]) for line in list(csv.reader(file))[1:]]), told
