"""What a site does and did: its process, its ledger, what waits, and the engines that its policy has a use for."""

import os
import platform
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from importlib.metadata import version

from potluck.api.machine import engine
from potluck.api.network.doctor import home as homes
from potluck.api.network.doctor.finding import DAY, Finding, failed
from potluck.api.network.membership.left import left
from potluck.api.network.membership.turned import turned_away
from potluck.api.network.policy.effects import waiting as undecided
from potluck.api.network.running.notify import RECENT
from potluck.api.network.running.notify import program as program_of
from potluck.api.network.running.pulse import heard, mute
from potluck.core.errors import PotluckError, reason
from potluck.core.party import Role
from potluck.core.prose import agree
from potluck.core.visible import visible
from potluck.members.federation import Federation
from potluck.members.files import full, held
from potluck.members.home import SiteHome
from potluck.owner.access import read as read_log
from potluck.owner.chain import Chain
from potluck.owner.hours import ANY
from potluck.owner.ledger_heads import Anchor
from potluck.owner.policy import Policy
from potluck.owner.requests import SHORTEST, Requests, State
from potluck.parties.admission.decision import FORM
from potluck.tee.attestation.demand import read as demanded

LONG = 1800.0
"""Seconds without a look around after which a process may hang."""
TURNED = ("version", "federation", "expired", "ledger", "engine", "disk", "data", "policy")
"""Why a run is turned away where this machine's people can do something."""
EVERY = ("version", "ledger", "disk")
"""Of these, why every run is turned away until somebody acts."""
ENGINES = {"he": "for encrypted sums and predictions", "mpc": "for compute parties, fits and matching"}
"""What they are for."""
NEWEST = 64 << 10
"""Bytes of the access log's end in which its newest time is looked for."""


def program() -> Iterator[Finding]:
    """Versions."""
    yield Finding("program", "good", f"potluck {version('potluck')} on Python {platform.python_version()}")


def process(home: SiteHome, now: float) -> Iterator[Finding]:
    """Whether the site answers, by which program, and whether the broker hears it."""
    beat, running = heard(home.status), held(home.lock)
    if not running and left(home):
        yield Finding("process", "good", "potluck site run does not run, as it is with who is no member any more")
    elif not running:
        what = "potluck site run does not run: nobody answers requests"
        yield Finding("process", "look", what, f"potluck site run '{home.folder}', best as a service")
    elif silent := mute(home, beat):
        hint = "free some room, and see the disk's and the ledger's findings; else start it again"
        yield Finding("process", "bad", f"potluck site run is at work; {silent}", hint)
    elif beat is not None and beat.program != version("potluck"):
        what = f"potluck site run is at work as version {beat.program}, and {version('potluck')} is installed"
        yield Finding("process", "look", what, "start it again, between two runs")
    elif beat is not None and not beat.connected:
        what = f"potluck site run is at work, and is not connected: {beat.trouble}"
        yield Finding("process", "look", what, "it tries again every two seconds; what the broker's findings say helps")
    elif beat is not None and now - beat.seen > LONG:
        what = f"potluck site run has not looked around for {(now - beat.seen) / 60:.0f} minutes"
        yield Finding("process", "look", what, "a round of much work takes so long; else it hangs: start it again")
    else:
        yield Finding("process", "good", "potluck site run is at work")


def ledger(home: SiteHome, pinned: Federation | None) -> Iterator[Finding]:
    """The whole chain, and its anchor. Nothing is written."""
    known = None
    try:
        if pinned is not None and home.me in pinned.cards:
            public = pinned.cards[home.me].signing
            anchor = Anchor(home.anchor, home.name, bytes.fromhex(pinned.id), public, lambda message: b"")
            anchor.expects(home.ledger)
            known = anchor.read()
        if not home.ledger.parent.is_dir():
            what = f"there is no folder for {home.ledger}, which site.toml names"
            yield Finding("ledger", "bad", what, "put the ledger back where it was; a fresh one forgets what was spent")
            return
        if full(home.ledger.parent) or not os.access(home.ledger.parent, os.W_OK):
            what = "it cannot be written: its disk has no room, or takes nothing"
            yield Finding("ledger", "bad", what, f"nothing can be charged, so no run goes on: {home.ledger}")
            return
        if not home.ledger.exists():
            yield Finding("ledger", "good", "nothing was spent yet")
            return
        with closing(Chain(home.ledger)) as chain:
            if known is not None:
                chain.holds(known)
            entries, last = chain.head().seq, chain.read("SELECT max(at) FROM entries")[0][0]
    except PotluckError as error:
        yield failed("ledger", error)
        return
    newest = f", the newest of {time.strftime('%Y-%m-%d', time.gmtime(last))}" if last else ""
    note = "a signed note of it"
    anchored = f"as its anchor, {note}, has it" if known else f"with no anchor, {note}, to hold it against"
    yield Finding("ledger", "good", f"{entries:,} {agree(entries, 'entry', 'entries')}{newest}, whole, {anchored}")


def log(home: SiteHome) -> Iterator[Finding]:
    """The access log's newest part."""
    try:
        damaged = read_log(home.access, last=NEWEST).damaged
    except PotluckError as error:
        yield failed("access log", error)
        return
    if damaged:
        what = f"{len(damaged)} of its newest lines cannot be read"
        hint = "a crash cuts one line short; where there are more, somebody or the disk changed the file"
        yield Finding("access log", "look", what, hint)


def marks(home: SiteHome, pinned: Federation | None) -> dict[str, float]:
    """Times that have passed, as this home knows them."""
    found = {} if pinned is None else {"the federation file was issued": float(pinned.issued)}
    with suppress(PotluckError, ValueError):  # who may not read the log hears of it as a file of the home
        for entry in read_log(home.access, last=NEWEST).entries[-1:]:
            found[homes.LINE] = datetime.fromisoformat(entry.when).timestamp()
    return found


def waiting(home: SiteHome, now: float) -> Iterator[Finding]:
    """Requests that nobody has decided about."""
    if not home.requests.exists():
        return
    try:
        with closing(Requests(home.requests)) as requests:
            pending = undecided(home, requests)
    except PotluckError as error:
        yield failed("requests", error)
        return
    if not pending:
        yield Finding("requests", "good", "none waits")
        return
    oldest = now - pending[0].first_seen
    since = f"the oldest for {int(oldest // DAY)} days" if oldest >= DAY else "all since less than a day"
    what = f"{len(pending)} {agree(len(pending), 'waits', 'wait')}, {since}"
    yield Finding("requests", "look" if oldest >= DAY else "good", what, f"potluck site inbox '{home.folder}'")


def turned(home: SiteHome, now: float) -> Iterator[Finding]:
    """Runs that this program turned away: another version or federation file, rows that do not fit. Settled is one that
    is over, or that its owner denied; of a plan of which a later run was answered; and what had nothing to do with any
    plan, once its asker was answered."""
    with suppress(PotluckError, ValueError):  # a log that cannot be read has a finding of its own
        answers = [one for one in read_log(home.access, last=RECENT).entries if one.event == "request"]
        since = {(one.asker, one.plan): one.when for one in answers if one.plan and one.outcome == "approved"}
        heard = {one.asker: one.when for one in answers if one.outcome in ("approved", "pending")}
        over = _over(home)
        ours = [one for one in turned_away(home.folder, now) if one.codes[0] in TURNED and one.run not in over]
        ours = [one for one in ours if since.get((one.asker, one.plan), "") <= one.when]  # else it is mended
        ours = [one for one in ours if one.codes[0] not in FORM or heard.get(one.asker, "") <= one.when]
        now_too = answers[-1].why[0] if answers and answers[-1].why else ""
        for one in {one.codes[0]: one for one in reversed(ours)}.values():
            name = f"{one.plan} of {one.asker}, run {one.run[:12]}," if one.plan else "a run"
            said = visible(f"{name} was turned away on {one.when[:10]}: {one.why}")
            if one.codes[0] in EVERY and one.codes[0] == now_too:
                said = f"{said}; nothing was answered since, and no run can be while it is so"
                yield Finding("requests", "bad", said, one.hint)
                continue
            settle = f"potluck site deny '{home.folder}' {one.hash[:SHORTEST]}"
            hint = f"{one.hint}; if nothing more is to come of it: {settle}" if one.hash else one.hint
            yield Finding("requests", "look", said, hint)


def _over(home: SiteHome) -> frozenset[str]:
    if not home.requests.exists():
        return frozenset()
    with closing(Requests(home.requests)) as requests:
        return frozenset(one.run for one in requests.every() if one.state not in (State.APPROVED, State.PENDING))


def told(home: SiteHome, rules: Policy) -> Iterator[Finding]:
    """Whoever is to be told of requests can be, and was."""
    if not rules.notify.command:
        return
    try:
        program_of(rules.notify, home.policy.parent)
        last = next((one for one in reversed(read_log(home.access, RECENT).entries) if one.event == "notify"), None)
    except PotluckError as error:
        yield failed("notify", error)
        return
    if last is not None and last.outcome != "done":
        what = f"the last message of {last.when} came to nothing: {', '.join(last.why)}"
        yield Finding("notify", "look", what, "run the program by hand, with a request as JSON on its stdin")
    else:
        yield Finding("notify", "good", f"{rules.notify.command[0]} is told of requests")


def named(home: SiteHome, rules: Policy) -> Iterator[Finding]:
    """Files and addresses that the policy names beside the rows."""
    folder, enclave, address = rules.models.folder, rules.attestation.policy, rules.engine.address
    if folder is not None and not (home.folder / folder).is_dir():
        yield Finding("models", "bad", f"models.folder is no folder: {home.folder / folder}", "make it, or correct it")
    if enclave is not None:
        try:
            demanded(home.folder / enclave)
        except PotluckError as error:
            yield failed("attestation", error)
    if address is not None:
        yield from _address(address)


def _address(address: str) -> Iterator[Finding]:
    """Whether engines of others could reach one here: its host has to be this machine's own. A port in use is none of
    this: a job may use it."""
    host = address.rsplit(":", 1)[0].strip("[]")
    try:
        family, kind, _, _, place = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as trial:
            trial.bind(place)
    except OSError as error:
        hint = "it is where this party's own engine listens: this machine's name or address, and ports that are open"
        what = f"engine.address {address} is not this machine's ({reason(error)})"
        yield Finding("engines", "bad", what, hint)


def engines(home: SiteHome, rules: Policy) -> Iterator[Finding]:
    """Each: installed, and passing its self-test, which is run."""
    allow = rules.allow
    he = {"he", ANY} & set(allow.protect)
    mpc = home.me.role is Role.COMPUTE or allow.intersect or {"fit", "intersect", ANY} & set(allow.tasks)
    for name, state in engine.status().items():
        wanted, said = he if name == "he" else mpc, f"{name} ({ENGINES.get(name, 'an engine')})"
        if state.problem is None:
            yield Finding("engines", "good", f"{said} is installed and passes its self-test")
        elif state.found is not None:
            yield Finding("engines", "bad", f"{said}: {state.problem}", f"potluck engine install {name}")
        elif wanted:
            what = f"{said} is not installed, and plans that the policy allows may need it"
            yield Finding("engines", "look", what, f"potluck engine install {name}")
        else:
            yield Finding("engines", "good", f"{said} is not installed: nothing that the policy allows needs it")
