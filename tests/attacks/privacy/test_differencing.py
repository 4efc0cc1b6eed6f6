"""A site does not tell few rows apart: neither by one exact sum nor by the difference of two that it was asked for.

The attacks are those that were reported of DataSHIELD (dsBase issues 250 and 251): a mask that leaves one row, and the
same sum with and without one. The attacker writes plans; the site has real rows, a policy, and an owner. The last
attack succeeds, as THREATS.md says: three sums, each of many rows and far from the others, are not compared.
"""

import contextlib
import threading
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

import potluck
from potluck.api.network import inbox
from potluck.api.network.preview import preview
from potluck.api.plan.plan import Plan
from potluck.core.errors import Refused
from potluck.core.plan import digest
from potluck.learning.selection.cells import BUCKETS, Cell
from potluck.owner.selections import selected
from support.hostile.proposals import proposal
from support.parties import across
from support.parties.across import Across
from support.places import ROOT

WARDS = [f"w{number}" for number in range(10)]
TARGET = 17
"""The one patient of ward w9 who is 91: whose cholesterol the attacker wants."""
RULES = 'min_cell = 5\ndominance = 0.5\nmax_parameters_per_row = 0.33\n[approve]\nrule = "policy"'


def rows(count=120):
    rng = np.random.default_rng(7)
    found = pd.DataFrame(
        {
            "patient": [f"p{number:03}" for number in range(count)],
            "age": rng.integers(30, 80, count),
            "sex": rng.choice(["F", "M"], count),
            "ward": rng.choice(WARDS[:9], count),
            "chol": rng.integers(150, 320, count),
            "sick": rng.choice([0, 1], count),
        }
    )
    found.loc[TARGET, ["age", "ward", "chol"]] = [91, "w9", 277]
    return found


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    folder = across.found(tmp_path_factory.mktemp("differencing"), "abc")
    rows().to_csv(folder / "a" / "rows.csv", index=False)
    policy = folder / "a" / "policy.toml"
    policy.write_text(policy.read_text().replace('[approve]\nrule = "policy"', RULES))
    return folder


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


COLUMNS = {
    "age": {"kind": "number", "low": 0, "high": 120},
    "sex": {"kind": "category", "values": ["F", "M"]},
    "ward": {"kind": "category", "values": WARDS},
    "chol": {"kind": "number", "low": 0, "high": 500},
}
NARROW = {"kind": "number", "low": 0, "high": 90}
MEAN = {"name": "m", "kind": "mean", "column": "chol"}


def written(*statistics, where=(), columns=COLUMNS, privacy=None, **data):
    return Plan(
        name="p",
        purpose="test",
        task="statistics",
        federation={"sites": ["a", "b", "c"]},
        data={"columns": columns, "where": list(where), **data},
        statistics=list(statistics or [MEAN]),
        protect={"with": "mask"},
        privacy=privacy or {"noise": "none"},
    )


def asked(*statistics, **other):
    return written(*statistics, **other).spec


class Site:
    """Site a, and runs that it was asked for."""

    def __init__(self, fed):
        self.fed, self.runs = fed, 0
        self._open = contextlib.ExitStack()

    def __enter__(self):
        self._site = self._open.enter_context(self.fed.site("a", threading.Event()))
        return self

    def __exit__(self, *_):
        self._open.close()

    @property
    def heard(self):
        return "\n".join(self.fed.heard["a"])

    def answer(self, spec, run=None):
        """(verdict, codes): all that the server hears."""
        if run is None:
            self.runs += 1
            run = f"{self.runs:032x}"
        decision = self._site._consent.decide(run, proposal(self.fed, spec))
        return decision.verdict, decision.codes

    def grants(self, *specs):
        for spec in specs:
            assert self.answer(spec) == ("granted", ()), self.heard


UNFIT = ("unable", ("data",))


@pytest.fixture
def site(fed):
    with Site(fed) as found:
        yield found


def without(fed, *keys):
    """The control: a policy without these keys."""
    path = fed.folder / "a" / "policy.toml"
    kept = [line for line in path.read_text().splitlines() if line.split(" = ")[0] not in keys]
    path.write_text("\n".join(kept))


def quoted():
    """The lines of the owner's guide."""
    page = (ROOT / "docs" / "guides" / "few-rows.md").read_text(encoding="utf-8")
    return [block.split("```")[0].strip() for block in page.split("```text\n")[1:]]


ELSEWHERE = {
    "the plan opens numbers of more than 1,024 groups of rows, more than a site remembers",
    "the plan joins a column whose name the rows have too, so that they would not be known again",
    "there are fewer rows than allow.min_cell (5): groups, one of its places in sum 2",
}
"""Lines that have tests of their own."""


def changed(fed, how):
    path = fed.folder / "a" / "rows.csv"
    how(pd.read_csv(path)).to_csv(path, index=False)


ONE_ROW = [
    pytest.param(lambda: asked(where=[{"column": "age", "at_least": 90}]), id="a condition"),
    pytest.param(lambda: asked(where=[{"column": "ward", "in": ["w9"]}]), id="a rare value"),
    pytest.param(lambda: asked(MEAN | {"by": "ward"}), id="a rare group"),
    pytest.param(
        lambda: asked({"name": "t", "kind": "contingency", "columns": ["sex", "ward"]}), id="a rare cell of a table"
    ),
    pytest.param(
        lambda: asked({"name": "f", "kind": "missing", "columns": ["sex", "age"]}, columns=COLUMNS | {"age": NARROW}),
        id="a rare fault",
    ),
    pytest.param(
        lambda: asked({"name": "h", "kind": "histogram", "column": "age", "bins": 12}), id="a rare bin of a histogram"
    ),
    pytest.param(
        lambda: asked(MEAN | {"by": "ward"}, columns=COLUMNS | {"ward": {"kind": "category", "values": WARDS[:9]}}),
        id="values that the plan does not declare",
    ),
    pytest.param(
        lambda: asked(
            derive={"rare": {"kind": "recode", "from": "ward", "map": {"w9": "yes", **dict.fromkeys(WARDS[:9], "no")}}},
            where=[{"column": "rare", "in": ["yes"]}],
        ),
        id="a value that is made of others",
    ),
]


@pytest.mark.parametrize("spec", ONE_ROW)
def test_no_exact_sum_is_of_fewer_rows_than_min_cell(fed, site, spec):
    assert site.answer(spec()) == UNFIT
    assert "allow.min_cell (5)" in site.heard
    without(fed, "min_cell", "dominance")
    site.grants(spec())


def test_a_statistic_of_a_column_that_one_row_has_is_of_that_row(fed, site):
    """Rows without a value in it are left out of that statistic, whatever others of the plan are of."""
    changed(fed, lambda frame: frame.assign(seen=[1 if at == TARGET else None for at in range(len(frame))]))
    seen, many = {"kind": "number", "low": 0, "high": 2, "missing": "drop"}, {"name": "k", "kind": "count"}
    assert site.answer(asked(MEAN, many | {"column": "seen"}, columns=COLUMNS | {"seen": seen})) == UNFIT
    assert "allow.min_cell (5): k." in site.heard
    site.grants(asked(MEAN, many, columns=COLUMNS | {"seen": seen}))  # nothing reads the column


def test_a_refusal_by_min_cell_is_that_of_rows_that_do_not_fit(fed, site):
    """What the server hears is one bit, and which it is it cannot tell from a text among numbers."""
    few = site.answer(asked(where=[{"column": "ward", "in": ["w9"]}]))
    changed(fed, lambda frame: frame.astype({"age": object}).assign(age=["unknown", *frame["age"][1:]]))
    assert site.answer(asked({"name": "m", "kind": "mean", "column": "age"})) == few == UNFIT


def test_one_row_is_no_larger_share_of_a_sum_than_dominance(fed, site):
    changed(fed, lambda frame: frame.assign(chol=[500 if at == TARGET else 1 for at in range(len(frame))]))
    spec = asked({"name": "total", "kind": "sum", "column": "chol"})
    assert site.answer(spec) == UNFIT
    assert "one row is more of a sum than allow.dominance (0.5): total, chol above 0" in site.heard
    changed(fed, lambda frame: frame.assign(chol=[100 if at == TARGET else 1 for at in range(len(frame))]))
    site.grants(spec)  # 100 of 219: less than half
    without(fed, "min_cell")  # a rule by itself
    changed(fed, lambda frame: frame.assign(chol=[500 if at == TARGET else 1 for at in range(len(frame))]))
    assert site.answer(spec) == UNFIT


def trained(columns, **data):
    return Plan(
        name="p",
        purpose="test",
        task="train",
        federation={"sites": ["a", "b", "c"]},
        data={"columns": columns, "target": {"column": "sick", "positive": ["1"]}, "max_rows": 1000, **data},
        model={"kind": "logistic"},
        training={"method": "newton", "rounds": 4},
        protect={"with": "mask"},
        privacy={"noise": "none"},
    ).spec


def test_a_model_has_no_more_parameters_than_its_rows_allow(fed, site):
    patients = [f"p{number:03}" for number in range(60)]
    wide = COLUMNS | {"patient": {"kind": "category", "values": patients}}  # 60 of about 75, with 120 rows
    assert site.answer(trained(wide)) == UNFIT
    assert "allow.max_parameters_per_row (0.33)" in site.heard
    site.grants(trained(COLUMNS))


def test_noise_answers_instead_of_the_rules(site):
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
    site.grants(asked(where=[{"column": "ward", "in": ["w9"]}], privacy=noise))


OTHERWISE = [
    pytest.param(lambda: asked(where=[{"column": "age", "at_most": 90}]), id="one row less"),
    pytest.param(
        lambda: asked(where=[{"column": "ward", "in": WARDS[:9]}], columns=COLUMNS | {"sick": COLUMNS["age"]}),
        id="and a column more",
    ),
    pytest.param(
        lambda: asked({"name": "s", "kind": "variance", "column": "chol"}, where=[{"column": "age", "at_most": 90}]),
        id="in another statistic",
    ),
    pytest.param(
        lambda: asked(
            {"name": "c", "kind": "count"},
            derive={"patient": {"kind": "bins", "from": "age", "edges": [50]}},
            where=[{"column": "age", "at_most": 90}],
        ),
        id="as a count, and a column of the rows hidden by one of the plan",
    ),
]


@pytest.mark.parametrize("second", OTHERWISE)
def test_two_exact_sums_do_not_differ_by_few_rows(site, second):
    spec = second()
    site.grants(asked())
    assert site.answer(spec) == ("pending", ())
    assert "differ by 1 row" in site.heard


def test_a_group_and_a_selection_do_not_differ_by_few_rows(site):
    """The trackers that whole selections do not show: a group of one plan, and the rows of another."""
    sex = rows().loc[TARGET, "sex"]
    site.grants(asked(MEAN | {"by": "sex"}))
    few = [{"column": "sex", "in": [sex]}, {"column": "age", "at_most": 90}]
    assert site.answer(asked(where=few)) == ("pending", ())


PATIENTS = {"kind": "category", "values": [f"p{number:03}" for number in range(120)]}
BARE = {"patient": PATIENTS} | {name: COLUMNS[name] for name in ("age", "sex", "ward", "chol")}


def test_a_plan_by_position_does_not_make_known_rows_new(fed, site):
    """It takes the line of names for a row, which has no values, and leaves out one patient."""
    bare = asked(
        columns={name: one | {"missing": "drop"} for name, one in BARE.items()} | {"sick": {"kind": "ignore"}},
        header=False,
        missing=[*BARE],
        where=[{"column": "patient", "not_in": [f"p{TARGET:03}"]}],
    )
    site.grants(asked())
    assert site.answer(bare) == ("denied", ("columns",))
    without(fed, "min_cell")
    site.grants(bare)


def test_a_plan_in_another_encoding_does_not_make_known_rows_new(fed, site):
    """Twelve patients have a letter that is another one in it: more rows than min_cell."""
    changed(fed, lambda frame: frame.assign(name=["Müller" if at % 10 == 0 else "Meier" for at in range(len(frame))]))
    columns = COLUMNS | {"patient": PATIENTS}
    other = asked(columns=columns, encoding="latin-1", where=[{"column": "patient", "not_in": [f"p{TARGET:03}"]}])
    site.grants(asked(columns=columns))
    assert site.answer(other) == ("denied", ("columns",))
    without(fed, "min_cell")
    site.grants(other)


def test_one_plan_does_not_differ_from_itself_by_few_rows(fed, site):
    changed(fed, lambda frame: frame.assign(sex=[None if at == TARGET else one for at, one in enumerate(frame["sex"])]))
    gaps = COLUMNS | {"sex": COLUMNS["sex"] | {"missing": "drop"}}
    assert site.answer(asked(MEAN, MEAN | {"name": "g", "by": "sex"}, columns=gaps)) == ("pending", ())
    assert "'g' and 'all rows, m' of this plan differ by 1 row" in site.heard


def test_a_person_who_knows_of_the_difference_lets_the_run_go_on(fed, site):
    site.grants(asked())
    spec, run = asked(where=[{"column": "age", "at_most": 90}]), "ee" * 16
    assert site.answer(spec, run) == ("pending", ())
    (waiting,) = inbox.inbox(fed.folder / "a")
    assert waiting.request.codes == ("near",)
    assert any("differ by 1 row" in line for line in waiting.rows)
    assert site.answer(spec, run) == ("pending", ())  # asking again does not help
    inbox.decide(fed.folder / "a", "approve", digest(spec).hex(), "anna")
    assert site.answer(spec, run) == ("granted", ())
    assert site.answer(spec, run) == ("granted", ())  # a restart does not ask once more


def test_preview_shows_the_difference_before_anyone_approves(fed, site):
    site.grants(asked())
    path = fed.folder / "a" / "policy.toml"
    path.write_text(path.read_text().replace('rule = "policy"', 'rule = "person"'))
    spec, run = asked(where=[{"column": "age", "at_most": 90}]), "ee" * 16
    assert site.answer(spec, run) == ("pending", ())
    shown = preview(fed.folder / "a", digest(spec).hex())
    assert any("plan 'p', granted" in line and "differ by 1 row" in line for line in shown.near)
    assert shown.document()["near"] == list(shown.near)
    inbox.decide(fed.folder / "a", "approve", digest(spec).hex(), "anna")
    assert site.answer(spec, run) == ("granted", ())


def test_rows_that_came_or_changed_are_told_apart_only_with_a_person(fed, site):
    site.grants(asked())
    changed(fed, lambda frame: frame.sample(frac=1, random_state=1))
    site.grants(asked())  # the same rows in another order
    changed(fed, lambda frame: pd.concat([frame, frame.head(2).assign(patient=["q0", "q1"])]))
    assert site.answer(asked()) == ("pending", ())
    assert "of the same plan, granted" in site.heard
    assert "differ by 2 rows" in site.heard
    changed(fed, lambda frame: pd.concat([frame, *[frame.head(1).assign(patient=f"r{n}") for n in range(20)]]))
    site.grants(asked())


def test_the_correction_of_one_value_is_a_difference(fed, site):
    site.grants(asked())
    changed(fed, lambda frame: frame.assign(chol=[178, *frame["chol"][1:]]))
    assert site.answer(asked()) == ("pending", ())


def test_models_of_nearly_the_same_rows_are_told_apart_only_with_a_person(site):
    site.grants(trained(COLUMNS))
    assert site.answer(trained(COLUMNS, where=[{"column": "age", "at_most": 90}])) == ("pending", ())
    site.grants(trained(COLUMNS, split={"test": 0.3}))
    assert site.answer(trained(COLUMNS, split={"test": 0.31})) == ("pending", ())  # a row changes sides


LINE = {"name": "line", "kind": "regression", "family": "gaussian", "target": "chol"}
CORRELATION = {"name": "r", "kind": "test", "test": "correlation", "columns": ["age", "chol"]}
WELCH = {"name": "w", "kind": "test", "test": "welch", "column": "age", "by": "sex"}
HAZARDS = {"name": "hazards", "kind": "cox", "time": "age", "event": "sick", "features": ["chol"], "bins": 3}
PCA = {"name": "c", "kind": "pca", "columns": ["age", "chol"]}
EFFECT = {
    "name": "e",
    "kind": "effect",
    "method": "aipw",
    "treatment": "sick",
    "outcome": "chol",
    "features": ["age", "sex"],
}


def ordinary():
    """Fifty plans of a study: tables, tests, fits and models over all rows, over halves, and over age bands."""
    halves = [[], [{"column": "sex", "in": ["F"]}], [{"column": "sex", "in": ["M"]}]]
    bands = [[{"column": "age", "at_least": low}, {"column": "age", "below": low + 20}] for low in (30, 45, 60)]
    kinds = [
        [MEAN],
        [MEAN | {"name": "v", "kind": "variance"}],
        [{"name": "s", "kind": "mean", "column": "age"}, {"name": "n", "kind": "count"}],
        [{"name": "h", "kind": "histogram", "column": "chol", "bins": 3}],
        [{"name": "t", "kind": "sum", "column": "chol"}, {"name": "k", "kind": "count", "column": "age"}],
        [{"name": "d", "kind": "table1", "columns": ["age", "sex", "chol"]}, CORRELATION],
        [{"name": "q", "kind": "quantile", "column": "chol"}, LINE | {"features": ["age"]}],
    ]
    fits = [
        [
            LINE | {"features": ["age", "sex", "age:sex"]},
            {"name": "g", "kind": "kmeans", "columns": ["age", "chol"], "k": 2},
        ],
        [EFFECT, CORRELATION | {"name": "p", "test": "paired"}],
        [CORRELATION | {"name": "x", "test": "chi2", "columns": ["sex", "sick"]}, WELCH, HAZARDS, PCA],
    ]
    narrow = COLUMNS | {"chol": {"kind": "number", "low": 150, "high": 320}}
    found = [asked(*some, where=where, columns=narrow) for where in [*halves, *bands] for some in kinds]
    found += [asked(MEAN | {"by": "sex"}, where=where) for where in [[], *bands]]
    sick = COLUMNS | {
        "sick": {"kind": "category", "values": ["0", "1"]},
        "age": {"kind": "number", "low": 30, "high": 80},
    }
    return [*found, *[asked(*some, columns=sick) for some in fits], trained(COLUMNS)]


@pytest.mark.slow
def test_fifty_ordinary_plans_are_granted(site):
    plans = ordinary()
    assert len(plans) == 50
    site.grants(*plans)


def tracker(privacy=None):
    """Denning's: the one row of w9, from three sums of many rows that differ by many."""
    total = {"name": "s", "kind": "sum", "column": "chol"}
    wards = [[*WARDS[:5], "w9"], WARDS[5:], WARDS]
    return [written(total, where=[{"column": "ward", "in": some}], privacy=privacy) for some in wards]


def recovered(privacy=None):
    """What the tracker tells of the cholesterol of the one row."""
    data = {"a": rows(), "b": rows(60), "c": rows(60)}
    data["b"], data["c"] = data["b"].drop(index=TARGET), data["c"].drop(index=TARGET)
    first, second, every = (potluck.run(plan, data=data).results["s"]["value"] for plan in tracker(privacy))
    return first + second - every


def test_a_tracker_of_three_sums_succeeds_and_only_noise_answers_it(site):
    site.grants(*[plan.spec for plan in tracker()])
    assert recovered() == pytest.approx(277, abs=1e-3)
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5}
    # Three noises of about 2,000 each: chance is within 20 once in 200 tries, four times once in 1e9.
    assert max(abs(recovered(noise) - 277) for _ in range(4)) > 20


def test_more_cells_than_a_site_remembers_are_refused():
    many = [Cell("c", 0, frozenset(), 5, sketch=np.full(BUCKETS, 1 + at, np.uint64)) for at in range(1025)]
    assert len(selected(many[1:], b"", 5).cells) == 1024
    with pytest.raises(Refused) as refused:
        selected(many, b"", 5)
    assert any(line in str(refused.value) for line in ELSEWHERE)


def allowed(fed, site, spec):
    """A person says yes; after three plans that did not fit, a site asks first."""
    site.runs += 1
    run = f"{site.runs:032x}"
    if site.answer(spec, run) == ("pending", ()):
        inbox.decide(fed.folder / "a", "approve", digest(spec).hex(), "anna")
        site.answer(spec, run)


RARE = {"rare": {"kind": "recode", "from": "ward", "map": {"w9": "yes", **dict.fromkeys(WARDS[:9], "no")}}}
MANY = {"kind": "category", "values": [f"p{number:03}" for number in range(130)]}
OWN = [
    lambda gaps: asked(LINE | {"features": ["ward"]}, columns=gaps),
    lambda gaps: asked(
        HAZARDS | {"name": "risk", "bins": 4},
        columns=gaps | {"sick": {"kind": "category", "values": ["0", "1"]}},
    ),
    lambda gaps: asked(
        {"name": "oldest", "kind": "mean", "column": "age"},
        columns=gaps | {"age": {"kind": "number", "low": 90, "high": 91}},
    ),
    lambda gaps: asked(
        LINE | {"name": "grouped", "features": ["age"], "errors": "cluster", "cluster": "rare"},
        columns=gaps,
        derive=RARE,
    ),
    lambda gaps: asked({"name": "grouping", "kind": "kmeans", "columns": ["age", "chol"], "k": 50}, columns=gaps),
    lambda gaps: asked(
        {"name": "t", "kind": "contingency", "columns": ["patient", "ward"]},
        columns=gaps | {"patient": MANY, "ward": MANY | {"values": [*WARDS, *MANY["values"]]}},
    ),
]
"""Plans whose refusals the guide explains, that differ from no earlier one."""


@pytest.mark.slow
def test_each_line_of_the_guide_is_what_an_owner_reads(fed, site):
    """And each is there for what the guide says that it is."""
    begun = datetime.now(UTC)
    patients = {"patient": {"kind": "category", "values": [f"p{number:03}" for number in range(60)]}}
    gaps = COLUMNS | {"sex": COLUMNS["sex"] | {"missing": "drop"}}
    site.grants(asked())
    site.answer(asked(where=[{"column": "age", "at_most": 90}]))
    changed(fed, lambda frame: pd.concat([frame, frame.head(2).assign(patient=["q0", "q1"])]))
    site.answer(asked())
    changed(fed, lambda frame: frame.assign(sex=[None if at == TARGET else one for at, one in enumerate(frame["sex"])]))
    site.answer(asked(MEAN, MEAN | {"name": "g", "by": "sex"}, columns=gaps))
    site.answer(asked(MEAN | {"by": "ward"}, columns=gaps))
    site.answer(asked(where=[{"column": "ward", "in": ["w9"]}], columns=gaps))
    site.answer(trained(gaps | patients))
    for spec in OWN:
        allowed(fed, site, spec(gaps))
    changed(fed, lambda frame: frame.assign(chol=[500 if at == TARGET else 1 for at in range(len(frame))]))
    allowed(fed, site, asked({"name": "total", "kind": "sum", "column": "chol"}, columns=gaps))
    lines = [line for line in quoted() if line not in ELSEWHERE]
    assert len(lines) == 13
    days = {one.date().isoformat() for one in (begun, datetime.now(UTC))}  # midnight may come in between
    missing = [line for line in lines if not any(line.replace("DAY", day) in site.heard for day in days)]
    assert missing == [], site.heard
