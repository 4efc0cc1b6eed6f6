"""What an owner does not allow does not happen: each refusal is named at the server, said to the owner, and logged.

Where a policy, a budget or a person says no, the data source is never opened: every opened file is watched, and a
database that counts who connects.
"""

import contextlib
import os
import socket
import sys
import threading
import time
from dataclasses import replace

import msgspec
import pytest

from potluck.api.network import inbox
from potluck.api.network import members as enrolment
from potluck.core.errors import Refused
from potluck.core.party import SERVER, site
from potluck.core.plan import canonical, digest
from potluck.core.rounds import Abort, Cause, Label, Parcel, RoundId
from potluck.drivers.sums import Sums, drive
from potluck.learning.loops import build
from potluck.members.home import CoordinatorHome, SiteHome
from potluck.owner.access import read
from potluck.owner.budget import Budget
from potluck.parties.admission import consent
from potluck.parties.admission.session import parcel
from potluck.secret.container import Secret
from potluck.secret.keys import SigningKey
from support.hostile.proposals import announced, drained, proposal, server
from support.parties import across, scene
from support.parties.across import Across, gather, quick
from support.ports import free_port
from support.processes.rig import Rig, need_broker, wait_for

RUN, OTHER = "ab" * 16, "cd" * 16
_OPENED: list[str] = []
_WATCHING = threading.Event()


def _watch(event, arguments):
    if event == "open" and _WATCHING.is_set() and isinstance(arguments[0], str | bytes | os.PathLike):
        _OPENED.append(os.fsdecode(arguments[0]))


sys.addaudithook(_watch)


@contextlib.contextmanager
def watched():
    """The files that are opened in the block, by whatever thread."""
    _OPENED.clear()
    _WATCHING.set()
    try:
        yield _OPENED
    finally:
        _WATCHING.clear()


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("owned"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def policy(fed, name, *changes):
    """Change lines of a site's policy: (old, new) each."""
    path = fed.folder / name / "policy.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)


def log(fed, name="a"):
    return [(e.event, e.outcome, e.why) for e in read(fed.folder / name / "access.jsonl").entries]


def refused(fed, spec, *words, run=RUN, answered=None):
    """The server's start is refused (exit 3) in these words, once all who are there have answered."""
    with pytest.raises(Refused) as caught:
        fed.run(spec, run=run, answered=answered or fed.here or None)
    assert caught.value.exit_code == 3
    for word in words:
        assert word in str(caught.value)
    return str(caught.value)


def spent(fed, name="a"):
    with Budget(fed.folder / name / "ledger.sqlite") as ledger:
        return ledger.spent()


BEYOND = {
    "who": ('who = ["*"]', 'who = ["another"]'),
    "tasks": ('tasks = ["*"]', 'tasks = ["statistics"]'),
    "models": ('models = ["*"]', 'models = ["network"]'),
    "columns": ('columns = ["*"]', 'columns = ["x", "y"]'),
    "protect": ('protect = ["*"]', 'protect = ["clear"]'),
    "noise": ('noise = ["*"]', 'noise = ["site"]'),
    "epsilon_per_plan": ("epsilon_per_plan = inf", "epsilon_per_plan = 2.9"),
    "epsilon_per_year": ("epsilon_per_year = inf", "epsilon_per_year = 2.9"),
    "min_sites": ("[approve]", "min_sites = 4\n[approve]"),
    "hours": ("[approve]", "hours = []\n[approve]"),
}


@pytest.mark.parametrize("key", BEYOND)
def test_a_plan_beyond_the_policy_is_denied_before_any_row_is_read(fed, key):
    policy(fed, "a", BEYOND[key])
    with watched() as opened:
        decision = asked(fed, quick(scene.plan(privacy=scene.SHARED)))
    assert (decision.verdict, decision.codes) == ("denied", (key,))
    assert [path for path in opened if "rows.csv" in path] == []
    assert any("policy.toml" in path for path in opened)  # the control: the hook sees what is opened
    assert any(("denied" in text and f"{key}" in text) or "epsilon" in text or "sum" in text for text in fed.heard["a"])
    assert ("request", "denied", (key,)) in log(fed)


def test_a_plan_that_was_denied_is_named_at_the_server_with_the_policys_key(fed):
    policy(fed, "a", BEYOND["who"])
    with fed.attending("a"):
        refused(fed, quick(scene.plan()), "a refuses this plan (who)", "plan or policy must change")


def test_a_plan_within_the_policy_opens_the_rows(fed):
    with watched() as opened, fed.attending(*"abcd"):
        fed.run(quick(scene.plan(privacy=scene.SHARED)))
    assert [path for path in opened if path.endswith("/a/rows.csv")]
    assert ("request", "approved", ()) in log(fed)


def test_rows_that_are_not_there_are_no_error_before_the_policy_has_said_yes(fed):
    policy(fed, "a", BEYOND["columns"])
    (fed.folder / "a" / "rows.csv").unlink()
    with fed.attending("a"):
        refused(fed, quick(scene.plan()), "a refuses this plan (columns)")
    policy(fed, "a", reversed(BEYOND["columns"]))
    with fed.attending("a"):  # the control
        refused(fed, quick(scene.plan()), "a cannot carry it out (data)", "site run")


def test_a_database_is_not_connected_to_before_the_policy_has_said_yes(fed):
    with socket.create_server(("127.0.0.1", 0)) as door:
        door.settimeout(0.3)
        url = fed.folder / "a" / "rows.url"
        url.write_text(f"postgresql+psycopg://u:p@127.0.0.1:{door.getsockname()[1]}/d?connect_timeout=2")
        url.chmod(0o600)
        source = ('file = "rows.csv"', 'url_file = "rows.url"\nquery = "select x, z, y from t"')
        policy(fed, "a", source, BEYOND["models"])
        with fed.attending("a"):
            refused(fed, quick(scene.plan()), "a refuses this plan (models)")
        with pytest.raises(TimeoutError):
            door.accept()
        policy(fed, "a", reversed(BEYOND["models"]))
        connected = []

        def one_guest():
            with contextlib.suppress(TimeoutError):
                guest, _ = door.accept()
                connected.append(guest.close())

        door.settimeout(60)
        waiter = threading.Thread(target=one_guest)
        waiter.start()
        with fed.attending("a"):  # the control
            said = refused(fed, quick(scene.plan()), "a cannot carry it out (data)")
        waiter.join()
    assert connected == [None]
    assert "u:p" not in said + "".join(fed.heard["a"])


@pytest.mark.slow
def test_a_plan_beyond_what_is_left_of_the_year_is_denied_before_any_row_is_read(fed):
    spec = quick(scene.plan(privacy=scene.SHARED))
    policy(fed, "a", ("epsilon_per_year = inf", "epsilon_per_year = 4"))
    with fed.attending(*"abcd"):
        fed.run(spec)  # the control: the first one fits
    before = spent(fed)
    assert 0 < before <= 3
    with watched() as opened, fed.attending(*"abcd"):
        refused(fed, spec, "a refuses this plan (epsilon_per_year)", run=OTHER)
    assert [path for path in opened if path.endswith("/a/rows.csv")] == []
    assert spent(fed) == before


@pytest.mark.slow
def test_too_few_rows_are_told_to_the_owner_alone(fed):
    policy(fed, "a", ("[approve]", "min_rows = 41\n[approve]"))
    with fed.attending("a"):
        said = refused(fed, quick(scene.plan()), "a cannot carry it out (data)")
    assert "its rows do not fit, or cannot be read" in said  # the same words of whatever does not fit
    assert not any(word in said for word in ("min_rows", "few", "40", "41"))
    words = [text for text in fed.heard["a"] if "min_rows (41)" in text]
    assert words
    assert not any("40" in text for text in words)
    policy(fed, "a", ("min_rows = 41", "min_rows = 20"))
    with fed.attending(*"abcd"):  # the control
        fed.run(quick(scene.plan()), run=OTHER)


def test_data_that_does_not_fit_is_named_to_the_owner_and_its_value_to_nobody(fed):
    rows = fed.folder / "b" / "rows.csv"
    rows.write_text(rows.read_text() + "CANARY71,0.5,1\n")
    with fed.attending("b"):
        said = refused(fed, quick(scene.plan()), "b cannot carry it out (data)")
    words = " ".join(fed.heard["b"])
    assert "line 42" in words or "x" in words
    assert "CANARY71" not in said + words + (fed.folder / "b" / "access.jsonl").read_text()


# People.


def person(fed, *names, people=1, rule="person"):
    for name in names:
        policy(fed, name, ('rule = "policy"', f'rule = "{rule}"\npeople = {people}'))


def decide(fed, verdict, spec, who="olga", name="a"):
    return inbox.decide(fed.folder / name, verdict, digest(spec).hex(), who)


def test_a_plan_that_nobody_approved_waits_and_goes_on_once_somebody_did(fed):
    spec = quick(scene.plan())
    person(fed, "a")
    with watched() as opened, fed.attending(*"abcd"):
        refused(fed, spec, "a has not approved it yet", "site inbox", answered="abcd")
    assert [path for path in opened if path.endswith("/a/rows.csv")] == []
    assert ("request", "pending", ()) in log(fed)
    with fed.attending(*"abcd"):
        decide(fed, "approve", spec)
        outcome, _ = fed.run(spec)
    assert outcome.model.digest() == scene.Scene(scene.plan()).run().model.digest()


def decide_once_asked(fed, spec):
    """Approve as soon as the server has heard that it has to wait."""
    wait_for(lambda: any(text.startswith("a: pending") for _, text in fed.said), 60, "the server waits for a's owner")
    decide(fed, "approve", spec)


def test_an_approval_given_while_the_server_waits_is_heard(fed):
    spec = quick(scene.plan())
    person(fed, "a")
    with fed.attending(*"abcd"):
        asker = threading.Thread(target=decide_once_asked, args=(fed, spec))
        asker.start()
        fed.run(spec)
        asker.join()


def test_one_person_is_not_two(fed):
    spec = quick(scene.plan())
    person(fed, "a", people=2)
    with fed.attending(*"abcd"):
        refused(fed, spec, "a has not approved it yet", answered="abcd")
        decide(fed, "approve", spec, "olga")
        decide(fed, "approve", spec, "olga")
        refused(fed, spec, "a has not approved it yet", answered="abcd")
        decide(fed, "approve", spec, "paul")
        fed.run(spec)  # the control


def test_what_a_person_denied_is_refused(fed):
    spec = quick(scene.plan())
    person(fed, "a")
    with fed.attending(*"abcd"):
        refused(fed, spec, "a has not approved it yet", answered="abcd")
        decide(fed, "deny", spec)
        refused(fed, spec, "a refuses this plan (denied)")
    assert any(event == "deny" for event, _, _ in log(fed))


@pytest.mark.slow
def test_a_hash_approved_beforehand_runs_and_another_does_not(fed):
    spec = quick(scene.plan())
    person(fed, "a", rule="hash")
    decide(fed, "approve", spec)
    with fed.attending(*"abcd"):
        fed.run(spec)
        fed.run(spec, run=OTHER)  # rule hash: again and again
        refused(fed, scene.other(spec), "a has not approved it yet", run="ef" * 16, answered="abcd")


def test_a_run_that_is_revoked_ends_before_its_next_round(fed):
    spec = quick(scene.plan(privacy=scene.SHARED))
    person(fed, "a")
    decide(fed, "approve", spec)
    begun = []

    def revoked(ask):
        begun.append(ask.step)
        if len(begun) == 2:
            decide(fed, "revoke", spec)

    with fed.attending(*"abcd"), fed.coordinator(spec, RUN) as (coordinator, journal):
        coordinator.gather()
        drive(build(spec), Sums(spec, coordinator, store=journal, progress=revoked))
        givers = [one["givers"] for one in journal.rounds()]
    assert "a" in givers[0]
    assert all("a" not in names for names in givers[1:])
    assert ("refusal", "refused", (Cause.REFUSED.value,)) in log(fed)
    with Budget(fed.folder / "a" / "ledger.sqlite") as ledger:
        assert [row.releases for row in ledger.history()] == [1]


# A server that lies.


def asked(fed, spec, run=RUN, name="a", **other):
    """What a site decides about a proposal."""
    with fed.site(name, threading.Event()) as one:
        return one._consent.decide(run, proposal(fed, spec, **other))


def test_another_plan_under_a_run_that_was_approved_is_refused(fed):
    spec = quick(scene.plan())
    person(fed, "a")
    assert asked(fed, spec).verdict == "pending"
    decide(fed, "approve", spec)
    assert asked(fed, scene.other(spec)).codes == ("plan",)
    assert asked(fed, scene.other(spec), run=OTHER).verdict == "pending"
    assert asked(fed, spec).verdict == "granted"  # the control


ALTERED = {
    "version": {"code": "0.0.1"},
    "federation": {"membership": 1},
    "initial": {"initial": bytes(32)},
    "plan": {"plan": canonical(scene.plan(sites="bcd").spec)},
}


@pytest.mark.parametrize("code", ALTERED)
def test_a_proposal_that_does_not_hold_together_is_refused_by_name(fed, code):
    with watched() as opened:
        decision = asked(fed, quick(scene.plan()), **ALTERED[code])
    assert (decision.verdict, decision.codes) == ("denied", (code,))
    assert [path for path in opened if "rows.csv" in path] == []
    assert ("request", "denied", (code,)) in log(fed)
    assert decision.words[0] in " ".join(fed.heard["a"])


def test_a_server_of_another_file_is_refused_and_named(fed):
    """The coordinator went on to a version that a site has not joined yet."""
    enrolment.federation_rotate(fed.folder / "fed", [], time.time(), keys=False, days=None)
    with fed.attending("a"):
        refused(fed, quick(scene.plan()), "a refuses this plan (federation)")
    assert any("potluck site join" in text for text in fed.heard["a"])


def announce(one, me, spec, **other):
    """Begin a round with an altered announcement; gives the cause that the site tells."""
    fields = dict(zip(("plan", "kind", "step", "state"), msgspec.msgpack.decode(announced(spec)), strict=True)) | other
    label = Label(RoundId(RUN, 1), "begin")
    one._open(me.close(site("a"), Parcel(label, msgspec.msgpack.encode(list(fields.values())))))


LIES = {
    "another plan": {"plan": digest(scene.other(scene.plan().spec))},
    "another model": {"state": bytes(23) + b"\x3f"},
    "a step that the plan has not": {"step": 3},
    "a sum that the plan has not": {"kind": "statistics"},
}


@pytest.mark.parametrize("lie", [*LIES, ""])
def test_a_server_that_announces_something_else_gets_nothing(fed, lie):
    spec, me = quick(scene.plan(privacy=scene.SHARED)), server(fed)
    with fed.site("a", threading.Event()) as one:
        one._open(me.close(site("a"), parcel(RUN, proposal(fed, spec))))
        drained(fed, SERVER)
        announce(one, me, spec, **LIES.get(lie, {}))
        steps = [me.disclose(letter)[1].label.step for letter in drained(fed, SERVER)]
        assert one._consent._owner.ledger.spent() == 0
    if lie:
        assert steps == ["stop"]
        what = ("round", "aborted") if lie.startswith("another") else ("refusal", "refused")  # no round was begun
        assert (*what, (Cause.TERMS.value,)) in log(fed)
    else:  # the control
        assert steps
        assert "stop" not in steps


# Strangers, and files that are too old.


def test_a_letter_under_an_unknown_key_is_logged_and_forgotten(fed):
    me, spec = server(fed), quick(scene.plan())
    stranger = replace(me, key=SigningKey(Secret(os.urandom(32))))
    with fed.site("a", threading.Event()) as one:
        one._open(stranger.close(site("a"), parcel(RUN, proposal(fed, spec))))
        assert drained(fed, SERVER) == []
        one._open(me.close(site("a"), parcel(RUN, proposal(fed, spec))))  # the control
        assert len(drained(fed, SERVER)) == 1
    assert log(fed)[0] == ("refusal", "refused", (Cause.SIGNATURE.value,))
    assert fed.heard["a"][0] == "discarded: bad signature"


def test_a_file_that_expires_while_a_site_runs_is_refused(fed, monkeypatch):
    later = time.time() + 31 * 86400
    decision = asked(fed, quick(scene.plan()))
    assert decision.verdict == "granted"  # the control
    offer = proposal(fed, quick(scene.plan()))
    with fed.site("a", threading.Event()) as one:
        monkeypatch.setattr(consent.time, "time", lambda: later)
        decision = one._consent.decide(OTHER, offer)
        monkeypatch.undo()
    assert (decision.verdict, decision.codes) == ("denied", ("expired",))
    assert "expired" in " ".join(fed.heard["a"])


@pytest.mark.parametrize(("kind", "name"), [(CoordinatorHome, "fed"), (SiteHome, "a")])
def test_nobody_starts_with_a_file_that_expired(fed, kind, name):
    home = kind.at(fed.folder / name)
    home.open(time.time())  # the control
    with pytest.raises(Refused, match="expired") as caught:
        home.open(time.time() + 31 * 86400)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("whose", ["fed", "a"])
def test_a_file_that_was_put_back_is_refused(fed, whose):
    path = fed.folder / whose / "federation.toml"
    old = path.read_bytes()
    enrolment.federation_rotate(fed.folder / "fed", [], time.time(), keys=False, days=None)
    if whose == "a":
        enrolment.site_join(fed.folder / "a", fed.folder / "fed" / "federation.toml", time.time(), "")
        draft = fed.folder / "old.toml"
        draft.write_bytes(old)
        with pytest.raises(Refused) as caught:
            enrolment.site_join(fed.folder / "a", draft, time.time(), "")
        assert caught.value.exit_code == 3
        return
    path.write_bytes(old)
    with pytest.raises(Refused):
        CoordinatorHome.at(fed.folder / "fed").open(time.time())


# Ledgers.


def test_a_site_put_back_from_a_copy_is_refused_since_the_server_remembers(fed, tmp_path):
    spec = quick(scene.plan(privacy=scene.SHARED))
    kept = across.copy(fed.folder / "a", tmp_path / "copy")
    with fed.attending(*"abcd"):
        fed.run(spec)
    now = across.copy(fed.folder / "a", tmp_path / "now")
    across.copy(kept, fed.folder / "a")
    with watched() as opened, fed.attending(*"abcd"):
        refused(fed, spec, "a refuses this plan (ledger)", run=OTHER, answered="abcd")
    assert [path for path in opened if path.endswith("/a/rows.csv")] == []
    assert ("request", "denied", ("ledger",)) in log(fed)
    across.copy(now, fed.folder / "a")
    with fed.attending(*"abcd"):  # the control
        fed.run(spec, run="ef" * 16)


def test_new_keys_make_no_new_ledger_of_one_that_was_put_back(fed, tmp_path):
    """As after a theft: the copy, and new keys at once. The controls are its newest state and a home made anew."""
    spec = quick(scene.plan())
    kept, now = across.copy(fed.folder / "a", tmp_path / "copy"), time.time()
    with fed.attending(*"abcd"):
        fed.run(spec)
    newest = across.copy(fed.folder / "a", tmp_path / "newest")
    fresh = tmp_path / "fresh"
    enrolment.site_new(fresh, "a")
    for name in ("policy.toml", "rows.csv"):
        (fresh / name).write_bytes((fed.folder / "a" / name).read_bytes())
    for number, home in enumerate((kept, newest, fresh)):
        across.copy(home, fed.folder / "a")
        card = enrolment.site_rotate(fed.folder / "a").card if home != fresh else fed.folder / "a" / "a.card"
        enrolment.federation_rotate(fed.folder / "fed", [card], now, keys=False, days=None)
        for name in "abcd":
            enrolment.site_join(fed.folder / name, fed.folder / "fed" / "federation.toml", now)
        for again in "12":  # nor does its own word make the server forget
            with fed.attending("a"), fed.coordinator(spec, f"{number}{again}" * 16) as (coordinator, _):
                with contextlib.suppress(Refused):
                    gather(coordinator, "a")
                said = coordinator.participants.of[site("a")]
                assert (said.verdict, said.codes) == (("denied", ("ledger",)) if home == kept else ("granted", ()))


def test_a_sites_folder_that_runs_twice_is_refused_by_its_own_head(fed, tmp_path):
    spec = quick(scene.plan(privacy=scene.SHARED))
    twin = Across(tmp_path / "twin", exchange=fed.exchange)
    across.copy(fed.folder / "a", twin.folder / "a")
    with fed.attending(*"abcd"):
        fed.run(spec)  # charged at the one
    with twin.attending("a"), fed.attending(*"bcd"):
        refused(fed, spec, "a refuses this plan (ledger)", run=OTHER, answered="abcd")


def test_an_edited_ledger_ends_the_site(fed):
    with fed.attending(*"abcd"):
        fed.run(quick(scene.plan(privacy=scene.SHARED)))
    ledger = fed.folder / "a" / "ledger.sqlite"
    ledger.write_bytes(ledger.read_bytes().replace(b"begin", b"bogin", 1))
    with pytest.raises(Refused) as caught, fed.site("a", threading.Event()):
        pass
    assert caught.value.exit_code == 3


def test_a_round_that_a_site_refused_is_told_by_its_cause(fed):
    """Exact sums stay over the same sites: a revoked one ends the run, by name."""
    spec = quick(scene.plan())
    person(fed, "a")
    decide(fed, "approve", spec)
    begun = []

    def revoked(ask):
        begun.append(ask.step)
        if len(begun) == 2:
            decide(fed, "revoke", spec)

    with fed.attending(*"abcd"), fed.coordinator(spec, RUN) as (coordinator, journal):
        coordinator.gather()
        with pytest.raises(Abort) as caught:
            drive(build(spec), Sums(spec, coordinator, store=journal, progress=revoked))
    assert caught.value.cause is Cause.REFUSED
    assert caught.value.party == site("a")


# The same through the real programs.


@pytest.mark.slow
def test_the_verbs_wait_refuse_and_go_on(tmp_path):
    need_broker()
    rig = Rig(tmp_path / "rig", scene.frames("abc"))
    rig.found(free_port())
    path = rig.home("a") / "policy.toml"
    path.write_text(path.read_text().replace('rule = "policy"', 'rule = "person"'))
    plan = rig.plan(scene.plan(sites="abc", dropouts=0), "plan")
    try:
        rig.start("broker")
        for name in "abc":
            child = rig.spawn(name, "site", "run", rig.home(name), driven=False)
            wait_for(lambda child=child: "connected" in child.words.read_text(), 60, f"{name} is connected")

        def serve(wait):
            return rig.spawn("server", "server", "run", rig.fed, plan, "--json", "--wait", wait, driven=False).end(300)

        def verb(*arguments):
            return rig.spawn("owner", "site", *arguments, "--json", driven=False).end(300)

        refusal = serve(6)
        assert (refusal.code, refusal.out) == (3, "")
        assert "a has not approved it yet" in refusal.words
        waiting = verb("inbox", rig.home("a")).document["requests"]
        assert [one["state"] for one in waiting] == ["pending"]
        assert verb("approve", rig.home("a"), waiting[0]["hash"], "--person", "olga").code == 0
        done = serve(60)
        assert done.code == 0, done.words
        entries = verb("log", rig.home("a")).document["entries"]
        told = [(one["event"], one["outcome"]) for one in entries]
        for line in (("request", "pending"), ("approve", ""), ("request", "approved")):
            assert line in told
    finally:
        rig.close()
