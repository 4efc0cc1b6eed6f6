"""The JSON Schemas of plans and policies say what the program says of each single key, and accept every example."""

import json
import tomllib
from functools import cache
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from potluck.api.plan.defaults import filled
from potluck.api.plan.grammar import parse, replaced
from potluck.api.plan.plan import Plan
from potluck.api.plan.schema import schema as schema_of
from potluck.core.bounds import Bounds, Size, outside
from potluck.core.errors import PotluckError
from potluck.core.traits import TRAITS
from potluck.learning.models.kinds import MODELS
from potluck.learning.statistics.kinds import KINDS, TESTS
from potluck.learning.training.methods import METHODS
from potluck.learning.training.optimizer import OPTIMIZERS
from potluck.owner import reading
from potluck.owner.policy import template
from support.docs.variants import added

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted(path for path in (*ROOT.glob("examples/*.toml"), *ROOT.glob("src/**/*.toml")))
TYPES = {
    "object": dict, "array": list | tuple, "string": str, "boolean": bool, "number": int | float, "integer": int,
}  # fmt: skip
LIMITS = {
    "minimum": lambda value, limit: value >= limit,
    "exclusiveMinimum": lambda value, limit: value > limit,
    "maximum": lambda value, limit: value <= limit,
    "exclusiveMaximum": lambda value, limit: value < limit,
    "maxLength": lambda value, limit: not isinstance(value, str) or len(value) <= limit,
    "maxItems": lambda value, limit: len(value) <= limit,
    "maxProperties": lambda value, limit: len(value) <= limit,
}
schema = cache(schema_of)
SAID = {"$schema", "description", "default"}
INNER = {"properties", "required", "additionalProperties", "propertyNames", "items"}


def typed(value, word):
    if isinstance(value, bool):
        return word == "boolean"
    return isinstance(value, TYPES[word]) or (
        word == "integer" and isinstance(value, float) and value.is_integer() and value < 2**63
    )


def same(value, other):
    return type(value) is type(other) and value == other


def accepts(rule, value):
    """JSON Schema, as much of it as ours use: a keyword that is not known here fails. Defaults refuse nothing."""
    if "anyOf" in rule:
        return any(accepts(one, value) for one in rule["anyOf"])
    if "enum" in rule or "const" in rule:
        return any(same(value, word) for word in rule.get("enum", [rule.get("const")]))
    assert set(rule) <= SAID | INNER | {"allOf"} | {"type", *LIMITS}, rule
    words = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
    if not any(typed(value, word) for word in words):
        return False
    if not all(check(value, rule[key]) for key, check in LIMITS.items() if key in rule):
        return False
    if isinstance(value, list):
        return all(accepts(rule["items"], one) for one in value)
    return not isinstance(value, dict) or table(rule, value)


def table(rule, value):
    known, other = rule.get("properties", {}), rule["additionalProperties"]
    named = all(accepts(rule["propertyNames"], name) for name in value) if "propertyNames" in rule else True
    inner = all(
        accepts(known[key], one) if key in known else other is not False and accepts(other, one)
        for key, one in value.items()
    )
    return named and inner and set(rule.get("required", ())) <= set(value)


PLAN = {
    "version": 1,
    "name": "n",
    "purpose": "p",
    "task": "train",
    "federation": {"sites": ["a", "b"]},
    "data": {
        "files": {"a": "a.csv"},
        "columns": {"x": {"kind": "number", "low": 0, "high": 1}},
        "target": {"column": "y"},
        "split": {"test": 0.5},
    },
    "model": {"kind": "logistic"},
    "training": {"method": "newton"},
    "statistics": [{"name": "s", "kind": "count"}],
    "predict": {"owner": "a", "client": "b"},
    "align": {"keys": ["id"]},
    "fit": {},
    "protect": {"with": "mask"},
    "privacy": {"noise": "none"},
}
VALUES = [
    -1, 0, 1, 2, 0.5, 1.5, 1e-4, 2**60, 1e200, True, "", "zzz", "x" * 250, "x" * 1500, "x" * 4500, [], [-1], [1],
    ["zzz"], ["x" * 1500], ["*"], "*", {}, {"zzz": 1}, {"zzz": "zzz"}, {"kind": "number"},
]  # fmt: skip


def paths(rule, before=()):
    """Every key at any depth; of a table whose keys are names, the name that PLAN has."""
    for key, one in rule["properties"].items():
        yield (*before, key)
        if "properties" in one:
            yield from paths(one, (*before, key))
        elif "properties" in one.get("additionalProperties", {}):
            yield from paths(one["additionalProperties"], (*before, key, "x"))


def known(tables):
    """Does the program take every single key of these tables?"""
    try:
        plan = parse(tables, "plan.toml")
    except PotluckError:
        return False
    return not outside(plan, Bounds) and not outside(plan, Size)


@pytest.mark.parametrize("path", list(paths(schema("plan"))), ids=".".join)
def test_a_plans_schema_takes_what_the_program_takes_key_by_key(path):
    for value in VALUES:
        tables = replaced(PLAN, path, value)
        assert accepts(schema("plan"), tables) == known(tables), (path, value)


def test_the_entries_of_a_list_of_tables_are_looked_at_too():
    for value in VALUES:
        for key in schema("plan")["properties"]["statistics"]["items"]["properties"]:
            tables = PLAN | {"statistics": [{"name": "s", "kind": "count"} | {key: value}]}
            assert accepts(schema("plan"), tables) == known(tables), (key, value)


def test_a_missing_or_an_unknown_key_is_refused_by_both():
    assert accepts(schema("plan"), PLAN)
    for path in paths(schema("plan")):
        tables = replaced(PLAN, (*path[:-1], "zzz"), 1)
        assert accepts(schema("plan"), tables) == known(tables), path
    for key in ("version", "name", "purpose", "task", "federation", "privacy"):
        less = {name: value for name, value in PLAN.items() if name != key}
        assert not accepts(schema("plan"), less)
        assert not known(less)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_accepted(path):
    tables = tomllib.loads(path.read_text("utf-8"))
    assert accepts(schema("policy" if "allow" in tables else "plan"), tables)


def test_a_drafted_plan_is_accepted():
    rows = pd.DataFrame({"x": [0.5, 1.5, 2.5] * 9, "s": ["y", "n", "Y"] * 9, "t": ["I", "II", "III"] * 9})
    for target in ("x", "s", "t", None):
        drafted = Plan.from_frames({"a": rows, "b": rows}, target=target)
        assert accepts(schema("plan"), tomllib.loads(drafted.source))


def test_the_policy_that_a_new_site_gets_is_accepted():
    for compute in (False, True):
        assert accepts(schema("policy"), tomllib.loads(template("a", compute)))


def taken(key, value):
    text = json.dumps(value)
    try:
        reading.parse(f'version = 1\n[source]\nfile = "a.csv"\n[allow]\n{key} = {text}\n', "policy.toml")
    except PotluckError:
        return False
    return True


@pytest.mark.parametrize(
    "key", [key for key in schema("policy")["properties"]["allow"]["properties"] if key != "hours"]
)
def test_a_policys_schema_takes_what_the_program_takes_key_by_key(key):
    for value in VALUES:
        if not isinstance(value, dict):
            tables = {"version": 1, "source": {"file": "a.csv"}, "allow": {key: value}}
            assert accepts(schema("policy"), tables) == taken(key, value), (key, value)


def holds(rule, value):
    """JSON Schema, as much of it as the conditions of defaults use."""
    assert set(rule) <= {"allOf", "anyOf", "not", "enum", "properties", "required"}, rule
    inner = value if isinstance(value, dict) else {}
    return (
        all(holds(one, value) for one in rule.get("allOf", ()))
        and ("anyOf" not in rule or any(holds(one, value) for one in rule["anyOf"]))
        and not ("not" in rule and holds(rule["not"], value))
        and value in rule.get("enum", [value])
        and all(holds(one, inner[key]) for key, one in rule.get("properties", {}).items() if key in inner)
        and set(rule.get("required", ())) <= set(inner)
    )


def defaults(tables, document=None):
    """What the schema says of each key of [training] that these tables leave out, every rule that holds."""
    document = document or schema_of("plan")
    found = {}
    for rule in document["allOf"]:
        if holds(rule["if"], tables) and "training" in rule["then"]["properties"]:
            for key, one in rule["then"]["properties"]["training"]["properties"].items():
                assert key not in found
                assert "default" not in document["properties"]["training"]["properties"][key]
                found[key] = one["default"]
    return found


def told(task, training, kind, noise, document=None):
    """The defaults as the schema says them, and as a plan takes them."""
    privacy = {"noise": noise} if noise == "none" else {"noise": noise, "unit": "row", "epsilon": 1, "delta": 1e-5}
    tables = PLAN | {"task": task, "training": training, "model": {"kind": kind}, "privacy": privacy}
    spec = Plan(**tables).spec.training
    taken = {"rounds": spec.rounds, "rate": spec.rate, "batch": spec.batch}
    return defaults(tables, document), {key: value for key, value in taken.items() if value is not None}


CHOICES = list(product(TRAITS.words(), MODELS.words(), ("none", "reveal")))


@pytest.mark.parametrize("word", METHODS.words())
def test_a_plans_schema_says_what_a_method_takes_where_a_plan_does_not_say_it(word):
    document = schema_of("plan")
    for task, kind, noise in CHOICES:
        if TRAITS.of(task).learns:
            for more in ({}, *({"optimizer": one} for one in OPTIMIZERS.words())):
                said, taken = told(task, {"method": word} | more, kind, noise, document)
                assert said == taken, (task, kind, noise, more)


VARIED = [
    (key, word) for key, kinds in (("kind", KINDS), ("test", TESTS)) for word, one in kinds.entries.items() if one.usual
]


@pytest.mark.parametrize(("key", "word"), VARIED)
def test_a_plans_schema_says_what_a_statistic_takes_where_a_plan_does_not_say_it(key, word):
    (listed,) = [
        one["then"]["properties"]["statistics"]["items"]["allOf"] for one in schema_of("plan")["allOf"] if not one["if"]
    ]
    (said,) = [rule["then"]["properties"] for rule in listed if rule["if"]["properties"] == {key: {"const": word}}]
    tables = PLAN | {"task": "statistics", "statistics": [{"name": "s", "kind": "test", key: word}]}
    (one,) = filled(parse(tables, "plan"), tables).statistics
    assert {key: rule["default"] for key, rule in said.items()} == {key: getattr(one, key) for key in said}
    alone = schema("plan")["properties"]["statistics"]["items"]["properties"]
    assert all("default" not in alone[key] for key in said)


def test_a_method_of_ones_own_is_in_the_schema_with_its_defaults():
    with added("method"):
        said, taken = told("train", {"method": "shortening"}, "logistic", "none")
        assert said == taken
        assert taken["rounds"] == METHODS.of("shortening").rounds
    assert "shortening" not in json.dumps(schema_of("plan"))


def test_a_plan_without_a_method_has_no_defaults_of_one():
    assert defaults({}) == {}
    assert defaults(PLAN | {"training": {"method": "zzz"}}) == {}
