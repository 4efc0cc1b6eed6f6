"""Intersections across machines for tests: homes, policies and keys of sites a, b, c and no broker."""

import contextlib
import time
from hashlib import sha256

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
from potluck.tasks.intersect.task import INTERSECT
from support.owner.policies import OPEN
from support.parties import across

RUN = "ab" * 16
WORDS = {"a": ["ann", "bea", "cem", "dov"], "b": ["eli", "dov", "cem", "bea"], "c": ["cem", "fay", "bea"]}


def enrolled(place, shows='["*"]'):
    """A coordinator and three sites with keys, whose policies allow all, and of intersections what `shows` says."""
    api.federation_new(place / "fed", "tls://localhost:4222", time.time(), 30)
    for name, words in WORDS.items():
        api.site_new(place / name, None)
        policy(place, name, shows)
        (place / name / "rows.csv").write_text("id\n" + "".join(f"{word}\n" for word in words))
    api.federation_add(place / "fed", [place / n / f"{n}.card" for n in WORDS], time.time())
    for name in WORDS:
        api.site_join(place / name, place / "fed" / "federation.toml", time.time(), "")
    return place


def policy(place, name, shows, engine=""):
    text = OPEN.replace("[approve]", f"intersect = {shows}\n[approve]")
    (place / name / "policy.toml").write_text(text + engine)


def plan(sites="abc", patience=2.0, **align):
    made = Plan(
        name="keys",
        purpose="test",
        task="intersect",
        federation={"sites": list(sites), "patience": patience},
        privacy={"noise": "none"},
        align={"keys": ["id"], "protocol": "ecdh", **align},
    )
    made.require()
    return made.spec


class Hall(across.Across):
    """The federation, its coordinator asking for an intersection."""

    def intersect(self, spec, run=RUN, wait=10.0, until=None):
        """until: a site's verdict that the server waits for, and no longer."""
        home = CoordinatorHome.at(self.folder / "fed")
        member = home.open(time.time())
        it = member.federation
        proposal = Proposal(CODE, it.version, it.digest, canonical(spec), sha256(b"").digest(), b"")
        running = Run(spec, None, None, run, proposal, wait, Transcript())
        heads = KnownHeads(home.folder / "heads.json", it)
        with contextlib.closing(Journal(self.folder / f"{run}.sqlite", spec)) as journal:
            line, say = self.exchange.line(SERVER), lambda e, t: self.said.append((e, t))
            coordinator = Coordinator(running, identity(member), line, journal, heads, say)
            of, no = coordinator.participants.of, coordinator.participants.hopeless
            coordinator.participants.hopeless = lambda: no() or any(one.verdict == until for one in of.values())
            if journal.stands(INTERSECT.first(spec)) is None:
                coordinator.gather()
            log = run_round(spec, INTERSECT.first(spec), coordinator, journal, INTERSECT.serve(spec))
            coordinator.close(b"")
            return log
