"""A run is bound to the federation file that it began with: whoever goes by another takes no part, and is named.

A coordinator can sign two files of one version and hand them to different sites: each of them sees a list of members
that the others do not. The server of these tests is that coordinator's.
"""

import threading
import time
from contextlib import closing
from dataclasses import replace

import pytest
from msgspec.structs import replace as replaced

from potluck.api.network import members as enrolment
from potluck.api.network.inbox import inbox
from potluck.api.network.sessions import Order, session
from potluck.api.network.status import live
from potluck.cli import potluck
from potluck.cli.door import run
from potluck.core.errors import Refused
from potluck.core.party import SERVER, site
from potluck.core.plan import Predict
from potluck.core.rounds import Abort, Cause, Label, Parcel, RoundId
from potluck.dp.mechanism import mechanism
from potluck.learning.loops import build
from potluck.members import charter
from potluck.members.home import CoordinatorHome
from potluck.owner.access import read
from potluck.parties.admission.consent import Consent
from potluck.parties.runners.identity import Identity, identity
from potluck.parties.runners.journal import Journal
from potluck.tasks.fit import halves as vertical
from potluck.tasks.matching.alignment import gathering
from potluck.tasks.predict import halves as inference
from potluck.tasks.sums.halves import terms
from support.hostile.proposals import proposal
from support.parties import across, fit_scene, scene
from support.parties import intersect_hall as hall
from support.parties.across import Across, quick

RUN = "ab" * 16
WORD, ROUND = Label(RoundId(RUN, 0), "answer"), Label(RoundId(RUN, 1), "mask/advert")


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("files"), rows=20)


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def chief(fed):
    return CoordinatorHome.at(fed.folder / "fed").open(time.time())


def twin(fed):
    """The same version with other content, signed by the same coordinator."""
    member = chief(fed)
    return replace(member, federation=replace(member.federation, expires=member.federation.expires + 1))


def fooled(fed, name):
    """This site is handed the twin."""
    other = twin(fed)
    path = fed.folder / name / "federation.toml"
    path.write_text(charter.write(other.federation, other.keys.signing))


def renewed(fed, *names):
    """The next version, joined by these sites."""
    enrolment.federation_rotate(fed.folder / "fed", [], time.time(), keys=False, days=None)
    for name in names:
        enrolment.site_join(fed.folder / name, fed.folder / "fed" / "federation.toml", time.time(), "")


def plan(patience=2.0):
    return quick(scene.plan(dropouts=0), patience)


class TwoFaced:
    """The server as each site expects it: by the file that this one was handed. It checks nothing itself."""

    def __init__(self, true, false, to):
        self.true, self.false, self.to, self.party = true, false, to, SERVER

    def close(self, to, said):
        return (self.false if to == self.to else self.true).close(to, said)

    def disclose(self, letter):
        try:
            return self.true.disclose(letter)
        except Abort:
            return self.false.disclose(letter)

    def forget(self):
        self.true.forget()
        self.false.forget()

    def seat(self, draw):
        return replace(self.true.seat(draw), verify=lambda party, message, signature: None)


def two_faced(fed, spec):
    """A run whose server shows site d the twin, and the others the true file."""
    with fed.coordinator(spec, RUN) as (coordinator, _):
        false = twin(fed)
        coordinator._me = TwoFaced(coordinator._me, identity(false), site("d"))
        due = coordinator.participants.due

        def lying(now):
            for who, said in due(now):
                file = false.federation if who == site("d") else chief(fed).federation
                yield who, replaced(said, membership=file.version, file=file.digest)

        coordinator.participants.due = lying
        coordinator.gather()
        first = next(coordinator._run.task.lead())
        return coordinator.attempt(first, 1, {}, frozenset(map(site, "abcd")))


def test_sites_with_different_files_of_one_version_never_finish_a_round_together(fed):
    fooled(fed, "d")
    with fed.attending(*"abcd"):
        told = two_faced(fed, plan())
    assert told.answer is None
    assert told.abort is not None


def test_without_the_file_in_what_they_agree_on_such_sites_finish(fed, monkeypatch):
    bound = Identity.seat
    monkeypatch.setattr(Identity, "seat", lambda self, draw: replace(bound(self, draw), file=b""))
    fooled(fed, "d")
    with fed.attending(*"abcd"):
        told = two_faced(fed, plan(5.0))
    assert told.answer is not None
    assert told.answer.release.givers == across.parties("abcd")


def letters(fed):
    """(a letter of site d's about the run, and one of a round, both by the twin; the server by the true file)."""
    fooled(fed, "d")
    d, server = identity(fed.home("d").open(time.time())), identity(chief(fed))
    return d.close(SERVER, Parcel(WORD, b"a word")), d.close(SERVER, Parcel(ROUND, b"a part")), server


def test_a_letter_of_a_round_is_not_opened_by_whoever_goes_by_another_file(fed):
    about, part, server = letters(fed)
    assert server.disclose(about) == (site("d"), Parcel(WORD, b"a word"))  # so that they can say which they go by
    with pytest.raises(Abort) as caught:
        server.disclose(part)
    assert caught.value.cause is Cause.SIGNATURE


def test_without_the_file_in_letters_it_is_opened(fed, monkeypatch):
    monkeypatch.setattr(Identity, "bound", lambda self, round_: self.federation)
    _, part, server = letters(fed)
    assert server.disclose(part) == (site("d"), Parcel(ROUND, b"a part"))


def agreed(file):
    """What the parties of one round of each task agree on, going by a file of this digest."""
    spec, round_ = plan(), RoundId(RUN, 1)
    ask = next(build(spec).lead())
    scoring = Predict(owner="a", client="b", mode="batch")
    matching = gathering(hall.plan(), round_, file)
    return {
        "sum": terms(spec, round_, ask, mechanism(spec, ask), file).digest,
        "predict": inference.RoundContext(replaced(spec, predict=scoring), None, round_).meeting(file).digest,
        "fit": vertical.fitting(vertical.RoundContext(fit_scene.plan().spec, round_), file).digest,
        "intersect": matching.digest,
        "points of keys": matching.lasting,
    }


def test_the_file_is_in_what_the_parties_of_every_task_agree_on():
    one, same, other = agreed(b"1" * 32), agreed(b"1" * 32), agreed(b"2" * 32)
    assert one == same
    assert not set(one.values()) & set(other.values())


def test_a_site_of_another_file_is_named_with_both_versions_and_digests(fed):
    ours = chief(fed).federation
    fooled(fed, "b")
    theirs = twin(fed).federation
    with fed.attending(*"abcd"), pytest.raises(Refused) as caught:
        fed.run(plan(), run=RUN)
    said = str(caught.value)
    assert "b refuses this plan (federation)" in said
    for one in (ours, theirs):
        assert f"version {one.version} (sha256:{one.digest.hex()})" in said
        assert any(one.digest.hex() in line for line in fed.heard["b"])
    with closing(Journal(fed.folder / f"{RUN}.sqlite", plan())) as journal:
        assert journal.file(site("b")) == (theirs.version, theirs.digest)
    (asked,) = [one for one in read(fed.folder / "b" / "access.jsonl").entries if one.event == "request"]
    assert asked.file == f"version {ours.version} (sha256:{ours.digest.hex()})"


def test_status_names_who_goes_by_another_file(fed):
    home = CoordinatorHome.at(fed.folder / "fed")
    it = chief(fed).federation
    with session(home, scene.plan(), False, Order(), time.time()) as kept:
        kept.journal.heard(site("a"), "granted", (), it.version, it.digest)
        kept.journal.heard(site("b"), "denied", ("federation",), it.version, b"\1" * 32)
    (run,) = live(home.folder)
    (line,) = run.strays
    assert line.startswith(f"b goes by version {it.version} (sha256:0101")
    assert line.endswith(f"the run by version {it.version} (sha256:{it.digest.hex()})")
    assert {one.name: one.file and one.file.version for one in run.sites} == {
        "a": it.version, "b": it.version, "c": None, "d": None,
    }  # fmt: skip


def test_a_server_with_a_newer_file_goes_on_under_the_older_once_a_round_was_begun(fed):
    home = CoordinatorHome.at(fed.folder / "fed")
    before = chief(fed).federation
    with session(home, scene.plan(), False, Order(), time.time()) as kept:
        name = kept.name
    renewed(fed)
    after = chief(fed).federation
    with session(home, scene.plan(), False, Order(), time.time()) as kept:  # the control: it had no round
        assert (kept.name, kept.member.federation.digest) == (name, after.digest)
        kept.journal.begin(next(build(scene.plan().spec).lead()))
    renewed(fed)
    with session(home, scene.plan(), False, Order(), time.time()) as kept:
        assert (kept.name, kept.member.federation.digest) == (name, after.digest)
        assert kept.journal.file(SERVER) == (after.version, after.digest)
    assert len({before.digest, after.digest, chief(fed).federation.digest}) == 3
    with session(home, scene.plan(), True, Order(), time.time()) as kept:
        assert kept.name != name
        assert kept.member.federation.digest == chief(fed).federation.digest


def asked(fed, name="a"):
    with fed.site(name, threading.Event()) as one:
        return one._consent.decide(RUN, proposal(fed, plan()))


def begun(fed, name="a"):
    """The site has begun the run's first round, by the file of now."""
    with fed.site(name, threading.Event()) as one:
        one._consent.bind(RUN, chief(fed).federation.digest)


def test_a_run_of_which_no_round_was_begun_goes_on_by_the_newer_file(fed):
    assert asked(fed).verdict == "granted"
    renewed(fed, "a")
    assert asked(fed).verdict == "granted"


def test_a_run_is_bound_to_the_file_of_its_first_round(fed):
    assert asked(fed).verdict == "granted"
    begun(fed)
    assert asked(fed).verdict == "granted"  # the control: started again, with the same file
    old = chief(fed).federation
    renewed(fed, "a")
    decision = asked(fed)
    assert (decision.verdict, decision.codes) == ("denied", ("federation",))
    assert "--fresh" in decision.words[0]
    with fed.site("a", threading.Event()) as one:  # and by that file it goes on
        mine = replaced(proposal(fed, plan()), membership=old.version, file=old.digest)
        assert one._consent.decide(RUN, mine).verdict == "granted"
        assert one._consent.decide("ef" * 16, mine).codes == ("federation",)  # a new run does not begin by it


def test_without_its_record_a_site_goes_on_under_whatever_file(fed, monkeypatch):
    monkeypatch.setattr(Consent, "bound", lambda self, run: None)
    assert asked(fed).verdict == "granted"
    begun(fed)
    renewed(fed, "a")
    assert asked(fed).verdict == "granted"


def test_an_inbox_says_which_file_is_pinned(fed):
    path = fed.folder / "a" / "policy.toml"
    path.write_text(path.read_text().replace('rule = "policy"', 'rule = "person"'))
    assert asked(fed).verdict == "pending"
    (waits,) = inbox(fed.folder / "a")
    it = chief(fed).federation
    assert waits.document()["file"] == f"version {it.version} (sha256:{it.digest.hex()})"


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_log_says_by_which_file_the_server_went(fed, flags, capsys):
    assert asked(fed).verdict == "granted"
    it = chief(fed).federation
    assert run(potluck, ["site", "log", str(fed.folder / "a"), *flags]) == 0
    assert f"version {it.version} (sha256:{it.digest.hex()})" in capsys.readouterr().out
