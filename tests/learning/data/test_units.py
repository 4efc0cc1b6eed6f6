"""Batches hold whole units: a person is never cut in two, however many rows it has."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from potluck.core.errors import PlanError
from potluck.learning.data import units
from support.learning.sums import make, replaced
from support.learning.tiny import noised


@given(st.lists(st.integers(0, 6), max_size=60), st.integers(1, 9), st.integers(0, 2**32))
def test_persons_are_summed_whole_whatever_the_batch(people, room, seed):
    rng = np.random.default_rng(seed)
    known = {name: code for code, name in enumerate(dict.fromkeys(people))}
    person = np.array([known[name] for name in people], dtype=np.int64)
    values = rng.normal(size=(len(people), 2))
    index = np.flatnonzero(rng.random(len(people)) < 0.8)
    spec = make(privacy=noised("person"))
    before = units.NUMBERS
    units.NUMBERS = 2 * room
    try:
        found = [u.values for u in units.updates(spec, index, person, 2, lambda some: values[some])]
    finally:
        units.NUMBERS = before
    expected = [values[index[person[index] == who]].sum(axis=0) for who in np.unique(person[index])]
    got = np.vstack(found) if found else np.zeros((0, 2))
    assert np.allclose(got, np.array(expected).reshape(-1, 2))


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(1, 4), st.integers(0, 2**32))
def test_the_first_rows_of_each_person_count_in_the_order_in_which_they_stand(people, most, seed):
    person = np.array(people, dtype=np.int64)
    index = np.flatnonzero(np.random.default_rng(seed).random(len(people)) < 0.8)
    expected = [row for row in index if (person[index[index < row]] == person[row]).sum() < most]  # by its definition
    found = units.counted(make(privacy=noised("person", rows_per_person=most)), person, index)
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_rows_never_stand_in_for_persons():
    """Where nobody says whose row it is, nothing may be contributed under a promise to persons."""
    spec = make(privacy=noised("person"))
    with pytest.raises(PlanError, match=r"data\.person"):
        list(units.updates(spec, np.arange(3), None, 1, lambda some: np.ones((len(some), 1))))
    with pytest.raises(PlanError, match=r"data\.person"):
        units.counted(spec, None, np.arange(3))


def test_without_noise_rows_are_the_units():
    spec = make(privacy=replaced(noised("person"), noise="none"))
    (update,) = units.updates(spec, np.arange(3), None, 1, lambda some: np.ones((len(some), 1)))
    assert update.values.shape == (3, 1)
