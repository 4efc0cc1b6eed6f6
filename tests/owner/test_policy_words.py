"""A policy in words: every key has its sentence, which changes with it, and no address is in any."""

import math

import msgspec
import pytest

from potluck.owner.policy import Allow, Approve, Policy, template
from potluck.owner.policy_words import topics
from potluck.owner.reading import parse

OTHER = {
    "who": ("hospitals",), "tasks": ("train",), "models": ("logistic",), "columns": ("age", "lab*"),
    "protect": ("mask",), "noise": ("shared",), "epsilon_per_plan": 1.5, "epsilon_per_year": math.inf, "delta": 1e-6,
    "intersect": ("size",),
    "readers": ("b",), "compute": (), "min_rows": 30, "min_sites": 5, "hours": ("mon-fri 08:00-18:00",),
    "server": ("curious",), "units": ("person",), "person": ("patient",), "min_corrupt": 2, "looks": 3, "min_cell": 7,
    "dominance": 0.25, "max_parameters_per_row": 0.125,
}  # fmt: skip

EXACT = ("min_cell", "dominance", "max_parameters_per_row")
"""Limits that are on exact sums alone."""


def lines(policy):
    return {key: line for topic in topics(policy) for key, line in topic.lines}


def test_every_key_of_a_policy_has_a_sentence():
    said = lines(Policy(version=1))
    allowed = {f"allow.{name}" for name in Allow.__struct_fields__}
    beside = set(Policy.__struct_fields__) - {"version", "allow"}
    assert set(said) == allowed | beside


@pytest.mark.parametrize("key", Allow.__struct_fields__)
def test_a_key_that_changes_changes_its_sentence_and_no_other(key):
    before = lines(Policy(version=1))
    after = lines(Policy(version=1, allow=msgspec.structs.replace(Allow(), **{key: OTHER[key]})))
    assert {one for one in before if before[one] != after[one]} == {f"allow.{key}"}


def test_no_limit_of_exact_sums_frightens_where_none_may_leave():
    noisy = lines(Policy(version=1, allow=Allow(noise=("shared",), min_sites=1)))
    assert all(noisy[f"allow.{one}"].endswith(": nothing exact is allowed.") for one in EXACT)
    assert noisy["allow.min_sites"] == "A sum is over one site or more."
    kept = lines(Policy(version=1, allow=Allow(noise=("shared",), min_cell=7)))
    assert "fewer than 7 rows" in kept["allow.min_cell"]
    exact = lines(Policy(version=1, allow=Allow(noise=("shared", "none"))))  # the control
    assert exact["allow.min_cell"] == "An exact number may be of any few rows."


def test_a_fresh_site_allows_nothing_and_says_so():
    said = lines(parse(template("cleveland"), "policy.toml"))
    assert said["allow.who"] == "Coordinators that may ask: nobody."
    assert said["allow.columns"] == "Columns that a plan may read: none."
    assert said["allow.epsilon_per_plan"] == "No plan with noise may spend anything for a plan."
    assert said["allow.min_cell"].startswith("No exact number is of fewer than 5 rows")
    assert said["approve"] == "One person must approve, and each run is asked for anew. One no beats every yes."


def test_any_is_said_for_a_star_and_for_what_is_left_open():
    said = lines(Policy(version=1, allow=Allow(who=("*",))))
    assert said["allow.who"] == "Coordinators that may ask: any."
    assert said["allow.readers"] == "Sites that may read what a fit or match shows: any."
    closed = lines(Policy(version=1, allow=Allow(readers=())))
    assert closed["allow.readers"] == "Sites that may read what a fit or match shows: none."


def test_who_says_yes_is_told_by_rule_and_number():
    rules = {(rule, people): lines(Policy(version=1, approve=Approve(rule=rule, people=people)))["approve"]
             for rule in ("person", "hash", "policy") for people in (1, 2)}  # fmt: skip
    assert "Two different persons must approve" in rules["person", 2]
    assert "until somebody revokes" in rules["hash", 1]
    assert rules["policy", 1].startswith("Nobody is asked")
    assert len(set(rules.values())) == 5  # "policy" asks nobody, however many


def test_no_address_is_said():
    text = 'version = 1\n[source]\nurl = "postgresql+psycopg://me:hunter22@db.example/base"\nquery = "select 1"\n'
    said = " ".join(lines(parse(text, "policy.toml")).values())
    assert "hunter22" not in said
    assert "db.example" not in said
    assert "a database" in said
