"""Which changes of a policy loosen it: by the rule that judges plans, what is called tighter lets in nothing new."""

import itertools
import math
from datetime import datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from potluck.owner.form.changes import changes
from potluck.owner.form.controls import controls, differ, typed, value_of, values
from potluck.owner.form.labels import LABELS, WORDS
from potluck.owner.judge import Year, judge
from potluck.owner.policy import Allow, Approve, Keep, Policy, Source
from potluck.owner.reading import parse
from support.examples import examples
from support.owner.plans import OPEN, statistics, train

EVERYTHING = parse(OPEN, "policy.toml")
WORD = {
    "who": ("*", "hospitals", "others"),
    "tasks": ("*", "train", "statistics"),
    "models": ("*", "logistic", "trees"),
    "columns": ("*", "age", "sex", "num", "fold", "patient", "a*", "ag*", "*e*"),
    "protect": ("*", "mask", "clear"),
    "noise": ("*", "none", "shared", "site"),
    "units": ("*", "row", "person"),
    "server": ("*", "lying", "curious"),
    "hours": ("*", "08:00-18:00", "tue 22:00-04:00", "mon-fri 06:00-13:00", "sat"),
}
LISTS = {name: st.lists(st.sampled_from(words), max_size=5).map(tuple) for name, words in WORD.items()}
NUMBERS = {
    "epsilon_per_plan": st.sampled_from([0.0, 0.5, 1.0, 2.0, math.inf]),
    "epsilon_per_year": st.sampled_from([0.0, 1.0, 2.0, 3.0, math.inf]),
    "min_sites": st.integers(1, 4),
    "min_corrupt": st.integers(0, 2),
    "looks": st.one_of(st.none(), st.integers(0, 2)),
    "min_rows": st.integers(1, 3),
}
PLANS = st.sampled_from([train(), train("none"), train("site"), statistics(), statistics(noise="none")])


def allowed(policy, plan, now):
    found = judge(policy, plan, asker=frozenset({"hospitals"}), now=now, year=Year(0.5, 1.5), promised=1.0)
    return not found


@settings(max_examples=examples(300), deadline=None)
@given(st.data(), PLANS, st.datetimes(datetime(2026, 11, 23), datetime(2026, 11, 30)))
def test_what_is_called_tighter_lets_in_nothing_new(data, plan, now):
    keys = LISTS | NUMBERS
    before = EVERYTHING.allow
    for name in data.draw(st.sets(st.sampled_from(sorted(keys)), max_size=3)):
        before = msgspec.structs.replace(before, **{name: data.draw(keys[name])})
    after = before
    for name in data.draw(st.sets(st.sampled_from(sorted(keys)), min_size=1, max_size=2)):
        after = msgspec.structs.replace(after, **{name: data.draw(keys[name])})
    old, new = (msgspec.structs.replace(EVERYTHING, allow=one) for one in (before, after))
    if not any(one.looser for one in changes(old, new)):
        assert allowed(old, plan, now) or not allowed(new, plan, now)


def policy(**keys):
    return Policy(version=1, source=Source(file="rows.csv"), allow=Allow(**keys))


ORDER = {
    "delta": (1e-6, 1e-5), "looks": (0, 3, None), "min_cell": (50, 5, None), "dominance": (0.1, 0.5, None),
    "max_parameters_per_row": (0.1, 0.5, None), "min_rows": (9, 1), "min_sites": (4, 2), "min_corrupt": (2, 0),
    "epsilon_per_plan": (0.0, 1.0, math.inf), "epsilon_per_year": (0.0, 1.0, math.inf),
    "readers": ((), ("b",), ("b", "c"), ("*",)), "compute": ((), ("b",), ("*",)), "intersect": ((), ("size",), ("*",)),
    "person": ((), ("patient",), ("pat*",), ("*",)), "columns": ((), ("lab1*",), ("lab*", "age"), ("*",)),
    "hours": ((), ("mon 08:00-09:00",), ("mon-tue",), ("*",)),
}  # fmt: skip


@pytest.mark.parametrize("key", ORDER)
def test_each_key_is_tighter_one_way_and_looser_the_other(key):
    steps = [policy(**{key: value}) for value in ORDER[key]]
    for place, tight in enumerate(steps):
        for loose in steps[place + 1 :]:
            assert [one.looser for one in changes(loose, tight)] == [False]
            assert [one.looser for one in changes(tight, loose)] == [True]


def test_who_must_say_yes_is_tighter_one_way_too():
    rules = [Approve(people=2), Approve(), Approve(rule="hash"), Approve(rule="policy")]
    steps = [Policy(version=1, approve=one) for one in rules] + [
        Policy(version=1, approve=rules[-1], keep=Keep(predictions=True))
    ]
    for tight, loose in itertools.pairwise(steps):
        assert [one.looser for one in changes(loose, tight)] == [False]
        assert [one.looser for one in changes(tight, loose)] == [True]


def test_a_pattern_among_many_names_is_in_the_line_of_the_log():
    names = tuple(f"laboratory_value_of_visit_number{one}" for one in range(30))

    def line(*more):
        (found,) = changes(*(Policy(version=1, allow=Allow(columns=some)) for some in ((), (*names, *more))))
        return found.short

    assert line("**").startswith('allow.columns +"**" +')
    assert line("laboratory_value_*" + "x" * 40).endswith(" more, 1 with *")
    assert line().endswith(" more")


def test_a_key_without_a_rule_loosens(monkeypatch):
    monkeypatch.setattr("potluck.owner.form.changes._RULES", {})
    found = changes(EVERYTHING, parse(OPEN.replace("epsilon_per_year = 10", "epsilon_per_year = 0"), "p"))
    assert [one.looser for one in found] == [True]


def test_every_control_has_a_label_and_every_word_it_explains_is_one():
    assert {one.key for one in controls()} <= set(LABELS)
    for one in controls():
        assert set(WORDS.get(one.key, ())) <= set(one.words)
        assert one.kind != "choice" or set(WORDS[one.key]) == set(one.words)


@settings(max_examples=examples(100), deadline=None)
@given(st.fixed_dictionaries(LISTS | NUMBERS))
def test_what_a_form_shows_it_gives_back(keys):
    known = {one.key: one for one in controls()}
    shown = msgspec.structs.replace(EVERYTHING, allow=msgspec.structs.replace(EVERYTHING.allow, **keys))
    back, wrong = values(typed(shown), typed(shown))
    assert wrong == {}
    assert [key for key in known if differ(back[key], value_of(shown, key))] == []
