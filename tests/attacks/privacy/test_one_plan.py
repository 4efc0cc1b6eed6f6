"""No kind of statistic gives one row away in one exact plan, however the plan points at it.

The attacker knows of one patient something that nobody else has, and writes plans. It may name the value, but also
declare a range to which all others are clamped, give weights or an offset that point at the row, or fit to its
category: each of these makes a column that is 1 at that row. Every kind of the table has its attacks here, or a reason.
"""

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.api.plan.plan import Plan
from potluck.core.errors import Refused
from potluck.learning.data.source import opened
from potluck.learning.data.table import Table
from potluck.learning.selection.read import cells
from potluck.learning.statistics.kind import KINDS, TESTS
from potluck.learning.statistics.regressions.glm import Glm
from potluck.owner.disclosure import cells_allowed
from potluck.owner.policy import Allow
from potluck.secret.container import Secret
from potluck.secret.multiset import numbers

TARGET = 17
"""The one patient of ward w9, who is 91."""
WARDS = [f"w{number}" for number in range(4)]
STRICT = Allow(min_cell=5, dominance=0.5, max_parameters_per_row=0.33)


def rows(seed=7, count=480, target=True):
    rng = np.random.default_rng(seed)
    found = pd.DataFrame(
        {
            "patient": np.arange(count) // 2,
            "age": rng.integers(30, 80, count),
            "sex": rng.choice(["F", "M"], count),
            "ward": rng.choice(WARDS, count),
            "chol": rng.integers(150, 320, count),
            "before": rng.integers(90, 180, count),
            "weeks": rng.integers(0, 50, count),
            "sick": rng.choice(["0", "1"], count),
        }
    )
    found["after"] = found["before"] + rng.integers(-20, 20, count)
    if target:
        found.loc[TARGET, ["age", "ward", "chol"]] = [91, "w9", 277]
    return found


def number(low, high):
    return {"kind": "number", "low": low, "high": high}


COLUMNS = {
    "age": number(0, 120),
    "sex": {"kind": "category", "values": ["F", "M"]},
    "ward": {"kind": "category", "values": [*WARDS, "w9"]},
    "chol": number(100, 500),
    "before": number(50, 250),
    "after": number(50, 250),
    "weeks": number(0, 52),
    "sick": {"kind": "category", "values": ["0", "1"]},
}
POINTED = {"age": number(79, 91)}
"""All but one are clamped to 79."""
TWO = {"ward": {"kind": "category", "values": ["w0", "w9"]}}
ONE_OF_TWO = {"rare": {"kind": "recode", "from": "ward", "map": {"w9": "yes", **dict.fromkeys(WARDS, "no")}}}


def written(one, columns):
    """A plan of one statistic. columns: that it declares otherwise, or derives."""
    columns = dict(columns)
    more = {key: columns.pop(key) for key in ("derive", "person") if key in columns}
    return Plan(
        name="p",
        purpose="test",
        task="statistics",
        federation={"sites": list("abcdef")},
        data={"columns": COLUMNS | columns, "max_rows": 1000, **more},
        statistics=[{"name": "it", **one}],
        protect={"with": "mask"},
        privacy={"noise": "none"},
    )


def of(kind, **keys):
    return {"kind": kind, **keys}


def test_of(test, **keys):
    return of("test", test=test, **keys)


test_of.__test__ = False
LINE = {"family": "gaussian", "target": "chol"}
LATE, NEAR = {"late": number(-30, 30)}, {"near": number(-20, 20)}
"""Offsets by which one row weighs much more than all others."""
HAZARD = {"time": "weeks", "event": "sick", "bins": 3}
EFFECT = {"method": "aipw", "treatment": "sick", "outcome": "chol"}
ATTACKS = {
    "count": [(of("count", by="ward"), {})],
    "sum": [(of("sum", column="age"), POINTED), (of("sum", column="chol", by="ward"), {})],
    "mean": [(of("mean", column="age"), POINTED), (of("mean", column="chol", by="ward"), {})],
    "variance": [(of("variance", column="age"), POINTED)],
    "histogram": [(of("histogram", column="age", bins=12), {})],
    "contingency": [(of("contingency", columns=["sex", "ward"]), {})],
    "quantile": [(of("quantile", column="chol", by="ward"), {})],
    "survival": [
        (of("survival", time="weeks", event="sick", by="ward"), {}),
        (of("survival", time="weeks", event="ward", events=["w9"]), {}),
    ],
    "regression": [
        (of("regression", **LINE, features=["age"]), POINTED),
        (of("regression", **LINE, features=["ward"]), {}),
        (of("regression", **LINE, features=["sex:ward"]), {}),
        (of("regression", **LINE, features=["before:age"]), POINTED),
        (of("regression", **LINE, features=["before"], weights="age"), POINTED),
        (
            of("regression", family="poisson", target="weeks", features=["before"], offset="point"),
            {"point": number(0, 1)},
        ),
        (of("regression", family="poisson", target="weeks", features=["before"], offset="late"), LATE),
        (of("regression", family="binomial", target="sick", features=["before"], offset="late"), LATE),
        (of("regression", family="binomial", target="sick", features=["before"], offset="near"), NEAR),
        (of("regression", family="binomial", target="ward", events=["w9"], features=["before"]), {}),
        (of("regression", **LINE, features=["before"], errors="cluster", cluster="rare"), {"derive": ONE_OF_TWO}),
    ],
    "cox": [
        (of("cox", **HAZARD, features=["age"]), POINTED),
        (of("cox", **HAZARD, features=["before"], strata="ward"), {}),
        (of("cox", **HAZARD, features=["ward"]), {}),
    ],
    "effect": [
        (of("effect", **EFFECT, features=["age"]), POINTED),
        (of("effect", **EFFECT | {"treatment": "ward"}, treated=["w9"], features=["before"]), {}),
        (of("effect", **EFFECT | {"outcome": "ward", "method": "ipw"}, events=["w9"], features=["before"]), {}),
    ],
    "kmeans": [(of("kmeans", columns=["age", "chol"], k=2), POINTED)],
    "meta": [
        (of("meta", of="coefficient", **LINE, features=["before", "age"], column="before"), POINTED),
        (of("meta", of="mean", column="age"), POINTED),
        (of("meta", of="proportion", column="ward", events=["w9"]), {}),
    ],
    "table1": [(of("table1", columns=["ward"]), {}), (of("table1", columns=["age"]), POINTED)],
    "missing": [
        (of("missing", columns=["chol"], by="ward"), {}),
        (of("missing", columns=["sex", "age"]), {"age": number(0, 90)}),
        (of("missing", columns=["ward"]), {"ward": {"kind": "category", "values": WARDS}}),
    ],
    "top": [(of("top", column="ward"), {})],
    "pca": [(of("pca", columns=["age", "chol"]), POINTED)],
    "distinct": [(of("distinct", by="ward"), {})],
    "chi2": [(test_of("chi2", columns=["sex", "ward"]), {})],
    "welch": [(test_of("welch", column="chol", by="ward"), TWO), (test_of("welch", column="age", by="sex"), POINTED)],
    "paired": [
        (test_of("paired", columns=["chol", "age"]), POINTED),
        (test_of("paired", columns=["before", "same"]), {"same": number(50, 250)}),
    ],
    "anova": [(test_of("anova", column="chol", by="ward"), {})],
    "kruskal": [(test_of("kruskal", column="chol", by="ward", bins=4), {})],
    "mannwhitney": [(test_of("mannwhitney", column="chol", by="ward", bins=4), TWO)],
    "ks": [(test_of("ks", column="chol", by="ward", bins=4), TWO)],
    "correlation": [(test_of("correlation", columns=["age", "chol"]), POINTED)],
    "spearman": [(test_of("spearman", columns=["age", "chol"], bins=2), POINTED)],
}
WORDS = {
    "test": "each test is attacked by its own name",
    "discover": "it takes noise, so no plan of it is exact",
    "marginals": "a plan of made-up rows counts them, and is attacked below",
}
"""Kinds that are words for others, or open nothing exact."""


NOT_HELD = Table(np.zeros((0, 0)), np.zeros(0), None, np.zeros(0, np.bool_), {}, ())
"""Of statistics rows are read where they are."""


def judged(plan, frame, allow):
    """As a site does it, with rows in memory."""
    spec = plan.spec
    found = opened(frame, "a")
    key = Secret(b"k" * 32)

    def mark(hashes):
        return numbers(key, (int(one).to_bytes(8, "little", signed=True) for one in hashes), b"known")

    every = cells(found, spec, NOT_HELD, "a", tuple(frame.columns), mark)
    cells_allowed(allow, every)
    return every


def pointed(frame, target=True):
    """With columns that a site might have: who changed, what points at one row, and days before or behind its own."""
    at = np.arange(len(frame))
    one = (at == TARGET) & target
    late, near = np.where(one, 0, at % 5 - 20), np.where(one, 0, (16 + at % 5) * (-1) ** (at // 5))
    return frame.assign(point=one.astype(int), same=frame["before"] + one * 7, late=late, near=near)


HERE, ELSEWHERE = pointed(rows()), pointed(rows(target=False), target=False)
FEW = Allow(min_cell=5)


def test_every_kind_is_attacked():
    assert set(ATTACKS) | set(WORDS) == set(KINDS.words()) | set(TESTS.words())


@pytest.mark.parametrize(
    "columns", [{"ward": COLUMNS["ward"]}, {"ward": COLUMNS["ward"], "sex": COLUMNS["sex"]}, POINTED]
)
def test_made_up_rows_of_one_plan_tell_of_no_single_row(columns):
    plan = Plan(
        name="made up",
        purpose="an attack",
        task="synthesize",
        federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": columns, "max_rows": 1000},
        protect={"with": "mask"},
        privacy={"noise": "none"},
        synthesize={"bins": 3, "allow_exact": True},
    )
    plan.require()
    with pytest.raises(Refused, match=r"fewer rows than allow\.min_cell"):
        judged(plan, HERE, FEW)
    judged(plan, ELSEWHERE, FEW)


@pytest.mark.parametrize("word", ATTACKS)
def test_one_plan_tells_of_no_single_row(word):
    """And of the same rows without the one that it points at the same plan is allowed."""
    for one, columns in ATTACKS[word]:
        plan = written(one, columns)
        with pytest.raises(Refused, match=r"fewer rows than allow\.min_cell"):
            judged(plan, HERE, FEW)
        judged(plan, ELSEWHERE, FEW)
        if columns is POINTED and word != "spearman":  # which adds up no numbers
            with pytest.raises(Refused, match=r"one row is more of a sum than allow\.dominance"):
                judged(plan, HERE, Allow(dominance=0.5))


BOTH = ["age", "chol"]
FOUR = [*BOTH, "before", "after"]
SUMMED = [
    (of("sum", column="age"), ["age"]),
    (of("mean", column="age"), ["age"]),
    (of("variance", column="age"), ["age"]),
    (
        of("regression", **LINE, features=["age", "before:after"], weights="weeks", offset="same"),
        [*FOUR, "weeks", "same"],
    ),
    (of("cox", **HAZARD, features=BOTH), BOTH),
    (of("effect", **EFFECT, features=["age", "before:after"]), FOUR),
    (of("kmeans", columns=BOTH, k=2), BOTH),
    (of("meta", of="mean", column="age"), ["age"]),
    (of("table1", columns=BOTH), BOTH),
    (of("pca", columns=BOTH), BOTH),
    (test_of("welch", column="age", by="sex"), ["age"]),
    (test_of("anova", column="age", by="sex"), ["age"]),
    (test_of("paired", columns=BOTH), BOTH),
    (test_of("correlation", columns=BOTH), BOTH),
]
"""What adds up numbers, and of which columns."""


@pytest.mark.parametrize(("one", "names"), SUMMED, ids=[one.get("test") or one["kind"] for one, _ in SUMMED])
def test_no_range_of_any_number_that_is_added_up_points_at_one_row(one, names):
    """From below and from above: all others are clamped to one end, and the row lies at the other."""
    for name in names:
        values = 1000.0 + ELSEWHERE[name]
        for value, low, high in ((3000, values.max(), 3000), (1, 1, values.min())):
            frame = ELSEWHERE.assign(**{name: [value if at == TARGET else one for at, one in enumerate(values)]})
            plan = written(one, {"same": number(0, 500), name: number(float(low), float(high))})
            with pytest.raises(Refused, match=rf"fewer rows than allow\.min_cell \(5\): .*{name} "):
                judged(plan, frame, FEW)


def test_a_row_alone_in_its_bin_of_hazards_is_seen():
    """Bins hold all columns of the design: the narrower, the fewer rows are in each."""
    wide, narrow = (written(of("cox", **HAZARD | {"bins": bins}, features=["before"]), {}) for bins in (5, 52))
    judged(wide, HERE, FEW)
    with pytest.raises(Refused, match="it where weeks is in bin"):
        judged(narrow, HERE, FEW)


@pytest.mark.parametrize(
    ("one", "least"),
    [
        (of("regression", **LINE, features=["ward", "sex"]), 10),
        (of("cox", **HAZARD, features=["ward", "sex"]), 8),
        (of("effect", **EFFECT, features=["ward", "sex"]), 20),
        (of("kmeans", columns=["age", "chol"], k=5), 20),
    ],
    ids=lambda one: one["kind"] if isinstance(one, dict) else "",
)
def test_a_fit_has_no_more_parameters_than_its_rows_allow(one, least):
    """least: twice as many rows as parameters, of an effect in each arm."""
    plan, most = written(one, {"ward": {"kind": "category", "values": WARDS}}), Allow(max_parameters_per_row=0.5)
    frame = ELSEWHERE.head(80)
    judged(plan, frame, most)
    with pytest.raises(Refused, match=r"parameters are more than allow\.max_parameters_per_row"):
        judged(plan, frame.head(least - 1), most)


def test_a_range_that_all_but_one_are_clamped_to_opens_that_row():
    """Why ranges are judged: without rules the coefficients of one exact plan are the value of one patient."""
    plan = written(of("regression", **LINE, features=["age"]), POINTED)
    data = {name: pointed(rows(seed, target=name == "a")) for seed, name in enumerate("abcdef")}
    found = potluck.run(plan, data=data).document["results"]["it"]["coefficients"]
    read = found["intercept"]["value"] + 91 * found["age"]["value"]
    assert read == pytest.approx(277, abs=0.01)
    with pytest.raises(Refused, match="it, age above 79"):
        judged(plan, data["a"], FEW)


@pytest.mark.parametrize(
    ("one", "of_which"),
    [(of("distinct", by="ward"), "it"), (of("missing", columns=["patient", "age"], by="ward"), "it/patient")],
    ids=["distinct", "missing"],
)
def test_persons_are_counted_as_persons(one, of_which):
    """A group of ten rows of one person opens that there is one, and a cluster of them what they add."""
    frame = ELSEWHERE.assign(ward=["w9" if at < 10 else ward for at, ward in enumerate(ELSEWHERE["ward"])])
    for patients, few in (([1000] * 10, True), (range(1000, 1010), False)):
        mine = frame.assign(patient=[*patients, *frame["patient"][10:]])
        plan = written(one, {"person": "patient"})
        if few:
            with pytest.raises(Refused, match=f"{of_which} where ward is 'w9', different values of patient"):
                judged(plan, mine, FEW)
        else:
            judged(plan, mine, FEW)


def test_an_offset_that_makes_one_row_weigh_opens_that_row(monkeypatch):
    """Why offsets are judged by what rows weigh: where all others are far from even odds, the curvature is one row's.

    Every range is that of many rows, and so is each sum of distances.
    """
    line = of("regression", family="binomial", target="sick", features=["chol"])
    plan = written(line | {"offset": "near"}, NEAR)
    data = {name: pointed(rows(seed, target=name == "a"), name == "a") for seed, name in enumerate("abcdef")}
    rounds, opened = [], Glm._opened
    monkeypatch.setattr(Glm, "_opened", lambda *given: rounds.append(opened(*given)) or rounds[-1])
    potluck.run(plan, data=data)
    weight, turned = rounds[0].sums.curvature[0]
    assert 300 + 200 * turned / weight == pytest.approx(277, abs=0.1)
    with pytest.raises(Refused, match="it, those that near makes weigh most"):
        judged(plan, data["a"], FEW)


def test_an_offset_of_times_at_risk_is_allowed():
    """Rates by person-time, as epidemiology has them: from some days to five years, also in small groups."""
    risk = np.log(np.random.default_rng(5).uniform(0.05, 5, len(ELSEWHERE)))
    frame = ELSEWHERE.assign(risk=risk, ward=["w9" if at < 20 else one for at, one in enumerate(ELSEWHERE["ward"])])
    columns = {"risk": number(-4.0, 2.0)}
    rate = of("regression", family="poisson", target="weeks", features=["age", "sex", "ward"], offset="risk")
    judged(written(rate, columns), frame, STRICT)


@pytest.mark.slow
def test_robust_errors_and_errors_by_cluster_that_part_at_two_rows_still_tell_of_both(monkeypatch):
    """Every row is a cluster, but for two that are one: the squares of scores differ by the product of these two's, a
    matrix of rank 2 whose factors are their columns, up to a scale that the constant gives. THREATS says so."""
    names = "abcdef"
    data = {name: rows(seed, count=60, target=name == "a") for seed, name in enumerate(names)}
    data = {name: one.assign(who=[f"{name}{at}" for at in range(len(one))]) for name, one in data.items()}
    who = [one for frame in data.values() for one in frame["who"]]
    pair = {"pair": {"kind": "recode", "from": "who", "map": {one: "a17" if one == "a40" else one for one in who}}}
    line = of("regression", **LINE, features=["before", "after"])
    columns = {"who": {"kind": "category", "values": who}, "derive": pair}
    plans = [written(line | one, columns) for one in ({"errors": "hc0"}, {"errors": "cluster", "cluster": "pair"})]
    meats, opened = [], Glm._opened
    monkeypatch.setattr(Glm, "_opened", lambda *given: meats.append(opened(*given)) or meats[-1])
    for plan in plans:
        judged(plan, data["a"], STRICT)
        potluck.run(plan, data=data)
    apart = meats[-1].meat - meats[len(meats) // 2 - 1].meat
    sizes, turned = np.linalg.eigh(apart)
    one, other = (turned[:, at] * np.sqrt(abs(sizes[at]) / 2) for at in (-1, 0))
    read = sorted(tuple(np.round(150 + 100 * (row / row[0])[1:]).tolist()) for row in (one + other, one - other))
    assert read == sorted(tuple(data["a"].loc[at, ["before", "after"]]) for at in (TARGET, 40))


def test_two_plans_whose_ranges_part_at_one_row_still_tell_of_it():
    """Each is of many rows and of the same ones, so that nothing is seen of it: THREATS says so. Only noise answers."""
    data = {name: pointed(rows(seed, target=name == "a")) for seed, name in enumerate("abcdef")}
    sums = []
    for high in (79, 91):
        plan = written(of("sum", column="age"), {"age": number(0, high)})
        judged(plan, data["a"], STRICT)
        sums.append(potluck.run(plan, data=data).results["it"]["value"])
    assert sums[1] - sums[0] == pytest.approx(91 - 79, abs=0.01)
