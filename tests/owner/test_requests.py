"""Requests and decisions: who may be approved by whom, for how long, and by how many processes at once."""

import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from potluck.core.errors import Refused, UsageError
from potluck.members.persons import Persons
from potluck.owner import requests
from potluck.owner.policy import Approve
from potluck.owner.requests import NEAR, REPEATED, UNFIT, UNUSED, Requests, State
from support.examples import examples

PERSON = Approve(rule="person")
TWO = Approve(rule="person", people=2)
HASH = Approve(rule="hash")
TWO_HASH = Approve(rule="hash", people=2)
POLICY = Approve(rule="policy")
PLAN = b'{"name":"heart"}'


def digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


H, OTHER = digest("heart"), digest("other")
TEXT = H.hex()


@pytest.fixture
def book(tmp_path):
    with Requests(tmp_path / "requests.sqlite") as one:
        yield one


def ask(book, run: str, approve: Approve = PERSON, codes=(), plan_hash: bytes = H, asker: str = "hospitals") -> State:
    return book.ask(run, plan_hash, PLAN, asker, 1.0, codes, approve).state


def states(decision) -> list[tuple[str, State]]:
    return [(one.run, one.state) for one in decision.changed]


def test_the_file_is_its_owners_alone(tmp_path, book):
    assert stat.S_IMODE((tmp_path / "requests.sqlite").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["requests.sqlite"]


def test_a_request_waits_until_a_person_approves_its_hash(book):
    assert ask(book, "r1") is State.PENDING
    assert [(one.run, one.hash, one.plan, one.asker) for one in book.pending()] == [("r1", TEXT, PLAN, "hospitals")]
    assert book.missing("r1", PERSON) == 1
    assert states(book.approve(TEXT[:16], "ann", 2.0, PERSON)) == [("r1", State.APPROVED)]
    assert book.state("r1") is State.APPROVED
    assert book.missing("r1", PERSON) == 0
    assert book.pending() == ()


def test_one_approval_serves_one_run_only(book):
    ask(book, "r1")
    book.approve(TEXT, "ann", 2.0, PERSON)
    assert book.finish("r1").state is State.FINISHED
    assert ask(book, "r2") is State.PENDING


def test_an_approval_given_beforehand_serves_the_next_run_and_no_more(book):
    decision = book.approve(f"sha256:{TEXT.upper()}", "ann", 2.0, PERSON)
    assert (decision.changed, decision.missing) == ((), 0)
    assert ask(book, "r1", plan_hash=OTHER) is State.PENDING
    assert ask(book, "r2") is State.APPROVED
    assert ask(book, "r3") is State.PENDING


def test_two_approvals_of_one_person_are_one(book):
    ask(book, "r1", TWO)
    for _ in range(3):
        decision = book.approve(TEXT, "ann", 2.0, TWO)
        assert (decision.changed, decision.missing) == ((), 1)
    assert book.missing("r1", TWO) == 1
    assert states(book.approve(TEXT, "bob", 3.0, TWO)) == [("r1", State.APPROVED)]


def test_approvals_beyond_the_number_needed_do_not_carry_over(book):
    for person in ("ann", "bob", "cyd"):
        book.approve(TEXT, person, 2.0, TWO)
    assert ask(book, "r1", TWO) is State.APPROVED
    assert ask(book, "r2", TWO) is State.PENDING
    assert book.missing("r2", TWO) == 2


def test_an_approved_hash_stays_approved_until_revoked(book):
    assert ask(book, "r1", HASH) is State.PENDING
    book.approve(TEXT, "ann", 2.0, HASH)
    assert book.state("r1") is State.APPROVED
    assert ask(book, "r2", HASH) is State.APPROVED
    assert ask(book, "r3", HASH, plan_hash=OTHER) is State.PENDING
    book.finish("r1")
    assert states(book.revoke(TEXT, "bob", 3.0, HASH)) == [("r2", State.REVOKED)]
    assert ask(book, "r4", HASH) is State.PENDING


def test_a_policy_approves_at_once_and_a_person_may_still_say_no(book):
    assert ask(book, "r1", POLICY) is State.APPROVED
    assert states(book.deny(TEXT, "ann", 2.0, POLICY)) == [("r1", State.DENIED)]
    assert ask(book, "r2", POLICY) is State.DENIED
    book.approve(TEXT, "ann", 3.0, POLICY)
    assert ask(book, "r3", POLICY) is State.APPROVED
    assert states(book.revoke(TEXT, "ann", 4.0, POLICY)) == [("r3", State.REVOKED)]


@pytest.mark.parametrize("approve", [PERSON, HASH, POLICY], ids=lambda one: one.rule)
def test_what_the_policy_denies_nobody_can_approve(book, approve):
    for person in ("ann", "bob"):
        book.approve(TEXT, person, 1.0, approve)
    assert ask(book, "r1", approve, codes=("columns", "noise")) is State.DENIED
    assert book.approve(TEXT, "ann", 2.0, approve).changed == ()
    assert book.state("r1") is State.DENIED
    assert book.find(TEXT)[0].codes == ("columns", "noise")
    assert ask(book, "r2", approve) is State.APPROVED, "a denial by the policy used no approval up"


def test_one_denial_beats_every_approval(book):
    for person in ("ann", "bob", "cyd"):
        book.approve(TEXT, person, 1.0, TWO)
    book.deny(TEXT, "dan", 2.0, TWO)
    assert ask(book, "r1", TWO) is State.DENIED
    book.approve(TEXT, "ann", 3.0, TWO)
    assert ask(book, "r2", TWO) is State.DENIED
    book.approve(TEXT, "dan", 4.0, TWO)
    assert ask(book, "r3", TWO) is State.APPROVED


def test_a_denial_stops_a_run_that_goes_on_and_an_approval_does_not_bring_it_back(book):
    ask(book, "r1")
    book.approve(TEXT, "ann", 2.0, PERSON)
    assert states(book.deny(TEXT, "bob", 3.0, PERSON)) == [("r1", State.DENIED)]
    assert book.approve(TEXT, "bob", 4.0, PERSON).changed == ()
    assert book.state("r1") is State.DENIED


def test_a_revoked_run_stays_revoked_and_its_approval_is_gone(book):
    ask(book, "r1")
    book.approve(TEXT, "ann", 2.0, PERSON)
    assert states(book.revoke(TEXT[:16], "bob", 3.0, PERSON)) == [("r1", State.REVOKED)]
    assert book.finish("r1").state is State.REVOKED
    assert ask(book, "r1") is State.REVOKED
    book.approve(TEXT, "ann", 4.0, PERSON)
    assert book.state("r1") is State.REVOKED


def test_revoking_takes_back_an_approval_that_no_run_has_used(book):
    book.approve(TEXT, "ann", 2.0, PERSON)
    book.revoke(TEXT, "ann", 3.0, PERSON)
    assert ask(book, "r1") is State.PENDING


def test_the_same_run_keeps_its_state_also_in_a_new_process(tmp_path, book):
    ask(book, "r1")
    book.approve(TEXT, "ann", 2.0, PERSON)
    with Requests(tmp_path / "requests.sqlite") as other:
        assert other.ask("r1", H, PLAN, "hospitals", 9.0, ("hours",), PERSON) == book.find(TEXT)[0]
        assert other.state("r1") is State.APPROVED
        assert other.find(TEXT)[0].first_seen == 1.0


def test_a_run_cannot_be_asked_for_again_with_another_plan_or_by_another(book):
    ask(book, "r1")
    with pytest.raises(Refused, match="another plan"):
        ask(book, "r1", plan_hash=OTHER)
    with pytest.raises(Refused, match="another plan"):
        ask(book, "r1", asker="others")


def test_two_plans_under_one_hash_are_refused(book):
    ask(book, "r1")
    with pytest.raises(Refused, match="two plans"):
        book.ask("r2", H, PLAN + b" ", "hospitals", 1.0, (), PERSON)
    assert [one.run for one in book.pending()] == ["r1"]


def test_a_new_run_takes_the_place_of_the_one_that_waits(book):
    ask(book, "r1", TWO)
    book.approve(TEXT, "ann", 2.0, TWO)
    ask(book, "x1", TWO, asker="others")
    assert ask(book, "r2", TWO) is State.PENDING
    assert book.state("r1") is State.WITHDRAWN
    assert book.state("x1") is State.PENDING
    assert book.missing("r2", TWO) == 2  # ann looked at the page of r1


def test_an_approval_serves_one_of_two_that_wait(book):
    ask(book, "r1")
    ask(book, "x1", asker="others")
    assert states(book.approve(TEXT, "ann", 2.0, PERSON)) == [("r1", State.APPROVED)]
    assert book.state("x1") is State.PENDING


def test_what_was_withdrawn_or_finished_moves_no_more(book):
    ask(book, "r1")
    assert book.finish("r1").state is State.WITHDRAWN
    done = book.approve(TEXT, "ann", 2.0, PERSON)
    assert (done.changed, done.newest.run, done.newest.state) == ((), "r1", State.WITHDRAWN)
    assert ask(book, "r1") is State.WITHDRAWN
    assert ask(book, "r2") is State.APPROVED
    book.finish("r2")
    assert book.finish("r2").state is State.FINISHED
    assert book.deny(TEXT, "ann", 3.0, PERSON).changed == ()


def test_a_yes_to_a_run_that_was_withdrawn_waits_for_no_later_one(book):
    """An attack: one of two approves, the asker withdraws and asks again when only the other is there. Control: a yes
    that is for every run of the plan."""
    for lasts, by, missing in ((False, TWO, 2), (True, Approve(rule="hash", people=2), 1)):
        ask(book, f"r{lasts}", by)
        book.approve(TEXT, "ann", 2.0, by)
        assert book.finish(f"r{lasts}", lasts).state is State.WITHDRAWN
        assert ask(book, f"again {lasts}", by) is State.PENDING
        assert book.missing(f"again {lasts}", by) == missing


def test_an_end_withdraws_nothing_that_somebody_decided_or_that_had_rounds(book):
    for number, run in enumerate(("denied", "revoked", "policy", "again")):
        ask(book, run, codes=("who",) if run == "policy" else (), plan_hash=digest(run))
        if run != "policy":
            book.approve(digest(run).hex(), "ann", float(number), PERSON)
    book.deny(digest("denied").hex(), "ann", 5.0, PERSON)
    book.revoke(digest("revoked").hex(), "ann", 5.0, PERSON)
    assert book.again("again").state is State.PENDING
    ends = [book.finish(run).state.value for run in ("denied", "revoked", "policy", "again")]
    assert ends == ["denied", "revoked", "denied", "finished"]


@pytest.mark.parametrize(("rule", "lasts", "missing"), [(TWO, False, 2), (TWO_HASH, True, 1)])
def test_what_its_asker_ended_waits_no_more_and_is_judged_as_of_now_when_it_is_asked_for_again(
    book, rule, lasts, missing
):
    ask(book, "r1", rule)
    book.approve(TEXT, "ann", 2.0, rule)
    assert book.ended("r1", "elsewhere", lasts)
    assert (book.pending(), book.state("r1"), book.of("r1").codes) == ((), State.WITHDRAWN, ("elsewhere",))
    assert not book.ended("r1", "failed", lasts)  # it is told once
    assert ask(book, "r1", rule) is State.PENDING
    assert (book.missing("r1", rule), book.of("r1").codes) == (missing, ())  # half a yes was this asking's
    book.ended("r1", "failed", lasts)
    assert [book.approve(TEXT, who, 3.0, rule).changed for who in ("ann", "bob")] == [(), ()]
    assert ask(book, "r1", rule, codes=("who",)) is State.DENIED
    assert ask(book, "r1", rule) is State.APPROVED
    assert book.ended("r1", "elsewhere", lasts)
    assert book.state("r1") is State.APPROVED  # who said yes is not asked again


@pytest.mark.parametrize("why", [REPEATED, NEAR])
def test_an_end_does_not_take_back_what_people_are_asked_again(book, why):
    """Else a coordinator whose step was repeated too often would ask anew, and rule "policy" would let it in."""
    assert ask(book, "r1", POLICY) is State.APPROVED
    book.again("r1", why)
    book.ended("r1", "elsewhere", False)
    assert ask(book, "r1", POLICY) is State.PENDING
    ask(book, "r2", PERSON, plan_hash=OTHER)
    book.ended("r2", "elsewhere", False)
    assert ask(book, "r2", POLICY, plan_hash=OTHER) is State.APPROVED  # the control


def test_a_run_whose_asker_began_anew_is_not_asked_for_again(book):
    ask(book, "r1")
    ask(book, "r2")
    assert not book.ended("r1", "elsewhere", False)
    assert ask(book, "r1") is State.WITHDRAWN


def test_hashes_may_be_shortened_while_they_are_clear(book):
    for name in ("no", "abc", TEXT[:15], TEXT + "0", "g" * 16, "sha256:", f"{TEXT[:16]}%"):
        with pytest.raises(UsageError):
            book.approve(name, "ann", 1.0, PERSON)
    with pytest.raises(UsageError, match="no known plans"):
        book.deny(TEXT[:63], "ann", 1.0, PERSON)
    twin = bytes([*H[:8], H[8] ^ 255, *H[9:]])
    ask(book, "r1")
    ask(book, "r2", plan_hash=twin)
    with pytest.raises(UsageError, match="2 known plans"):
        book.approve(TEXT[:16], "ann", 1.0, PERSON)
    assert states(book.approve(f" sha256:{TEXT[:18]}\n", "ann", 1.0, PERSON)) == [("r1", State.APPROVED)]


@pytest.mark.parametrize("verdict", ["approve", "deny", "revoke"])
def test_eight_letters_of_a_hash_do_not_name_a_plan(book, verdict):
    act = {"approve": book.approve, "deny": book.deny, "revoke": book.revoke}[verdict]
    ask(book, "r1")
    for length in (8, 15):
        with pytest.raises(UsageError, match="16 to 64 hex letters"):
            act(TEXT[:length], "ann", 1.0, PERSON)
    act(TEXT[:16], "ann", 1.0, PERSON)


@pytest.mark.parametrize("shortest", [16, 8])
def test_a_plan_made_to_begin_as_another_cannot_take_its_approval(book, monkeypatch, shortest):
    """The owner has read one plan's hash over the telephone; only the other was asked for. Control: 8 letters do."""
    monkeypatch.setattr(requests, "SHORTEST", shortest)
    made = bytes([*H[:4], *OTHER[4:]])
    ask(book, "r1", plan_hash=made)
    with pytest.raises(UsageError, match="no known plan"):
        book.approve(TEXT[:16], "ann", 2.0, PERSON)
    if shortest == 8:
        assert states(book.approve(TEXT[:8], "ann", 2.0, PERSON)) == [("r1", State.APPROVED)]
        return
    with pytest.raises(UsageError):
        book.approve(TEXT[:8], "ann", 2.0, PERSON)
    assert book.state("r1") is State.PENDING


def test_nobody_cannot_decide(book):
    with pytest.raises(UsageError, match="nobody"):
        book.approve(TEXT, " ", 1.0, PERSON)
    with pytest.raises(UsageError, match="no such run"):
        book.state("r1")
    assert ask(book, "r1") is State.PENDING


def held(path, count, codes):
    """Bytes of the file after so many plans of 100 kB that nobody asks for twice."""
    with Requests(path) as book:
        for number in range(count):
            plan = b"%06d" % number + b"x" * 100_000
            book.ask(f"r{number}", digest(str(number)), plan, "hospitals", 1.0, codes, PERSON)
            book.finish(f"r{number}")
    return sum(one.stat().st_size for one in path.parent.iterdir())


@pytest.mark.parametrize("codes", [("who",), ()], ids=["denied", "withdrawn"])
def test_server_cannot_fill_a_disk_with_plans_that_the_policy_denies_or_it_withdraws(tmp_path, monkeypatch, codes):
    monkeypatch.setattr(requests, "UNHEARD", 1_000_000)
    assert held(tmp_path / "requests.sqlite", 60, codes) < 2_500_000
    with Requests(tmp_path / "requests.sqlite") as book:
        assert book.state("r59") in (State.DENIED, State.WITHDRAWN)
        with pytest.raises(UsageError, match="no such run"):
            book.state("r0")


def test_control_without_a_bound_on_bytes_each_denied_plan_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(requests, "UNHEARD", 1 << 60)
    assert held(tmp_path / "requests.sqlite", 60, ("who",)) > 6_000_000


def test_what_others_can_put_here_is_bounded(book, monkeypatch):
    monkeypatch.setattr(requests, "MOST_PENDING", 3)
    monkeypatch.setattr(requests, "KEPT", 5)
    for number in range(3):
        ask(book, f"r{number}", plan_hash=digest(str(number)))
    with pytest.raises(Refused, match="wait already"):
        ask(book, "r3", plan_hash=digest("3"))
    book.finish("r0")
    with monkeypatch.context() as bytes_:
        bytes_.setattr(requests, "WAITING", 3 * len(PLAN) - 1)
        with pytest.raises(Refused, match="wait already"):
            ask(book, "r3", plan_hash=digest("3"))
    for number in range(20):
        assert ask(book, f"d{number}", plan_hash=digest(f"d{number}"), codes=("who",)) is State.DENIED
    with pytest.raises(UsageError, match="no such run"):
        book.state("d0")
    assert book.state("d19") is State.DENIED
    assert {one.run for one in book.pending()} == {"r1", "r2"}
    for run, plan in (("x" * 201, PLAN), ("x", b" " * (requests.LARGEST + 1))):
        with pytest.raises(Refused, match="form"):
            book.ask(run, H, plan, "hospitals", 1.0, (), PERSON)


def removed(book, run: str, approve: Approve, people: list[str], begun: bool = False) -> list[object]:
    """Each approves, the first of them is removed: what became of the run, and how many must approve the next one."""
    ask(book, run, approve)
    for name in people:
        book.approve(TEXT, name, 2.0, approve)
    before = book.state(run)
    book.left(people[0].upper(), lambda one: begun, approve)
    after = book.state(run)
    book.finish(run)
    ask(book, f"{run} again", approve)
    return [before.value, after.value, book.missing(f"{run} again", approve)]


def test_who_is_removed_approves_nothing_any_more_but_what_has_begun(book):
    """An attack: a stolen sign-in approves, and the run begins once the owner has found out. Control: it has begun."""
    assert removed(book, "r1", TWO, ["eve", "bob"]) == ["approved", "pending", 2]
    assert removed(book, "r2", TWO, ["eve", "bob"], begun=True) == ["approved", "approved", 2]
    assert removed(book, "r3", TWO, ["eve", "bob", "ann"]) == ["approved", "approved", 2]
    assert removed(book, "r4", HASH, ["eve"]) == ["approved", "pending", 1]
    assert removed(book, "r5", POLICY, ["eve"]) == ["approved", "approved", 0]


def test_the_yes_of_the_others_stays_and_an_old_no_of_who_is_removed_does_not_come_back(book):
    ask(book, "r1", TWO)
    book.deny(TEXT, "eve", 1.0, TWO)
    ask(book, "r2", TWO)
    book.approve(TEXT, "eve", 2.0, TWO)
    book.approve(TEXT, "bob", 2.0, TWO)
    assert ask(book, "r3", TWO) is State.APPROVED
    book.left("eve", lambda one: False, TWO)
    assert (book.state("r3"), book.missing("r3", TWO), book.approvers(TEXT)) == (State.PENDING, 1, ["bob"])
    assert states(book.approve(TEXT, "ann", 3.0, TWO)) == [("r3", State.APPROVED)]


def test_before_its_first_round_a_run_needs_what_the_policy_of_now_asks(book):
    """Yes of others counts, a yes that no run used is used up by it; what it had is there where it waits again."""
    ask(book, "r1")
    book.approve(TEXT, "ann", 2.0, PERSON)
    assert [book.suffices("r1", by) for by in (POLICY, HASH, PERSON)] == [True] * 3
    book.approve(TEXT, "bob", 2.0, PERSON)  # for the next run
    assert (book.suffices("r1", TWO), book.suffices("r1", TWO), book.approvers(TEXT)) == (True, True, [])
    book.finish("r1")
    assert ask(book, "r2", POLICY) is State.APPROVED
    assert (book.suffices("r2", TWO), book.state("r2"), book.missing("r2", TWO)) == (False, State.PENDING, 2)
    book.approve(TEXT, "ann", 2.0, PERSON)
    assert (book.suffices("r2", TWO), book.state("r2"), book.missing("r2", TWO)) == (False, State.PENDING, 1)
    assert states(book.approve(TEXT, "bob", 3.0, TWO)) == [("r2", State.APPROVED)]
    Persons(book._path.with_name("persons.json")).invite("ann", 2.5)
    assert (book.suffices("r2", PERSON), book.state("r2"), book.missing("r2", PERSON)) == (False, State.PENDING, 1)


def test_a_yes_of_a_person_takes_back_the_no_of_who_cannot_sign_in_and_of_nobody_else(book):
    """Else the no of somebody who was removed could be lifted by nobody. Control: that of a person who is there."""
    persons = Persons(book._path.with_name("persons.json"))
    ask(book, "r1")
    book.deny(TEXT, "eve", 1.0, PERSON)
    assert book.approve(TEXT, "ann", 2.0, PERSON).lifted == ()
    for name in ("ann", "bob"):
        persons.invite(name, 2.5)
    book.deny(TEXT, "bob", 3.0, PERSON)
    assert book.approve(TEXT, "mallory", 4.0, PERSON).lifted == ()
    assert book.approve(TEXT, "ann", 4.0, PERSON).lifted == ("eve",)
    assert ask(book, "r2") is State.DENIED
    persons.remove("bob")
    assert book.approve(TEXT, "ann", 5.0, PERSON).lifted == ("bob",)
    assert ask(book, "r3") is State.APPROVED


def test_half_a_yes_that_an_end_took_comes_back_by_nobodys_removal(book):
    """An attack: ann's yes was to an asking that ended; once eve is removed, the run would begin by it."""
    ask(book, "r1", TWO)
    book.approve(TEXT, "ann", 1.0, TWO)
    book.ended("r1", "failed", False)
    ask(book, "r1", TWO)
    for who in ("bob", "eve"):
        book.approve(TEXT, who, 2.0, TWO)
    assert book.state("r1") is State.APPROVED
    book.left("eve", lambda one: False, TWO)
    assert (book.state("r1"), book.missing("r1", TWO), book.approvers(TEXT)) == (State.PENDING, 1, ["bob"])


def test_a_misfit_stays_one_as_its_run_is_closed(book):
    """Else rule "policy" would count it among plans that were merely not begun, of which it lets more in."""
    ask(book, "r1", POLICY)
    book.mark("r1", UNFIT)
    book.mark("r1", UNUSED)
    book.finish("r1")
    assert book.of("r1").codes == (UNFIT,)


def test_what_a_policy_denied_and_allows_again_waits_within_the_bound(book, monkeypatch):
    monkeypatch.setattr(requests, "MOST_PENDING", 1)
    ask(book, "r1", codes=("who",))
    ask(book, "r2", plan_hash=OTHER, codes=("who",))
    assert ask(book, "r1") is State.PENDING
    with pytest.raises(Refused, match="wait already"):
        ask(book, "r2", plan_hash=OTHER)
    assert ask(book, "r2", plan_hash=OTHER, codes=("tasks",)) is State.DENIED  # it needs no room


def misfits(book, flood: int) -> int:
    """How many of 12 plans that do not fit the rows are approved by themselves, and so tell their asker that."""
    told = 0
    for number in range(12):
        run, others = f"m{number}", [f"d{number}-{one}" for one in range(flood)]
        if ask(book, run, POLICY, plan_hash=digest(run)) is State.APPROVED:
            told += 1
            book.mark(run, UNFIT)
            book.finish(run)
        for other in others:
            assert ask(book, other, POLICY, ("who",), plan_hash=digest(other)) is State.DENIED
    return told


def test_server_cannot_have_plans_that_did_not_fit_forgotten_by_a_flood_of_others(book, monkeypatch):
    monkeypatch.setattr(requests, "KEPT", 5)
    assert misfits(book, 6) == requests.MISFITS


def test_control_where_they_may_be_forgotten_each_plan_tells_a_bit(book, monkeypatch):
    monkeypatch.setattr(requests, "KEPT", 5)
    monkeypatch.setattr(requests, "_COUNTED", 0)
    assert misfits(book, 6) == 12


def test_misfits_are_forgotten_after_a_day(book, monkeypatch):
    monkeypatch.setattr(requests, "KEPT", 5)
    misfits(book, 6)
    book.ask("later", H, PLAN, "hospitals", 2 * requests.DAY, (), POLICY)
    with pytest.raises(UsageError, match="no such run"):
        book.state("m0")


def test_another_file_is_refused_and_left_alone(tmp_path):
    for name, body in (("text", b"hello, this is not a database\n" * 100), ("empty", b"")):
        path = tmp_path / name
        path.write_bytes(body)
        with pytest.raises(Refused, match="no file of requests"):
            Requests(path)
        assert path.read_bytes() == body
    with sqlite3.connect(tmp_path / "other") as db:
        db.execute("create table t (x)")
    db.close()
    with pytest.raises(Refused, match="no file of requests"):
        Requests(tmp_path / "other")
    for path in (tmp_path, tmp_path / "absent" / "requests.sqlite"):
        with pytest.raises(UsageError):
            Requests(path)


ASKERS = """
import sys
from pathlib import Path
from potluck.owner.policy import Approve
from potluck.owner.requests import Requests
path, name = sys.argv[1:]
with Requests(Path(path)) as book:
    for number in range(20):
        book.approve("ab" * 32, name, 1.0, Approve())
        print(book.ask(f"{name}{number}", b"\\xab" * 32, b"{}", name, 1.0, (), Approve()).state.value)
"""


def test_processes_at_once_lose_no_decision_and_share_no_approval(tmp_path):
    """Each approves and asks 20 times: no run may be approved without an approval of its own, and none may fail."""
    path = tmp_path / "requests.sqlite"
    run = [sys.executable, "-c", ASKERS, path]
    environment = {**os.environ, "PYTHONPATH": str(Path(requests.__file__).parents[2])}
    processes = [
        subprocess.Popen([*run, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        for name in ("ann", "bob", "cyd")
    ]
    outcomes = [process.communicate(timeout=60) for process in processes]
    assert [error for _, error in outcomes] == [b""] * 3
    told = [line for out, _ in outcomes for line in out.split()]
    assert len(told) == 60
    with Requests(path) as book:
        found = book.find("ab" * 32)
    assert len(found) == 60
    with sqlite3.connect(path) as db:
        used = db.execute("select count(distinct run), count(*) from decisions where run is not null").fetchone()
        given = db.execute("select count(*) from decisions").fetchone()[0]
    db.close()
    approved = sum(one.state is State.APPROVED for one in found)
    assert used[0] == approved
    assert given == 60


class Model(RuleBasedStateMachine):
    """Two-person approvals, against the rule said another way: by replaying the whole history."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.book = Requests(Path(self.folder.name) / "requests.sqlite")
        self.history: list[tuple[str, str]] = []
        self.runs = 0

    @rule()
    def ask(self) -> None:
        self.runs += 1
        ask(self.book, f"r{self.runs}", TWO)
        self.history.append(("ask", f"r{self.runs}"))

    @rule(
        person=st.sampled_from(["ann", "bob", "cyd"]), verdict=st.sampled_from(["approve", "approve", "deny", "revoke"])
    )
    def decide(self, person: str, verdict: str) -> None:
        getattr(self.book, verdict)(TEXT, person, 1.0, TWO)
        self.history.append((verdict, person))

    @invariant()
    def the_last_run_is_as_replayed(self) -> None:
        if self.runs:
            assert self.book.state(f"r{self.runs}").value == replayed(self.history)

    def teardown(self) -> None:
        if hasattr(self, "book"):
            self.book.close()
            self.folder.cleanup()


def replayed(history: list[tuple[str, str]]) -> str:
    """The state of the newest run. stacks: each person's verdicts that are not void, newest last."""
    stacks: dict[str, list[str]] = {}
    state = ""
    for what, who in history:
        if what == "ask":
            if state == "pending":  # it gives way, with the yes that it had
                stacks = {name: ["used" if v == "approve" else v for v in vs] for name, vs in stacks.items()}
            state = "pending"
        elif what == "revoke":
            stacks = {name: [v for v in verdicts if v == "deny"] for name, verdicts in stacks.items()}
            state = "revoked" if state == "approved" else state
        else:
            stacks.setdefault(who, []).append(what)
            if what == "deny" and state in ("pending", "approved"):
                state = "denied"
        newest = [verdicts[-1] for verdicts in stacks.values() if verdicts]
        if state == "pending" and what in ("ask", "approve"):
            if "deny" in newest:
                state = "denied"
            elif newest.count("approve") >= 2:
                state = "approved"
                stacks = {name: ["used" if v == "approve" else v for v in vs] for name, vs in stacks.items()}
    return state


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=examples(60), stateful_step_count=16, deadline=None)
