"""What a policy denies, and that allowing more never denies more."""

import fnmatch
import math
from datetime import datetime
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.api.plan.plan import Plan as Written
from potluck.core.errors import Refused
from potluck.core.plan import Align, Column, Data, Federation, Model, Protect, Training
from potluck.owner.denial import Code
from potluck.owner.judge import Year, judge, rows_allowed
from potluck.owner.policy import Allow, Approve, Policy, Source
from potluck.owner.reach import columns_read, covers
from potluck.owner.reading import parse
from support.examples import examples
from support.owner.plans import OPEN, category, number, replaced, statistics, train

NOON = datetime(2026, 11, 24, 12)
ASKER = frozenset({"hospitals", "AAAA-BBBB"})
EVERYTHING = parse(OPEN, "policy.toml").allow


def codes(allow: Allow, plan, *, asker=ASKER, now=NOON, spent=0.0, promised=1.0, owner=None) -> set[str]:
    found = judge(
        Policy(version=1, source=Source(file="rows.csv"), allow=allow),
        plan,
        asker=asker,
        now=now,
        year=Year(spent, spent + (promised or 0.0)),
        promised=promised if plan.privacy.noise != "none" else None,
        owner=owner,
    )
    assert all(one.words and "\n" not in one.words + one.hint for one in found)
    assert all(one.code in get_args(Code) for one in found)
    return {one.code for one in found}


def test_the_empty_policy_denies_everything_at_once():
    assert codes(Allow(), train()) == {
        "who", "tasks", "models", "columns", "protect", "noise", "epsilon_per_plan", "epsilon_per_year",
    }  # fmt: skip
    assert codes(Allow(), statistics(noise="none")) == {"who", "tasks", "columns", "protect", "noise"}


def test_an_open_policy_denies_nothing():
    for plan in (train(), train("none"), statistics(), statistics(noise="none")):
        assert codes(EVERYTHING, plan) == set()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"who": ("others",)}, "who"),
        ({"who": ("hospital",)}, "who"),
        ({"tasks": ("statistics",)}, "tasks"),
        ({"models": ("linear", "network")}, "models"),
        ({"columns": ("age", "sex", "num", "patient")}, "columns"),
        ({"columns": ("age", "sex", "fold", "patient")}, "columns"),
        ({"columns": ("age", "sex", "fold", "num")}, "columns"),
        ({"columns": ("age", "num", "fold", "patient")}, "columns"),
        ({"protect": ("clear", "he")}, "protect"),
        ({"noise": ("none", "site")}, "noise"),
        ({"epsilon_per_plan": 0.999}, "epsilon_per_plan"),
        ({"epsilon_per_year": 0.999}, "epsilon_per_year"),
        ({"min_sites": 3}, "min_sites"),
        ({"hours": ("08:00-12:00",)}, "hours"),
        ({"hours": ()}, "hours"),
        ({"min_corrupt": 1}, "min_corrupt"),
    ],
)
def test_each_key_denies_by_itself_and_alone(change, code):
    assert codes(replaced(EVERYTHING, **change), train()) == {code}


def test_each_key_lets_in_what_it_names():
    narrow = Allow(
        who=("AAAA-BBBB",),
        tasks=("train",),
        models=("logistic",),
        columns=("age", "sex", "num", "fold", "patient"),
        protect=("mask",),
        noise=("shared",),
        epsilon_per_plan=1.0,
        epsilon_per_year=3.0,
        min_sites=2,
        hours=("tue 12:00-12:01",),
    )
    assert codes(narrow, train(), spent=2.0) == set()
    assert codes(narrow, train(), spent=2.1) == {"epsilon_per_year"}
    assert codes(narrow, train("none")) == {"noise"}
    assert codes(narrow, train(model=Model(kind="network"), protect=Protect(scheme="clear"))) == {"models", "protect"}


def by_person(**data):
    plan = train()
    kept = replaced(plan.privacy, unit="person")
    return replaced(plan, privacy=kept, data=replaced(plan.data, **data))


@pytest.mark.parametrize(
    ("listed", "denied"), [((), True), (("patients", "p"), True), (("patient",), False), (("pat*",), False)]
)
def test_a_person_is_a_column_that_the_owner_lists(listed, denied):
    allow = replaced(EVERYTHING, person=listed)
    assert codes(allow, by_person()) == ({"person"} if denied else set())
    assert codes(allow, train()) == set()  # noise for rows
    assert codes(allow, replaced(by_person(), privacy=train("none").privacy)) == set()


@pytest.mark.parametrize(("listed", "rule", "denied"), [
    ("patient", "policy", True), ("patient", "person", False), ("patient", "hash", False), ("*", "policy", False),
])  # fmt: skip
def test_a_plan_that_names_the_columns_itself_needs_somebody_who_looks(listed, rule, denied):
    plan = by_person(header=False, columns={"age": number(0, 1), "patient": number(0, 1), "num": number(0, 1)})
    policy = Policy(
        version=1, allow=replaced(EVERYTHING, person=(listed,)), approve=Approve(rule=rule), source=Source(file="r")
    )
    found = judge(policy, plan, asker=ASKER, now=NOON, year=Year(), promised=1.0)
    assert [one.code for one in found] == (["person"] if denied else [])


def test_looks_at_validation_rows_are_counted():
    plan = train("none", training=Training(method="gradient", rounds=10, evaluate_every=3))
    assert codes(replaced(EVERYTHING, looks=3), plan) == {"looks"}
    for enough in (4, None):
        assert codes(replaced(EVERYTHING, looks=enough), plan) == set()
    assert codes(replaced(EVERYTHING, looks=0), train("none")) == set()


def test_what_is_no_sum_is_not_asked_for_colluders():
    allow = replaced(EVERYTHING, min_corrupt=2)
    for task in ("fit", "intersect", "predict"):
        assert "min_corrupt" not in codes(allow, joint(task))
    assert codes(allow, statistics(federation=Federation(sites=("a", "b", "c"), corrupt=1))) == {"min_corrupt"}
    assert codes(allow, train("none", federation=Federation(sites=("a", "b", "c"), corrupt=2))) == set()


def test_what_a_plan_would_spend_must_be_known_and_a_number():
    for promised in (None, math.nan, math.inf):
        assert "epsilon_per_plan" in codes(EVERYTHING, train(), promised=promised)
    assert codes(EVERYTHING, train(), spent=math.nan) == {"epsilon_per_year"}
    assert codes(EVERYTHING, train("none"), spent=math.nan) == set()


def test_epsilon_does_not_limit_exact_sums_which_must_be_let_in_by_name():
    capped = replaced(EVERYTHING, epsilon_per_plan=0.0, epsilon_per_year=0.0)
    assert codes(capped, train("none")) == set()
    assert codes(replaced(capped, noise=("shared", "site", "reveal")), train("none")) == {"noise"}


def test_the_cohort_counts_sites_that_are_left_after_drop_outs():
    allow = replaced(EVERYTHING, min_sites=3)
    assert codes(allow, train(federation=Federation(sites=("a", "b", "c")))) == set()
    assert codes(allow, train(federation=Federation(sites=("a", "b", "c"), dropouts=1))) == {"min_sites"}


def test_a_plan_reads_features_target_person_and_split_column_but_not_what_it_ignores():
    assert columns_read(train()) == ("age", "sex", "patient", "num", "fold")
    assert columns_read(statistics()) == ("age", "sex", "patient")
    headless = Data(header=False, columns={"a": number(0, 1), "b": Column(kind="ignore"), "c": category("u")})
    assert columns_read(train(data=headless)) == ("a", "c")
    ignored = Data(columns={"id": Column(kind="ignore")}, person="id")
    assert columns_read(statistics(data=ignored)) == ("id",)


def test_patterns_cover_names_and_narrower_patterns_only():
    assert covers("lab*", "lab")
    assert covers("lab*", "lab_1")
    assert covers("lab*", "lab*")
    assert covers("l*", "lab*")
    assert covers("*a*b*", "xaxbx")
    assert not covers("lab1*", "lab*")
    assert not covers("lab?", "lab*")
    assert not covers("lab?", "lab1")
    assert not covers("ab*ba", "aba")
    assert not covers("Age", "age")
    assert covers("a[1]", "a[1]")
    assert not covers("a[1]", "a1")


@settings(max_examples=examples(500))
@given(st.text("ab*", max_size=8), st.text("ab", max_size=10))
def test_patterns_match_as_fnmatch_does(pattern, name):
    assert covers(pattern, name) == fnmatch.fnmatchcase(name, pattern)


@settings(max_examples=examples(500))
@given(st.text("ab*", max_size=6), st.text("ab*", max_size=6), st.lists(st.text("ab", max_size=3), max_size=6))
def test_a_pattern_that_covers_a_plans_pattern_covers_all_that_it_matches(pattern, wanted, letters):
    first, *rest = wanted.split("*")
    fill = [*letters, *[""] * len(rest)]
    name = first + "".join(more + part for more, part in zip(fill, rest, strict=False))
    assert covers(wanted, name)
    if covers(pattern, wanted):
        assert covers(pattern, name)


def test_a_name_made_to_be_slow_is_judged_at_once():
    assert not covers("*a" * 50 + "*b", "a" * 100_000)


def test_names_from_outside_are_shortened_and_cannot_move_the_cursor():
    columns = {f"x{i}\x1b[2J{'y' * 500}": number(0, 1) for i in range(1000)}
    found = judge(
        Policy(version=1, source=Source(file="rows.csv"), allow=replaced(EVERYTHING, columns=(), who=())),
        statistics(data=Data(columns=columns)),
        asker=frozenset({"\x1b]0;evil\x07"}),
        now=NOON,
        year=Year(),
        promised=1.0,
    )
    assert {one.code for one in found} == {"who", "columns"}
    for one in found:
        assert one.words.isascii()
        assert one.words.isprintable()
        assert len(one.words) < 1000
    assert "and 992 more" in found[1].words


def test_too_few_rows_are_refused_without_saying_how_many():
    policy = Policy(version=1, source=Source(file="rows.csv"), allow=Allow(min_rows=50))
    rows_allowed(policy, 50)
    with pytest.raises(Refused) as caught:
        rows_allowed(policy, 49)
    assert "49" not in str(caught.value)


WORDS = {
    "who": ["hospitals", "AAAA-BBBB", "others", "*"],
    "tasks": ["train", "statistics", "*"],
    "models": ["linear", "logistic", "network", "*"],
    "columns": ["age", "sex", "num", "patient", "fold", "a*", "*"],
    "protect": ["clear", "mask", "*"],
    "noise": ["none", "site", "shared", "reveal", "*"],
    "hours": ["12:00-13:00", "mon", "*"],
}
LISTS = {name: st.lists(st.sampled_from(words), max_size=3).map(tuple) for name, words in WORDS.items()}
NUMBERS = {
    "epsilon_per_plan": st.floats(0, 3),
    "epsilon_per_year": st.floats(0, 3),
    "min_sites": st.integers(1, 4),
}
PLANS = st.sampled_from([train(), train("none"), train("site"), statistics(), statistics(noise="none")])


@settings(max_examples=examples(400))
@given(st.fixed_dictionaries(LISTS | NUMBERS), st.sampled_from(sorted(WORDS)), st.data(), PLANS, st.floats(0, 3))
def test_an_allowance_more_never_adds_a_denial(keys, name, data, plan, spent):
    allow = Allow(**keys)
    more = data.draw(st.sampled_from(WORDS[name]))
    wider = {
        name: (*keys[name], more),
        "epsilon_per_plan": keys["epsilon_per_plan"] + data.draw(st.floats(0, 2)),
        "epsilon_per_year": keys["epsilon_per_year"] + data.draw(st.floats(0, 2)),
        "min_sites": max(1, keys["min_sites"] - data.draw(st.integers(0, 2))),
    }
    before = codes(allow, plan, spent=spent)
    assert codes(replaced(allow, **wider), plan, spent=spent) <= before


@settings(max_examples=examples(200))
@given(PLANS, st.sets(st.text(max_size=5), max_size=3), st.datetimes(), st.floats(0, 1), st.sampled_from(sorted(WORDS)))
def test_a_policy_with_any_list_empty_denies_every_plan_that_needs_it(plan, asker, now, promised, name):
    found = codes(replaced(EVERYTHING, **{name: ()}), plan, asker=frozenset(asker), now=now, promised=promised)
    assert found == ({name} if name != "models" or plan.task == "train" else set())
    assert codes(Allow(), plan, asker=frozenset(asker), now=now, promised=promised)


def test_all_denial_codes_are_keys_of_the_policy():
    keys = {field.name for field in msgspec.structs.fields(Allow)}
    by_rows = {"min_cell", "dominance", "max_parameters_per_row"}  # of which only the owner hears
    assert set(get_args(Code)) == keys - {"delta"} - by_rows | {"attestation", "tables", "memory", "permit"}


def test_a_fit_reads_of_each_owner_its_own_columns_and_the_keys():
    plan = joint()
    assert columns_read(plan, "bank") == ("id", "age", "paid")
    assert columns_read(plan, "shop") == ("id", "buys")
    assert columns_read(plan) == ("id", "age", "buys", "paid")


@pytest.mark.parametrize(
    ("task", "reveal", "shows", "denied"),
    [
        ("intersect", "size", (), {"intersect"}),
        ("intersect", "size", ("size",), set()),
        ("intersect", "members", ("size",), {"intersect"}),
        ("intersect", "members", ("members",), set()),
        ("intersect", "size", ("*",), set()),
        ("fit", "size", ("size",), {"intersect"}),
        ("fit", "size", ("members",), set()),
    ],
)
def test_a_matching_of_keys_shows_what_the_policy_says_and_no_more(task, reveal, shows, denied):
    plan = replaced(joint(task), align=Align(keys=("id",), reveal=reveal))
    assert codes(replaced(EVERYTHING, intersect=shows), plan) == denied


def test_an_intersection_reads_its_keys_alone_and_needs_no_word_of_protect():
    plan = train(
        "none", task="intersect", model=None, protect=Protect(scheme="psi"), align=Align(keys=("name", "born"))
    )
    assert columns_read(plan) == ("name", "born")
    narrow = replaced(EVERYTHING, intersect=("size",), protect=(), columns=("name",))
    assert codes(narrow, plan) == {"columns"}
    assert codes(replaced(narrow, columns=("name", "born")), plan) == set()


# --- Who reads, who computes, and of how many rows ---


def joint(task="fit", **settings):
    """A plan of bank and shop; the target is the bank's. settings: dotted keys, with __ for the dot."""
    columns = {
        "age": {"kind": "number", "low": 0, "high": 1, "owner": "bank"},
        "buys": {"kind": "number", "low": 0, "high": 1, "owner": "shop"},
        "paid": {"kind": "category", "values": ["no", "yes"], "owner": "bank"},
    }
    tables = {
        "fit": {
            "data": {"columns": columns, "target": {"column": "paid", "positive": ["yes"]}, "split": {"test": 0.2}},
            "align": {"keys": ["id"]},
            "model": {"kind": "logistic"},
            "training": {"method": "newton"},
        },
        "intersect": {"align": {"keys": ["id"]}},
        "predict": {
            "model": {"digest": "sha256:" + "a" * 64},
            "predict": {"owner": "bank", "client": "shop", "mode": "batch"},
        },
    }[task]
    if task != "intersect":
        tables["protect"] = {"with": "share"}
    made = Written(
        name="x",
        purpose="x",
        task=task,
        federation={"sites": ["bank", "shop"], "server": "curious"},
        privacy={"noise": "none"},
        **tables,
    )
    for key, value in settings.items():
        made = made.set(key.replace("__", "."), value)
    return made.spec


@pytest.mark.parametrize(
    ("plan", "owner", "others"),
    [
        (joint(), "bank", ()),
        (joint(), "shop", ("bank",)),
        (joint(fit={"to": ["shop"]}), "shop", ()),
        (joint(fit={"to": ["shop"]}), "bank", ("shop",)),
        (joint(fit={"to": ["bank", "shop"]}), "bank", ("shop",)),
        (joint("intersect"), "bank", ("shop",)),
        (joint("intersect"), "shop", ("bank",)),
        (joint("intersect", align__to=["bank"]), "bank", ()),
        (joint("intersect", align__to=["bank"]), "shop", ("bank",)),
        (joint("predict"), "bank", ("shop",)),
        (joint("predict"), "shop", ()),
    ],
)
def test_whom_a_plan_shows_something_the_policy_has_to_name_but_its_owner(plan, owner, others):
    for allowed, denied in (((), bool(others)), (others, False), (("*",), False), (("mill",), bool(others))):
        allow = replaced(EVERYTHING, readers=allowed)
        assert ("readers" in codes(allow, plan, owner=owner)) == denied
        assert codes(allow, plan, owner=owner) <= {"readers"}


def test_all_who_compute_have_to_be_named_also_one_that_is_called_as_the_owner_is():
    names = ("alpha", "beta", "bank")
    plan = joint(protect={"with": "share", "compute": list(names)})
    for allowed in ((), names[:1], names[:2]):
        assert codes(replaced(EVERYTHING, compute=allowed), plan, owner="bank") == {"compute"}
    assert codes(replaced(EVERYTHING, compute=names), plan, owner="bank") == set()
    sums = train("none", protect=Protect(scheme="share", compute=("alpha", "beta", "gamma")))
    assert codes(replaced(EVERYTHING, compute=("alpha", "beta")), sums) == {"compute"}
    assert codes(replaced(EVERYTHING, compute=()), train("none")) == set()


def test_a_policy_that_names_nobody_denies_whoever_would_read_or_compute_and_one_without_the_keys_nobody():
    nobody = Allow(readers=(), compute=())
    assert {"readers", "compute"} <= codes(nobody, joint(), owner="shop")
    assert "compute" not in codes(nobody, joint("intersect"), owner="shop")
    assert {"readers", "compute"} & codes(Allow(), joint(), owner="shop") == set()


def test_the_owner_is_told_who_is_not_named():
    found = judge(
        Policy(version=1, source=Source(file="rows.csv"), allow=replaced(EVERYTHING, readers=("mill",))),
        joint(),
        asker=ASKER,
        now=NOON,
        year=Year(),
        promised=None,
        owner="shop",
    )
    assert [(one.words, one.hint) for one in found] == [
        ("'bank' would read what comes of it", "allow.readers lets in 'mill'")
    ]


def test_a_plan_that_opens_a_model_of_fewer_kept_rows_than_the_policy_wants_is_denied():
    strict = replaced(EVERYTHING, min_rows=50)
    assert codes(strict, joint(), owner="shop") == {"min_rows"}
    assert codes(strict, joint(fit={"min_rows": 49}), owner="shop") == {"min_rows"}
    assert codes(strict, joint(fit={"min_rows": 50}), owner="shop") == set()
    (denial,) = judge(
        Policy(version=1, source=Source(file="rows.csv"), allow=strict), joint(),
        asker=ASKER, now=NOON, year=Year(), promised=None, owner="shop",
    )  # fmt: skip
    assert "10" in denial.words
    assert "50" in denial.hint
    for plan in (joint("intersect"), joint("predict"), train("none")):
        assert codes(strict, plan, owner="shop") == set()


def test_with_noise_kept_rows_are_a_secret_that_no_plan_can_promise_anything_of():
    noisy = joint(
        training={"method": "gradient", "expected_rows": 100},
        privacy={"noise": "reveal", "unit": "row", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0},
    )
    assert codes(replaced(EVERYTHING, min_rows=50), noisy, owner="shop") == set()
