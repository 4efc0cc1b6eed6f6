"""The attack of `joint/test_repeats` across machines: one approval, real homes, an honest site started again."""

import contextlib
import shutil
import stat
import threading
import time
from hashlib import sha256

import pytest

from potluck.api.network import inbox
from potluck.core.asks import Kind
from potluck.core.errors import Refused
from potluck.core.party import SERVER, site
from potluck.core.plan import CODE, canonical
from potluck.core.rounds import Abort, Cause
from potluck.drivers.once import root_cause
from potluck.drivers.transcript import Transcript
from potluck.members.home import CoordinatorHome
from potluck.mpc.psi.commitment import Commitment
from potluck.parties.admission import over
from potluck.parties.admission.session import Close, Proposal, parcel
from potluck.parties.runners.identity import identity
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.server import Coordinator, Run
from potluck.tasks.intersect.halves import RoundContext, conduct
from potluck.tasks.intersect.site import COMMON
from support.parties import across
from support.parties.intersect_hall import RUN, Hall, enrolled, plan

SPEC = plan("ab", reveal="size", to=["a"])


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return enrolled(tmp_path_factory.mktemp("repeats"))


@pytest.fixture
def hall(founded, tmp_path):
    place = across.copy(founded, tmp_path / "f")
    across.copy(place / "a", tmp_path / "spare")
    policy = place / "b" / "policy.toml"
    policy.write_text(policy.read_text().replace('rule = "policy"', 'rule = "person"'))
    return Hall(place)


def forged(hall, word):
    """Site a as new: no ledger, no secret, and one key that it made up."""
    folder = hall.folder / "a"
    across.copy(hall.folder.parent / "spare", folder)
    (folder / "rows.csv").write_text(f"id\n{word}\n")
    (hall.folder / "fed" / "heads.json").unlink(missing_ok=True)
    waiting = hall.exchange.box(SERVER)  # a late letter of the site that was would tell the server of its ledger
    while not waiting.empty():
        waiting.get_nowait()


def approved(hall):
    """Site b's owner agrees, once: the server waits until that site says that it waits, and no longer."""
    with contextlib.suppress(Refused), server(hall, 60.0) as coordinator:
        asked = coordinator.participants.of[site("b")]
        coordinator.participants.hopeless = lambda: asked.verdict == "pending"
        coordinator.gather()
    (waits,) = inbox.inbox(hall.folder / "b")
    inbox.decide(hall.folder / "b", "approve", waits.request.hash, "ann")


@contextlib.contextmanager
def server(hall, wait):
    home = CoordinatorHome.at(hall.folder / "fed")
    member = home.open(time.time())
    it = member.federation
    proposal = Proposal(CODE, it.version, it.digest, canonical(SPEC), sha256(b"").digest(), b"")
    heads = KnownHeads(home.folder / "heads.json", it)
    running = Run(SPEC, None, None, RUN, proposal, wait, Transcript())
    with contextlib.closing(Journal(hall.folder / "server.sqlite", SPEC)) as journal:
        yield Coordinator(running, identity(member), hall.exchange.line(SERVER), journal, heads, lambda e, t: None)


def asked(hall, number):
    """One round of the run, in a process of its own each."""
    with hall.attending("a", "b"), server(hall, 10.0) as coordinator:
        coordinator.gather()
        return coordinator.once(number, lambda round_, seat: conduct(RoundContext(SPEC, round_), seat), Kind.INTERSECT)


def sizes(hall, words):
    """What site a learns of each word; None: nothing."""
    found = []
    for number, word in enumerate(words, 1):
        forged(hall, word)
        attempt = asked(hall, number)
        learnt = COMMON.find(hall.folder / "a", RUN)
        found.append((None if learnt is None else learnt[1].size, attempt))
    return found


def test_one_approval_is_one_intersection_whatever_is_started_again(hall):
    forged(hall, "zoe")
    with hall.attending("a", "b"):
        approved(hall)
    (first, _), (second, attempt) = sizes(hall, ["zoe", "bea"])
    assert (first, second) == (0, None)
    assert attempt.lost[site("b")] is Cause.REPLAY
    why = root_cause(attempt.abort, {who: Abort(cause, party=who) for who, cause in attempt.lost.items()})
    assert why.party == site("b")
    assert "one approved run shows one intersection" in why.detail
    assert any("already used: keys" in line for line in hall.heard["b"])


def test_without_the_commitment_one_approval_tells_of_every_word(hall, monkeypatch):
    monkeypatch.setattr(Commitment, "heard", lambda self, step: None)
    forged(hall, "zoe")
    with hall.attending("a", "b"):
        approved(hall)
    assert [size for size, _ in sizes(hall, ["zoe", "bea"])] == [0, 1]


@pytest.mark.slow
def test_a_round_is_done_again_with_the_same_keys_by_new_processes_until_the_run_is_over(hall):
    (hall.folder / "a" / "rows.csv").write_text("id\nbea\nzoe\n")
    with hall.attending("a", "b"):
        approved(hall)
    for number in (1, 2):
        assert asked(hall, number).abort is None
        assert COMMON.find(hall.folder / "a", RUN)[1].size == 1
        for found in [*hall.folder.glob("?/**/aligned")]:
            shutil.rmtree(found)  # as if the round had been cut off before the end
    secrets = [*hall.folder.glob("[ab]/**/*.secret")]
    assert len(secrets) == 2
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in secrets)
    with hall.attending("a", "b"), server(hall, 10.0) as coordinator:
        coordinator.gather()
        coordinator.close(b"")
    assert [*hall.folder.glob("[ab]/**/*.secret")] == []


def left(hall):
    """Secrets of the run that site a has once it is over: the site is started again after its round, and hears of the
    run's end before it is proposed again."""
    with hall.attending("a", "b"):
        approved(hall)
    assert asked(hall, 1).abort is None
    said = identity(CoordinatorHome.at(hall.folder / "fed").open(time.time()))
    with hall.site("a", threading.Event()) as one:
        one._open(said.close(site("a"), parcel(RUN, Close(b""))))
        assert [run.state for run in one._consent._owner.ledger.history()] == ["finished"]
    return [*hall.folder.glob("a/**/*.secret")]


def test_a_site_that_was_started_again_keeps_no_secret_of_a_run_that_is_over(hall):
    assert left(hall) == []


def test_control_where_nobody_forgets_it_the_secret_stays(hall, monkeypatch):
    monkeypatch.setattr(over, "forget", lambda home, run: None)
    assert len(left(hall)) == 1
