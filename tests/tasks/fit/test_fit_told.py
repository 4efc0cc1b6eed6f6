"""What an owner is told of a fit that it is asked for, and what a compute party is."""

from potluck.api.network.annex.processing import breaks
from potluck.api.network.asked import Asked
from potluck.api.network.composed import Composed
from potluck.owner.requests import Request, State
from support.parties.fit_scene import plan


def asked(me, computes=False, **changes):
    made = plan(3, fit={"to": ["o1"]}, **changes)
    request = Request("r", "a" * 64, b"{}", "hospitals", 0.0, State.PENDING, ())
    return Asked(request, made.spec, 0, 0.0, Composed(), me, computes)


def test_an_owner_is_told_its_own_columns_who_reads_the_model_and_what_matching_shows():
    words = asked("o2").learnt
    assert "a logistic model of 'y' is fitted on shares by newton in 8 rounds; o1 read it, of 10 rows at least" in words
    assert "every site learns which of its own all have" in words
    assert "it reads the columns id, x4, x5." in words
    assert "the model is exact" in asked("o2").cost


def test_an_owner_is_told_that_two_who_compute_open_its_columns():
    seen = asked("o2").seen
    assert any("alpha sees of o2's columns: share, unless 2 of alpha, beta, gamma collude" in line for line in seen)
    assert "any two of them could open everything" in asked("o2").together


def test_an_owner_is_told_what_a_compute_party_sees_that_is_called_like_itself():
    """Its card is another one, and may be another owner's. The control is another name."""
    other = asked("o0", protect={"with": "share", "compute": ["o0", "o1", "gamma"]})
    for name in ("o0 (compute)", "o1 (compute)", "gamma"):
        assert any(line.startswith(f"{name} sees of o0's columns: ") for line in other.seen)
    assert len(other.seen) == len(asked("o0").seen)
    assert len(breaks(other)) == len(breaks(asked("o0"))) > 0


def test_who_computes_is_told_what_it_sees_itself():
    assert all(line.startswith("beta sees") for line in asked("beta", computes=True).seen)
