"""Claims about an intersection across machines: real homes, policies and ledgers, the network in memory."""

import stat

import pytest

from potluck.api.network.inbox import inbox
from potluck.api.network.preview import preview
from potluck.core.errors import Refused, UsageError
from potluck.core.rounds import Abort
from potluck.tasks.intersect.site import COMMON
from support.parties import across
from support.parties.intersect_hall import RUN, WORDS, Hall, enrolled, plan, policy


@pytest.fixture
def folder(tmp_path):
    return enrolled(tmp_path)


def learnt(folder, name, run=RUN):
    """(size, common keys or None) in a site's home; None where nothing is."""
    found = COMMON.find(folder / name, run)
    if found is None:
        return None
    path, told = found
    return told.size, path.read_text().splitlines()[1:] if path.exists() else None


def test_who_is_named_keeps_the_common_keys_for_its_owner_alone(folder):
    hall = Hall(folder)
    with hall.attending(*WORDS):
        log = hall.intersect(plan(reveal="members", to=["b"]))
    assert learnt(folder, "a") is learnt(folder, "c") is None
    size, keys = learnt(folder, "b")
    assert (size, sorted(keys)) == (2, ["bea", "cem"])
    path, _ = COMMON.find(folder / "b", RUN)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [one.traffic.up > 0 for one in log.rounds] == [True]
    assert all(found.name != COMMON.folder for found in (folder / "fed").rglob("*"))


def test_of_a_size_all_learn_the_size_alone(folder):
    hall = Hall(folder)
    with hall.attending(*WORDS):
        hall.intersect(plan())
    assert [learnt(folder, name) for name in WORDS] == [(2, None)] * 3


def test_a_second_run_takes_the_alignment_again(folder):
    hall = Hall(folder)
    with hall.attending(*WORDS):
        hall.intersect(plan(reveal="members"))
        hall.intersect(plan(reveal="members"), run="cd" * 16)
    first, again = (COMMON.find(folder / "a", run) for run in (RUN, "cd" * 16))
    assert (first[1].reused, again[1].reused) == (False, True)
    assert first[0].read_text() == again[0].read_text()


def test_a_finished_intersection_stands_when_the_server_starts_again(folder):
    hall = Hall(folder)
    with hall.attending(*WORDS):
        first = hall.intersect(plan())
        again = hall.intersect(plan())
    assert [one.number for one in first.rounds] == [one.number for one in again.rounds]


@pytest.mark.parametrize(
    ("shows", "reveal"),
    [
        ('["size"]', "members"),
        *(pytest.param(*one, marks=pytest.mark.slow) for one in (("[]", "size"), ('["members"]', "size"))),
    ],
)
def test_a_site_whose_policy_does_not_let_it_show_that_takes_no_part(folder, shows, reveal):
    policy(folder, "b", shows)
    hall = Hall(folder)
    with hall.attending(*WORDS), pytest.raises(Refused, match=r"b: denied.*intersect|intersect"):
        hall.intersect(plan(reveal=reveal), wait=60.0)
    assert not any(learnt(folder, name) for name in WORDS)


def test_keys_that_do_not_fit_are_told_to_their_owner_and_to_nobody_else(folder):
    (folder / "b" / "rows.csv").write_text("id\nsecret\nsecret\n")
    hall = Hall(folder)
    with hall.attending(*WORDS), pytest.raises((Refused, Abort)) as caught:
        hall.intersect(plan(), wait=60.0)
    assert "secret" not in str(caught.value)
    assert "3" not in str(caught.value).split("hint")[0]
    assert any("lines whose key occurs before: 3" in line for line in hall.heard["b"])


def test_a_site_that_is_not_there_is_waited_for_and_named(folder):
    hall = Hall(folder)
    with hall.attending("a", "b"), pytest.raises(Exception, match="c") as caught:
        hall.intersect(plan(), wait=1.5)
    assert type(caught.value).__name__ in ("Unreachable", "Abort", "Refused")


@pytest.mark.slow
def test_two_sites_by_engines_at_addresses_of_their_policies(folder, mpc_engine):
    for name in "ab":
        policy(folder, name, '["*"]', f'[engine]\naddress = "127.0.0.1:{across.drawn()}"\npeers = ["127.0.0.1"]\n')
    hall = Hall(folder)
    with hall.attending("a", "b"):
        hall.intersect(plan("ab", 30.0, reveal="members", protocol="rr22"), wait=60.0)
    assert sorted(learnt(folder, "a")[1]) == ["bea", "cem", "dov"]
    assert learnt(folder, "a") == learnt(folder, "b")


def test_a_site_without_an_address_for_its_engine_takes_no_part_in_rr22(folder, mpc_engine):
    hall = Hall(folder)
    with hall.attending("a", "b"), pytest.raises(Refused, match="engine"):
        hall.intersect(plan("ab", reveal="members", protocol="rr22"), wait=60.0)


def test_the_owner_reads_who_learns_what_before_it_approves(folder):
    text = (folder / "b" / "policy.toml").read_text()
    (folder / "b" / "policy.toml").write_text(text.replace('rule = "policy"', 'rule = "person"'))
    hall = Hall(folder)
    with hall.attending(*WORDS), pytest.raises(Refused, match="b"):
        hall.intersect(plan(reveal="members", to=["a"]), until="pending")
    (asked,) = inbox(folder / "b")
    told = asked.document()
    assert "a learn which of their own keys all others have, by the columns id" in told["learnt"]
    assert "this site learns nothing but how many keys each has" in told["learnt"]
    assert "made up" in told["cost"]
    assert any("a sees of b's keys: ciphertext" in line for line in told["seen"])
    with pytest.raises(UsageError, match="an intersection has no sum to show"):
        preview(folder / "b", told["hash"].removeprefix("sha256:")[:16])
