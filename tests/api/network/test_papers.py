"""An owner's papers say what its home knows, and a signature on them holds for these bytes, this site and this run."""

import base64
import json
import re
import shutil
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from potluck.api.network import inbox, papers
from potluck.api.network.annex import whole
from potluck.api.network.inbox import decide, note_rows
from potluck.api.network.ledger import ledger_of
from potluck.api.network.members import federation_show
from potluck.cli import potluck
from potluck.cli.door import run as call
from potluck.core.errors import Refused, UsageError
from potluck.core.plan import Permit
from potluck.core.rounds import Record
from potluck.core.visible import json_text
from potluck.members import keys as keyring
from potluck.members.earlier import Earlier
from potluck.members.home import SiteHome
from potluck.members.papers import sealed
from potluck.owner.access import AccessLog, Subject
from potluck.owner.access import read as read_log
from potluck.owner.policy_words import keep, kept
from potluck.owner.reading import parse
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Requests
from potluck.parties.admission.consent import FILE
from potluck.report.papers import annex as paper
from potluck.report.words import epsilon
from support.console import home as homes
from support.console.home import words
from support.docs.keys import keys, section
from support.owner.policies import OPEN
from support.report.tree import Tree

NOW = datetime.now(UTC)  # the home is made by this clock, too
PERMIT = Permit(number="FI-7", basis="EHDS art. 53", controller="Ward 7", expires="2027-12-31")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home in which two runs of one plan were asked for, one approved with a reason; another site's home beside."""
    folder = tmp_path_factory.mktemp("papers")
    home = homes.found(folder)
    for name in "bcd":
        homes.api.site_join(folder / name, folder / "fed" / "federation.toml", NOW.timestamp(), "")
    plan = homes.ask(home, homes.spec(permit=PERMIT), run="aa" * 16)
    decide(home, "approve", plan, "ann", "as the board agreed")
    homes.ask(home, homes.spec(permit=PERMIT), run="bb" * 16)
    (first,) = papers.write(home, "aa" * 16, NOW, "ann")
    return home, plan, first


@pytest.fixture
def here(made, tmp_path):
    """The papers of the first run in a folder of the test's own, and the home that wrote them."""
    home, _, _ = made
    (one,) = papers.write(home, "aa" * 16, NOW, "ann", tmp_path)
    return home, tmp_path / one.run


def annex_of(folder) -> paper.Annex:
    return paper.read((folder / paper.JSON).read_bytes(), "annex.json")


def forged(folder, change) -> None:
    """annex.json says something else, in its one spelling."""
    (folder / paper.JSON).write_bytes(paper.text(change(annex_of(folder))))


def test_the_annex_says_who_agreed_when_why_and_under_which_policy(made):
    home, plan, one = made
    found = annex_of(home / "own" / one.run)
    (said,) = found.decisions
    assert (said.person, said.verdict, said.reason, said.served) == ("ann", "approve", "as the board agreed", True)
    assert said.policy == keep(SiteHome.at(home).policies, read_policy(home / "policy.toml"))
    (rules,) = found.policies
    assert rules.now
    assert next(line.key for line in rules.lines) == "approve"
    assert dict(found.permit)["Legal basis"] == "EHDS art. 53"
    assert found.plan.hash == one.hash == f"sha256:{plan}"
    assert found.request.state == "approved"
    assert "nothing has left this site" in found.request.stands
    assert found.others == (("bb" * 16, "pending"),)
    assert {one.name for one in found.federation.members} == {"server", *"abcd"}
    assert found.risk.hundred == 96  # (e^3 + 1e-5) / (1 + e^3): Kairouz et al.
    assert found.model == ""


def test_the_annex_says_who_gets_what_how_long_it_is_kept_and_what_is_predicted(made):
    home, _, one = made
    found = annex_of(home / "own" / one.run)
    readers, broker = found.recipients
    assert readers.name == "the coordinator, b, c and d"
    assert readers.gets == "the sum (with noise) and the model (as it is released)"
    assert (broker.name, readers.where, readers.contact) == ("the broker", "", "")
    assert "cannot read them" in broker.gets
    assert found.plan.predicted == ("predicted is what the column y of the rows says: positive where it is 1, "
                                    "negative elsewhere",)  # fmt: skip
    assert any("nothing removes them" in line for line in found.kept)
    assert found.rows.person == ""
    page = words((home / "own" / one.run / paper.HTML).read_text())
    for said in ("of how many persons they are is not known", "does not say whose these parties are",
                 "does not say how long", "Signed by hand", "Leads runs, gives no rows"):  # fmt: skip
        assert page.count(said) == 1
    assert "not stated" not in page


def test_the_annex_has_what_an_assessment_asks_for_and_room_for_what_only_people_know(made):
    """GDPR article 35(7): the processing and its purposes, necessity and proportionality, risks, measures."""
    home, _, one = made
    found, page = annex_of(home / "own" / one.run), (home / "own" / one.run / paper.HTML).read_text()
    headings = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    for said in ("What is processed", "Purpose and legal basis", "Necessity and proportionality", "Measures",
                 "Rights of the persons", "Residual risk", "Recipients, and how long data are kept",
                 "Opinion of the data protection officer"):  # fmt: skip
        assert said in headings
    assert len(re.findall(r'<div class="write"><p>[^<]+</p>(?:<div></div>){2,}</div>', page)) == 7
    uses = {one.name: one.use for one in found.plan.columns}
    assert uses == {"x": "is used to predict", "z": "is used to predict", "y": "is predicted"}
    assert found.plan.columns[0].holds.startswith("a number from ")
    assert "law on health data" in found.plan.special
    assert "three columns" in found.necessity[0]
    assert any("nobody can call it back" in line for line in found.rights)
    assert found.risk.asked == found.risk.epsilon  # it spent nothing yet
    assert found.looked == ()
    assert any("share of the noise alone: epsilon does not hold" in line for line in found.risk.breaks)
    assert "Nobody looked at what would leave" in words(page)
    assert ".md" not in words(page)  # paper has no links


def test_odds_are_those_of_what_was_charged_and_who_looked_is_said(tmp_path):
    home = homes.found(tmp_path)
    homes.ask(home, homes.spec())
    with closing(Requests(home / "requests.sqlite")) as book:
        note_rows(SiteHome.at(home), book.every()[0], "heart", ["40 rows"], "vera")
    homes.spent(home)
    with ledger_of(SiteHome.at(home)) as ledger:
        ledger.finish("r1")
    papers.write(home, "r1", NOW, "ann", tmp_path)
    found = annex_of(tmp_path / "r1")
    assert found.risk.epsilon == found.budget.run < found.risk.asked == 3.0
    assert [one.person for one in found.looked] == ["vera"]
    page = words((tmp_path / "r1" / paper.HTML).read_text())
    assert "which is what the run was charged" in page
    assert f"charged ε = {epsilon(found.budget.run)}; the plan asked for up to ε = 3.00" in page


def test_papers_from_before_newer_keys_are_read_as_they_were_signed(here):
    home, folder = here
    old = json.loads((folder / paper.JSON).read_bytes())
    for key in ("recipients", "kept", "necessity", "measures", "rights", "looked"):
        del old[key]
    del old["plan"]["predicted"], old["plan"]["columns"], old["rows"]["person"], old["risk"]["asked"]
    data = json_text(old).encode()
    (folder / paper.JSON).write_bytes(data)
    (folder / paper.HTML).unlink()
    (folder / paper.SEAL).write_text(sealed(SiteHome.at(home), data, b""))
    assert papers.verify(home, folder, "", NOW.timestamp()).run == "aa" * 16
    assert annex_of(folder).recipients == ()


def test_members_are_those_of_the_file_under_which_the_run_began(made):
    """Where it is kept; else those of now, and the page says so."""
    home = SiteHome.at(made[0])
    pinned = home.pinned()
    elder = replace(pinned, version=pinned.version - 1, members=pinned.members[:2])
    for there, names in ((elder, 3), (None, 5)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Earlier, "under", lambda self, digest, there=there: there)
            found = whole._federation(home, pinned, elder.digest)
        assert (len(found.members), found.began) == (names, elder.digest.hex())


def test_the_page_says_it_in_words_and_asks_nobody_for_anything(made):
    home, _, one = made
    page = (home / "own" / one.run / paper.HTML).read_text()
    text = words(page)
    for said in ("EHDS art. 53", "as the board agreed", "At most 96 of 100", "not that it is true", one.digest):
        assert said in text
    assert not re.search(r"<script|src=|href=\"(?!#|data:)", page)


HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[2J"


def test_every_key_of_the_annex_is_documented(made):
    home, _, one = made
    document = json.loads((home / "own" / one.run / paper.JSON).read_bytes())
    assert keys(document, frozenset()) - section("site") == set()


def test_hostile_words_change_no_tag_of_the_page_and_none_of_the_json(made, tmp_path):
    home, *_ = made
    permit = Permit(number=HOSTILE, basis=HOSTILE, controller=HOSTILE, contact=HOSTILE, retention=HOSTILE)
    plain = Permit(number="x", basis="x", controller="x", contact="x", retention="x")
    pages = []
    for run, said, words_ in (("11" * 16, permit, HOSTILE), ("22" * 16, plain, "x")):
        other = homes.ask(home, homes.spec(name=words_[:200], purpose=words_, permit=said), run=run, asker=words_)
        decide(home, "deny", other, words_, words_)
        papers.write(home, run, NOW, "ann", tmp_path)
        papers.verify(home, tmp_path / run, run, NOW.timestamp())
        pages.append(Tree((tmp_path / run / paper.HTML).read_text()))
    hostile, harmless = ([tag for tag, _, _ in page.tags] for page in pages)
    assert pages[0].errors == []
    assert hostile == harmless
    assert all(letter not in pages[0].words() for letter in "\u202e\x1b")


def test_a_policy_that_changed_since_is_told_apart_and_its_words_stay(made, tmp_path):
    home, _plan, one = made
    before = (home / "policy.toml").read_text()
    try:
        homes.policy(home, "epsilon_per_plan = 10.0", "epsilon_per_plan = 9.0")
        (again,) = papers.write(home, one.run, NOW, "ann", tmp_path)
    finally:
        (home / "policy.toml").write_text(before)
    found = annex_of(tmp_path / one.run)
    then, now = found.policies
    assert not then.now
    assert now.now
    assert found.decisions[0].policy == then.digest
    assert "is at most 10." in {line.key: line.says for line in then.lines}["allow.epsilon_per_plan"]
    assert (then.differs, now.differs) == ((), ("allow.epsilon_per_plan",))
    page = words((tmp_path / one.run / paper.HTML).read_text())
    assert page.count("One no beats every yes") == 1  # one copy, and what differs
    assert "Epsilon for a plan is at most 9. Policy 1: Epsilon for a plan is at most 10." in page
    assert again.digest != one.digest


def test_no_address_of_a_database_is_in_the_words_or_their_digest(tmp_path):
    said = 'url = "postgresql://ann:{}@db/rows"\nquery = "select 1"'
    one, other = (
        parse(OPEN.replace('file = "rows.csv"', said.format(word)), "policy.toml") for word in ("hunter2", "tr0ub4dor")
    )
    name = keep(tmp_path, one)
    assert name == keep(tmp_path, other)
    assert "hunter2" not in "".join(path.read_text() for path in tmp_path.iterdir())
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text().replace("Nobody is asked", "Everybody is asked"))
    with pytest.raises(UsageError, match="changed"):
        kept(tmp_path, name)


def test_every_run_of_a_plan_has_papers_of_its_own_and_the_log_says_who_asked(made, tmp_path):
    home, plan, _ = made
    both = papers.write(home, plan[:20], NOW, "bob", tmp_path)
    assert [one.run for one in both] == ["aa" * 16, "bb" * 16]
    assert "It waits for one approval" in annex_of(tmp_path / ("bb" * 16)).request.stands
    last = read_log(home / "access.jsonl").entries[-2:]
    assert [(one.event, one.person, one.run) for one in last] == [
        ("papers", "bob", run) for run in ("aa" * 16, "bb" * 16)
    ]
    with pytest.raises(UsageError, match="no plans were asked"):
        papers.write(home, "cc" * 16, NOW)


@pytest.mark.parametrize("at", range(4))
def test_papers_that_were_cut_off_are_refused_or_the_old_ones_and_written_again(here, at, monkeypatch):
    home, folder = here
    before = papers.verify(home, folder, "", NOW.timestamp())
    write, done = papers.files.replace, []

    def killed(path, *content):
        if path.parent == folder:
            if len(done) == at:
                raise KeyboardInterrupt
            done.append(path.name)
        write(path, *content)

    later = NOW + timedelta(days=1)
    with monkeypatch.context() as patch:
        patch.setattr(papers.files, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            papers.write(home, "aa" * 16, later, "ann", folder.parent)
    assert done == [paper.JSON, papers.CHARTER, paper.HTML, paper.SEAL][:at]
    if at == 0:
        assert papers.verify(home, folder, "", NOW.timestamp()) == before
    else:
        with pytest.raises(Refused, match="did not sign this"):
            papers.verify(home, folder, "", NOW.timestamp())
    papers.write(home, "aa" * 16, later, "ann", folder.parent)
    assert papers.verify(home, folder, "", NOW.timestamp()).made == later.isoformat(timespec="seconds")


@pytest.mark.parametrize("place", ["home", "fed", "beside"])
def test_a_signature_holds_by_any_copy_of_the_federation_file(here, place):
    home, folder = here
    by = {"home": home, "fed": home.parent / "fed", "beside": folder / papers.CHARTER}[place]
    found = papers.verify(by, folder, "", NOW.timestamp())
    mine = federation_show(home, NOW.timestamp()).federation
    assert found.fingerprint == papers.fingerprint(mine.cards[SiteHome.at(home).me])
    assert found.run == "aa" * 16
    assert found.spelt
    assert papers.verify(by, folder / paper.JSON, found.hash[:30], NOW.timestamp()) == found


def test_one_changed_byte_is_refused(here):
    home, folder = here
    forged(folder, lambda it: msgspec.structs.replace(it, made="2026-12-01T12:00:01+00:00"))
    with pytest.raises(Refused, match="did not sign this"):
        papers.verify(home, folder, "", NOW.timestamp())


@pytest.mark.parametrize("at", ["changed", "other", "unsigned", "moved"])
def test_a_page_that_was_not_signed_with_these_papers_is_refused(here, tmp_path, at):
    home, folder = here
    assert papers.verify(home, folder, "", NOW.timestamp()).page  # the control
    page, seal = folder / paper.HTML, folder / paper.SEAL
    if at == "changed":
        page.write_text(page.read_text().replace("EHDS art. 53", "EHDS art. 54"))
    elif at == "other":  # truly this site's, of its other run
        (other,) = papers.write(home, "bb" * 16, NOW, "ann", tmp_path)
        page.write_bytes((tmp_path / other.run / paper.HTML).read_bytes())
    elif at == "unsigned":
        seal.write_text(re.sub(r"(?m)^page = .*\n", "", seal.read_text()))
    else:  # the signature of annex.json is none on a page
        text = seal.read_text()
        own = re.search(r"^signature = (.*)$", text, re.M)[1]
        seal.write_text(re.sub(r"(?m)^page = .*", f"page = {own}", text))
    said = "no page is signed here: a Potluck from before" if at == "unsigned" else "did not sign this page"
    with pytest.raises(Refused, match=said):
        papers.verify(home, folder, "", NOW.timestamp())
    page.unlink()
    assert not papers.verify(home, folder, "", NOW.timestamp()).page


@pytest.mark.parametrize("which", ["sha256:", " ", "a", "15 letters"])
def test_a_few_letters_name_no_papers(here, which, capsys):
    home, folder = here
    plan = papers.verify(home, folder, "", NOW.timestamp()).hash.removeprefix("sha256:")
    papers.verify(home, folder, plan[:16], NOW.timestamp())  # the control
    which = {"a": plan[:1], "15 letters": plan[:15]}.get(which, which)
    with pytest.raises(UsageError, match="neither the run of these papers nor 16 letters"):
        papers.verify(home, folder, which, NOW.timestamp())
    assert call(potluck, ["site", "report", str(home), "", "--verify", str(folder)]) == 2


def test_a_flipped_bit_of_the_signature_is_refused(here):
    home, folder = here
    path = folder / paper.SEAL
    signed = re.search(r'signature = "([^"]+)"', path.read_text())[1]
    raw = bytearray(base64.b64decode(signed))
    raw[5] ^= 1
    path.write_text(path.read_text().replace(signed, base64.b64encode(raw).decode()))
    with pytest.raises(Refused, match="did not sign this"):
        papers.verify(home, folder, "", NOW.timestamp())


def test_another_sites_key_signs_nothing_in_this_ones_name(here):
    home, folder = here
    other = SiteHome.at(home.parent / "b")
    seal = sealed(other, (folder / paper.JSON).read_bytes(), (folder / paper.HTML).read_bytes())
    (folder / paper.SEAL).write_text(seal)  # truly b's signature: on papers that say they are a's
    with pytest.raises(Refused, match="papers say that they are a's"):
        papers.verify(home, folder, "", NOW.timestamp())
    (folder / paper.SEAL).write_text(seal.replace('name = "b"', 'name = "a"'))
    with pytest.raises(Refused, match="did not sign this"):
        papers.verify(home, folder, "", NOW.timestamp())


def test_a_compute_party_called_like_the_site_signs_nothing_in_its_name(here, tmp_path):
    """It has a place of its own in the federation file, and may be another owner's."""
    home, folder = here
    shutil.copytree(home.parent / "fed", tmp_path / "fed")
    homes.api.site_new(tmp_path / "like", "a", compute=True)
    homes.api.federation_add(tmp_path / "fed", [tmp_path / "like" / "a.card"], NOW.timestamp())
    homes.api.site_join(tmp_path / "like", tmp_path / "fed" / "federation.toml", NOW.timestamp(), "")
    like, page = SiteHome.at(tmp_path / "like"), (folder / paper.HTML).read_bytes()
    (folder / paper.SEAL).write_text(sealed(like, (folder / paper.JSON).read_bytes(), page))
    with pytest.raises(Refused, match=r"they are a's .* and a \(compute\) of .* signed them"):
        papers.verify(tmp_path / "fed", folder, "", NOW.timestamp())
    forged(folder, lambda it: msgspec.structs.replace(it, computes=True))
    (folder / paper.SEAL).write_text(sealed(like, (folder / paper.JSON).read_bytes(), page))
    assert papers.verify(tmp_path / "fed", folder, "", NOW.timestamp()).role == "compute"  # the control


def test_the_papers_of_another_run_are_not_these(here, tmp_path):
    home, folder = here
    with pytest.raises(Refused, match="are of run"):
        papers.verify(home, folder, "bb" * 16, NOW.timestamp())
    (other,) = papers.write(home, "bb" * 16, NOW, "ann", tmp_path)
    (folder / paper.SEAL).write_bytes((tmp_path / other.run / paper.SEAL).read_bytes())
    with pytest.raises(Refused, match="did not sign this"):
        papers.verify(home, folder, "", NOW.timestamp())


def test_a_stranger_and_another_spelling_are_refused(here):
    home, folder = here
    seal = (folder / paper.SEAL).read_text()
    (folder / paper.SEAL).write_text(seal.replace('name = "a"', 'name = "z"'))
    with pytest.raises(Refused, match="z is not a member"):
        papers.verify(home, folder, "", NOW.timestamp())
    data = (folder / paper.JSON).read_bytes().replace(b'"site": "a"', b'"site": "b", "site": "a"')
    (folder / paper.JSON).write_bytes(data)
    (folder / paper.SEAL).write_text(sealed(SiteHome.at(home), data, b""))
    with pytest.raises(UsageError, match="not spelt as"):
        papers.verify(home, folder, "", NOW.timestamp())


def test_a_signature_on_anything_else_is_none_on_papers(here):
    """The tag: what a site signed as a letter's bytes is not taken for its papers."""
    home, folder = here
    data = (folder / paper.JSON).read_bytes()
    bare = base64.b64encode(keyring.load(home / "keys").signing.sign(data)).decode()
    seal = re.sub(r'signature = "[^"]+"', f'signature = "{bare}"', (folder / paper.SEAL).read_text())
    (folder / paper.SEAL).write_text(seal)
    with pytest.raises(Refused, match="did not sign this"):
        papers.verify(home, folder, "", NOW.timestamp())


def test_what_became_of_a_run_is_said(made, tmp_path):
    home, *_ = made
    told = {}
    for run, end in (("cc" * 16, "withdraw"), ("dd" * 16, "deny"), ("ee" * 16, "revoke")):
        other = homes.ask(home, homes.spec(name=end), run=run)
        with closing(Requests(home / "requests.sqlite")) as book:
            if end == "withdraw":
                book.finish(run)
        if end == "revoke":
            decide(home, "approve", other, "ann")
        if end != "withdraw":
            decide(home, end, other, "ann", "the board changed its mind")
        papers.write(home, run, NOW, "ann", tmp_path)
        told[end] = annex_of(tmp_path / run)
    assert told["withdraw"].request.stands.startswith("It was cancelled by who asked.")
    assert told["deny"].request.stands.startswith("Somebody said no.")
    assert told["revoke"].request.stands.startswith("The approval was taken back")
    yes, no = told["revoke"].decisions
    assert (yes.void, yes.served, no.verdict) == (True, True, "revoke")
    homes.ask(home, homes.spec(name="policy"), run="ff" * 16, codes=("columns",))
    papers.write(home, "ff" * 16, NOW, "ann", tmp_path)
    assert "The policy said no (columns)" in annex_of(tmp_path / ("ff" * 16)).request.stands


def test_every_judging_has_its_own_policy_and_the_end_its_cause(tmp_path):
    """A run that was refused under one policy, taken on under the next, and cancelled in its rounds."""
    home = homes.found(tmp_path)
    site, run = SiteHome.at(home), "aa" * 16
    plan = homes.ask(home, homes.spec(), run=run)
    decide(home, "approve", plan, "ann", "as the board agreed")
    log, about = AccessLog(site.access), Subject(asker=homes.ASKER, plan="heart", hash=plan, run=run)
    digests = []
    for cap, times, outcome, why in ((10, 2, "refused", ("data",)), (9, 1, "approved", ())):
        homes.policy(home, f"epsilon_per_plan = {cap}.0", f"epsilon_per_plan = {cap - 1}.0")
        digests.append(keep(site.policies, read_policy(site.policy)))
        for _ in range(times):
            log.write("request", datetime.now(UTC), outcome=outcome, about=replace(about, policy=digests[-1]), why=why)
    homes.spent(home, run)
    with ledger_of(site) as ledger:
        ledger.write(
            Record(f"{FILE}{run}", bytes(32), again=True), *(Record(f"round/{run}/{n}", b"train/0") for n in (1, 2))
        )
    with closing(Requests(site.requests)) as book:
        book.finish(run)
    log.write("end", datetime.now(UTC), outcome="finished", about=replace(about, reason="The protocol was changed."))
    papers.write(home, run, NOW, "ann", tmp_path)
    found = annex_of(tmp_path / run)
    refused, taken, began, end = found.request.course
    assert ("do not fit" in refused.says, refused.times, refused.policy) == (True, 2, digests[0])
    assert (taken.says, taken.policy) == ("the program took it on", digests[1])
    assert (began.says, began.when) == ("its first round began here", found.request.began)
    assert (end.says, end.reason) == ("who asked cancelled it", "The protocol was changed.")
    assert (
        found.request.stands
        == "It was cancelled by who asked, who said: The protocol was changed. Two rounds began here."
    )
    page = words((tmp_path / run / paper.HTML).read_text())
    assert "two times in a row policy 2 " in page
    assert "The program took it on policy 3 " in page
    assert "The run is over" not in page


def test_whoever_compared_a_new_member_as_they_approved_is_named(made, tmp_path):
    home, _plan, _one = made
    run = "99" * 16
    other = homes.ask(home, homes.spec(name="new"), run=run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "compared", lambda *_: {"d": "HWSZ-WS0J"})
        decide(home, "approve", other, "ann", "compared by telephone")
    lines = [one for one in read_log(home / "access.jsonl").entries if one.hash == other]
    assert [(one.event, one.person, one.why) for one in lines] == [
        ("members", "ann", ("d HWSZ-WS0J",)),
        ("approve", "ann", ()),
    ]
    papers.write(home, run, NOW, "ann", tmp_path)
    assert annex_of(tmp_path / run).decisions[0].compared == ("d HWSZ-WS0J",)
    assert "having compared the fingerprint of d HWSZ-WS0J" in words((tmp_path / run / paper.HTML).read_text())


def test_the_verb_writes_and_verifies(made, tmp_path, capsys):
    home, _, one = made
    assert call(potluck, ["site", "report", str(home), one.run, "-o", str(tmp_path), "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)["papers"]
    assert said["run"] == one.run
    where = str(tmp_path / one.run)
    assert call(potluck, ["site", "report", str(home), "--verify", where, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verified"] is True
    forged(tmp_path / one.run, lambda it: msgspec.structs.replace(it, site="b"))
    assert call(potluck, ["site", "report", str(home), "--verify", where]) == 3
    assert call(potluck, ["site", "report", str(home)]) == 2


def test_a_page_that_its_own_site_signed_and_that_says_something_else_is_told_apart(here):
    home, folder = here
    assert papers.verify(home, folder, "", NOW.timestamp()).alike  # the control
    page = folder / paper.HTML
    page.write_text(page.read_text().replace("as the board agreed", "as everybody agreed"))
    data = (folder / paper.JSON).read_bytes()
    (folder / paper.SEAL).write_text(sealed(SiteHome.at(home), data, page.read_bytes()))
    found = papers.verify(home, folder, "", NOW.timestamp())
    assert (found.page, found.alike) == (True, False)
    hard = msgspec.structs.replace(annex_of(folder).federation.members[0], role="\x1b[2J")  # no page can be made of it
    forged(
        folder,
        lambda it: msgspec.structs.replace(it, federation=msgspec.structs.replace(it.federation, members=(hard,))),
    )
    data = (folder / paper.JSON).read_bytes()
    (folder / paper.SEAL).write_text(sealed(SiteHome.at(home), data, page.read_bytes()))
    assert papers.verify(home, folder, "", NOW.timestamp()).alike is False


def test_a_coordinator_that_lists_its_own_key_as_a_sites_is_believed_by_no_member(here, tmp_path):
    """Strangers who go by the coordinator's file alone are fooled (the control): the site's fingerprint is another."""
    home, folder = here
    fed = shutil.copytree(home.parent / "fed", tmp_path / "fed")
    thief = tmp_path / "thief" / "a"
    homes.api.site_new(thief, None)
    homes.api.federation_remove(fed, "a", NOW.timestamp())
    homes.api.federation_add(fed, [thief / "a.card"], NOW.timestamp())
    homes.api.site_join(thief, fed / "federation.toml", NOW.timestamp(), "")
    forged(folder, lambda it: msgspec.structs.replace(it, made="2026-01-01T00:00:00+00:00"))
    data, page = (folder / paper.JSON).read_bytes(), (folder / paper.HTML).read_bytes()
    (folder / paper.SEAL).write_text(sealed(SiteHome.at(thief), data, page))
    fooled = papers.verify(fed / "federation.toml", folder, "", NOW.timestamp())
    mine = papers.fingerprint(SiteHome.at(home).pinned().cards[SiteHome.at(home).me])
    assert fooled.fingerprint != mine
    for member in (home, home.parent / "b"):
        with pytest.raises(Refused, match="did not sign this"):
            papers.verify(member, folder, "", NOW.timestamp())


def test_a_removed_sites_key_signs_nothing_by_the_newer_file(here, tmp_path):
    home, folder = here
    fed = shutil.copytree(home.parent / "fed", tmp_path / "fed")
    homes.api.federation_remove(fed, "a", NOW.timestamp())
    with pytest.raises(Refused, match=r"a is not a member .* who has its old key can make more"):
        papers.verify(fed, folder, "", NOW.timestamp())
    assert papers.verify(folder / papers.CHARTER, folder, "", NOW.timestamp()).site == "a"  # from before
