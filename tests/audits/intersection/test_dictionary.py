"""A site that makes keys up finds others' members, as many as it guesses right, and none that nobody guesses."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.audits.intersection.space import guesses, space_of
from potluck.core.rounds import Cause
from potluck.core.seeded import generator
from support.audits.intersections import plan
from support.mpc.psi_rig import gathering, met


def run(tmp_path, spec, sets):
    frames = {site: pd.DataFrame({"id": sorted(ids)}) for site, ids in sets.items()}
    return potluck.run(spec, frames, out=tmp_path / "run", ledger=tmp_path / "l", record=True), frames


def dictionary(done, frames, who="a"):
    (it,) = [one for one in potluck.attack(done.folder, who, data=frames).results if one.name == "dictionary"]
    return it


def numbers(seed, count, of=1000):
    return {f"{one:03}" for one in np.random.default_rng(seed).choice(of, count, replace=False)}


@pytest.mark.parametrize("sites", ["ab", pytest.param("abc", marks=pytest.mark.slow)])
def test_short_numbers_are_all_guessed(tmp_path, sites):
    sets = {site: numbers(seed, 300) for seed, site in enumerate(sites)}
    done, frames = run(tmp_path, plan(sites), sets)
    it = dictionary(done, frames)
    lacking = len(set.intersection(*(sets[site] for site in sites[1:])) - sets["a"])
    assert lacking > 20
    assert it.verdict.succeeded
    assert it.verdict.score == 1.0
    assert it.of == tuple(sites[1:])
    assert (
        f"with 700 made-up keys, of 1,000 of the form of its own, a finds {lacking} of the {lacking} keys"
        in it.verdict.words
    )
    assert f"that {'site b has' if sites == 'ab' else 'sites b, c together have'} and it has not" in it.verdict.words
    assert it.control


@pytest.mark.slow
def test_as_many_guesses_as_the_plan_lets_a_site_have_rows(tmp_path):
    sets = {site: numbers(seed, 300) for seed, site in enumerate("ab")}
    done, frames = run(tmp_path, plan(max_rows=300), sets)
    it = dictionary(done, frames)
    assert "with 300 made-up keys" in it.verdict.words
    assert 0 < it.verdict.score < 0.7


def test_keys_that_nobody_guesses_are_not_found_and_the_control_says_that_it_is_the_keys(tmp_path):
    rng = np.random.default_rng(0)
    sets = {site: {rng.bytes(8).hex() for _ in range(40)} for site in "ab"}
    done, frames = run(tmp_path, plan(), sets)
    it = dictionary(done, frames)
    assert it.verdict.succeeded is False
    assert it.verdict.score == 0.0
    assert it.control


@pytest.mark.parametrize(
    ("spec", "who", "why"),
    [(plan(), "server", "none of these parties learns"), (plan(reveal="size"), "a", "a run shows a size alone")],
)
def test_who_learns_no_members_has_no_dictionary(tmp_path, spec, who, why):
    done, frames = run(tmp_path, spec, {"a": {"1", "2"}, "b": {"2", "3"}})
    it = dictionary(done, frames, who)
    assert not it.tried
    assert why in it.verdict.words


def test_made_up_keys_have_the_form_of_known_ones():
    rng = generator(0)
    space = space_of([("Ann", "1970-01-02"), ("Bo", "1981-03-04")])
    assert space.size == 2 * 10**4  # names are used again; of dates the four digits that differ may be any
    some = guesses(space, [("Ann", "1970-01-02")], 100, rng)
    assert len(set(some)) == 100
    assert all(name in ("Ann", "Bo") and re.fullmatch(r"19\d\d-0\d-0\d", date) for name, date in some)
    space = space_of([(f"{number:08}x",) for number in (11111111, 98765432)])
    assert space.size == 2  # too many digits to try
    space = space_of([("K07",), ("K93",)])
    assert space.size == 100
    found = guesses(space, [("K07",)], 1000, rng)
    assert len(set(found)) == len(found) == 99
    assert len(guesses(space, [("K07",)], 10, rng)) == 10


def test_an_owner_that_says_it_has_more_keys_than_rows_are_allowed_is_named():

    about = replace(gathering(2), most=3)
    desks = met(about, [["x", "y"], ["v", "w", "x", "y"]])
    first, second = about.owners
    assert (desks[first].abort.cause, desks[first].abort.party) == (Cause.RANGE, second)
    assert all(desk.abort is None for desk in met(about, [["x", "y"], ["w", "x", "y"]]).values())
