"""What the learners cannot do is said before anything runs: one line, the key, and what to do."""

import pytest

from potluck.core.bounds import Bounds, outside
from potluck.core.plan import Column, Data, Model, PrivacyPlan, Split, Statistic, Target, Training
from potluck.learning.check import check
from support.learning.sums import category, heart, make, number, replaced, stats


def errors(plan):
    found = [*outside(plan, Bounds), *check(plan)[0]]
    for line in found:
        key, _, rest = line.partition(": ")
        assert " " not in key.replace("data.columns.", "").strip() or "columns" in key
        assert ". hint: " in rest
        assert "\n" not in line
    return found


def said(plan, *words):
    found = errors(plan)
    assert len(found) == 1, found
    for word in words:
        assert word in found[0], found[0]


def data(**keys):
    return make(data=replaced(make().data, **keys))


def columns(**keys):
    return data(columns={"x": number(0, 10), "y": category("0", "1"), **keys})


def test_good_plans_pass():
    assert check(make()) == ([], [])
    assert check(heart()) == ([], [])
    assert check(data(target=Target(column="label", positive=("yes",)))) == ([], [])


@pytest.mark.parametrize(
    ("column", "word"),
    [
        (Column(kind="number"), "needs low and high"),
        (Column(kind="number", low=0), "needs low and high"),
        (number(5, 5), "upside down"),
        (number(9, 5), "upside down"),
        (number(0, float("inf")), "finite"),
        (Column(kind="category"), "needs values"),
        (category("1", "1.0"), "twice"),
        (Column(kind="category", values=("a",), low=0), "leave them out"),
        (Column(kind="category", values=("a",), high=0), "leave them out"),
        (Column(kind="number", values=("a",), low=0, high=1), "leave values out"),
        (category("a", " "), "data.missing too"),
    ],
)
def test_columns_need_their_bounds_and_values(column, word):
    said(columns(z=column), "data.columns.z", word)


def test_an_ignored_column_needs_nothing():
    assert errors(columns(z=Column(kind="ignore"))) == []


def test_patterns_need_a_header():
    assert errors(columns(**{"px*": number(0, 1)})) == []
    said(data(header=False, columns={"px*": number(0, 1), "y": category("0", "1")}), "px*", "header")


@pytest.mark.parametrize(
    ("target", "kind", "word"),
    [
        (Target(column="y", positive=("1",), classes=("0", "1")), "logistic", "both"),
        (Target(column="y", classes=("0", "1")), "linear", 'kind = "logistic" or "network"'),
        (Target(column="y", positive=("1",)), "linear", "predicts a number"),
        (Target(column="x"), "logistic", "needs positive"),
        (Target(column="y"), "linear", "low and high"),
        (Target(column="unknown"), "linear", "low and high"),
        (Target(column="y", positive=()), "logistic", "one class"),
        (Target(column="y", positive=("1", "01")), "logistic", "twice"),
        (Target(column="y", positive=("7",)), "logistic", "7 is no value"),
        (Target(column="y", positive=("0", "1.0")), "logistic", "one class"),
        (Target(column="i", positive=("0",)), "logistic", "ignored"),
    ],
)
def test_targets_fit_their_model(target, kind, word):
    plan = columns(i=Column(kind="ignore"))
    said(replaced(plan, data=replaced(plan.data, target=target), model=Model(kind=kind)), "data.target", word)


def test_one_class_of_a_network_is_said():
    plan = data(target=Target(column="y", classes=("0",)))
    plan = replaced(plan, model=Model(kind="network"), training=Training(method="average"))
    assert any("one class" in line for line in errors(plan))


@pytest.mark.parametrize(
    "split", [Split(), Split(test=0.2, column="fold"), Split(test=0.0), Split(test=1.0), Split(test=-1)]
)
def test_splits_leave_something_on_both_sides(split):
    said(data(split=split), "data.split")


def test_an_empty_test_split_is_refused():
    said(data(split=Split(test=0.0)), "data.split.test: 0 does not fit. hint: above 0 and below 1")


@pytest.mark.parametrize(
    ("training", "model", "key"),
    [
        (Training(method="newton"), Model(kind="network"), "training.method"),
        (Training(method="gradient", rate=0), Model(kind="logistic"), "training.rate"),
        (Training(method="gradient", rate=float("nan")), Model(kind="logistic"), "training.rate"),
        (Training(method="newton", rounds=0), Model(kind="logistic"), "training.rounds"),
        (Training(method="newton", range=0), Model(kind="logistic"), "training.range"),
        (Training(method="average", batch=0), Model(kind="logistic"), "training.batch"),
        (Training(method="average", epochs=0), Model(kind="logistic"), "training.epochs"),
        (Training(method="gradient", expected_rows=0), Model(kind="logistic"), "training.expected_rows"),
        (Training(method="newton"), Model(kind="logistic", l2=-1), "model.l2"),
        (Training(method="newton"), Model(kind="logistic", l2=1e300), "model.l2"),
        (Training(method="newton"), Model(kind="logistic", l2=float("nan")), "model.l2"),
        (Training(method="average"), Model(kind="network", layers=(0,)), "model.layers"),
    ],
)
def test_numbers_that_cannot_be_are_named(training, model, key):
    found = [line for line in errors(make(training=training, model=model)) if "torch" not in line]
    assert [line.split(":")[0] for line in found] == [key]


NOISE = PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-6, clip=1.0)
OWN_STEPS = Training(method="average", steps=2, expected_rows=100)


@pytest.mark.parametrize(
    ("training", "unit", "key", "word"),
    [
        (Training(method="newton"), "row", "training.method", "gradient"),
        (OWN_STEPS, "row", "privacy.noise", 'noise = "site"'),
        (OWN_STEPS, "person", "privacy.noise", 'noise = "site"'),
        (Training(method="gradient"), "row", "training.expected_rows", "public guess"),
    ],
)
def test_a_method_says_what_of_a_plan_with_noise_does_not_fit_it(training, unit, key, word):
    said(make(privacy=replaced(NOISE, unit=unit), training=training), key, word)


def test_a_network_without_torch_says_the_one_command(monkeypatch):
    monkeypatch.setattr("potluck.learning.models.slopes.present", lambda: False)
    plan = make(model=Model(kind="network"), training=Training(method="average"))
    said(plan, "model.kind", "pip install 'potluck[networks]'")


def test_no_feature_and_two_of_one_name_are_refused():
    said(data(columns={"y": category("0", "1")}), "no feature")
    said(columns(**{"c": category("1"), "c=1": number(0, 1)}), "would be called c=1")
    said(columns(intercept=number(0, 1)), "intercept")


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (Statistic(name="s", kind="mean"), ("statistics.s.column", "missing")),
        (Statistic(name="s", kind="mean", column="c"), ("statistics.s.column", "category")),
        (Statistic(name="s", kind="sum", column="nope"), ("statistics.s.column", "not a declared")),
        (Statistic(name="s", kind="histogram", column="x", bins=0), ("statistics.s.bins",)),
        (Statistic(name="s", kind="count", by="x"), ("statistics.s.by", "number")),
        (Statistic(name="s", kind="count", by="i"), ("statistics.s.by", "not a declared")),
        (Statistic(name="s", kind="contingency", columns=("c",)), ("statistics.s.columns", "two columns")),
        (Statistic(name="s", kind="contingency", columns=("c", "c")), ("statistics.s.columns", "two columns")),
        (Statistic(name="s", kind="contingency", columns=("c", "x")), ("statistics.s.columns", "number")),
        (Statistic(name="s", kind="mean", column="x", columns=("c", "x")), ("statistics.s.columns",)),
        (Statistic(name="", kind="count"), ("statistics.name",)),
        (Statistic(name="s", kind="mean", column="x", bins=7), ("statistics.s.bins", "leave bins out")),
    ],
)
def test_statistics_refer_to_declared_columns_of_the_right_kind(one, words):
    said(stats({"x": number(0, 1), "c": category("a"), "i": Column(kind="ignore")}, one), *words)


def test_two_statistics_of_one_name_are_refused():
    one = Statistic(name="s", kind="count")
    said(stats({"x": number(0, 1)}, one, one), "twice")
    assert errors(stats({"x": number(0, 1)}, one, replaced(one, name="t"))) == []


def test_without_a_header_every_special_column_is_declared():
    base = Data(
        header=False,
        columns={"x": number(0, 1), "y": category("0", "1")},
        target=Target(column="y", positive=("1",)),
        split=Split(column="fold"),
        person="who",
    )
    found = errors(make(data=base))
    assert [line.split(":")[0] for line in found] == ["data.person", "data.split.column"]
    said(make(data=replaced(base, person=None, split=Split(test=0.2), target=Target(column="z", positive=("1",)))), "z")


def test_a_value_that_means_no_value_is_no_side_of_the_target():
    said(data(missing=("?", "01"), columns={"x": number(0, 10)}), "data.target.positive", "data.missing too")
    assert (
        errors(data(missing=("?", "01"), columns={"x": number(0, 1)}, target=Target(column="y", positive=("2",)))) == []
    )


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        ("data.person", {"person": "y"}),
        ("data.split.column", {"split": Split(column="y")}),
        ("data.split.column", {"person": "who", "split": Split(column="who")}),
    ],
)
def test_target_person_and_split_are_three_columns(key, keys):
    said(data(**keys), key, "too. hint: each takes a column of its own")


def test_a_pattern_declares_no_target():
    """The target's own entry is needed for a number, and a pattern is none."""
    plan = data(columns={"x": number(0, 10), "y*": number(0, 1)}, target=Target(column="y1"))
    said(replaced(plan, model=Model(kind="linear")), "data.target", "low and high")


def test_tables_that_statistics_ignore_are_said():
    plan = stats({"x": number(0, 1)}, Statistic(name="s", kind="count"))
    assert check(plan) == ([], [])
    found, warnings = check(replaced(plan, model=Model(kind="linear"), training=Training(method="newton")))
    assert found == []
    assert [line.split(":")[0] for line in warnings] == ["model", "training"]


def test_newton_without_a_ridge_gives_pause():
    assert check(make())[1] == []
    found, warnings = check(make(model=Model(kind="logistic", l2=0.0)))
    assert found == []
    assert [line.split(":")[0] for line in warnings] == ["model.l2"]


def test_ranges_and_layers_that_cannot_be_computed_with_are_refused():
    from potluck.api.plan.plan import Plan
    from potluck.core.errors import PlanError

    def problems(low: float, high: float, layers: list[int]) -> str:
        plan = Plan(
            name="p", purpose="p", task="train", federation={"sites": ["a", "b", "c", "d"]},
            data={"columns": {"x": {"kind": "number", "low": low, "high": high}},
                  "target": {"column": "y", "positive": ["1"]}, "split": {"test": 0.3}},
            model={"kind": "network", "layers": layers}, training={"method": "average"},
            protect={"with": "clear"}, privacy={"noise": "none"},
        )  # fmt: skip
        try:
            plan.require()
        except PlanError as error:
            return str(error)
        return ""

    assert problems(0, 1, [8]) == ""
    assert "wide" in problems(-1e308, 1e308, [8])
    assert "wide" in problems(0, 5e-324, [8])
    assert "model.layers" in problems(0, 1, [1_000_000_000])


def test_a_reference_is_a_value_of_a_category_that_is_a_feature():
    stage = category("I", "II")
    assert errors(columns(z=replaced(stage, reference="I"))) == []
    assert errors(columns(z=replaced(category("1", "2"), reference="1.0"))) == []
    said(columns(z=replaced(stage, reference="IV")), "data.columns.z.reference", "no value of this column")
    said(columns(z=replaced(number(0, 1), reference="0")), "data.columns.z.reference", "a number has none")
    unused = columns(y=replaced(category("0", "1"), reference="0"))
    assert [line.split(":")[0] for line in check(unused)[1]] == ["data.columns.y.reference"]
    counted = stats({"c": replaced(stage, reference="I")}, Statistic(name="n", kind="count", by="c"))
    assert [line.split(":")[0] for line in check(counted)[1]] == ["data.columns.c.reference"]


def test_without_a_ridge_a_category_without_a_reference_gives_pause_and_one_with_it_none():
    bare = make(model=Model(kind="logistic", l2=0.0))
    assert [line.split(":")[0] for line in check(bare)[1]] == ["model.l2"]
    whole = columns(c=replaced(category("u", "v"), reference="u"))
    assert check(replaced(whole, model=Model(kind="logistic", l2=0.0))) == ([], [])


def test_a_split_may_be_absent():
    assert errors(data(split=None)) == []
