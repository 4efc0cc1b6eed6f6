"""Who is a person: a plan that calls a measurement one hides no patient. An owner's policy says which column may be."""

import dataclasses
import math
import threading
import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

import potluck
from potluck.api.network import inbox
from potluck.api.network.preview import preview
from potluck.cli.text import spent
from potluck.core.asks import Kind
from potluck.dp.events import zcdp
from potluck.dp.mechanism import mechanism
from potluck.learning.data import persons
from potluck.learning.data.table import read
from potluck.learning.loops import build
from potluck.mpc.psi.keys import digest_of
from potluck.report.page import render
from potluck.secret.random import system
from support.hostile.asked import OTHER, RUN, answer, policy
from support.parties import across, scene
from support.parties.across import Across

K = 24
"""Rows of one patient, each with a cholesterol of its own."""
DELTA = 1e-5
PERSON = {"noise": "site", "unit": "person", "epsilon": 1.0, "delta": DELTA, "clip": 0.5}


def plan(column: str, **data):
    made = scene.plan(privacy=PERSON).set("data.person", column).set("training.rounds", 1)
    for key, value in data.items():
        made = made.set(f"data.{key}", value)
    return made


def rows() -> pd.DataFrame:
    """K rows of patient 0 and one of each other; every row has another cholesterol."""
    frame = scene.frames("a", 60)["a"].assign(patient=[0] * K + list(range(1, 37)), chol=np.arange(60) + 150.5)
    frame.loc[frame.patient == 0, ["x", "z", "y"]] = (2.0, 1.0, 1)
    return frame


def moved(spec, every: pd.DataFrame) -> float:
    """How far the first training sum moves, in clips, where the patient takes its rows away."""
    task = build(spec)
    ask = next(task.lead())
    bound = mechanism(spec, ask)

    def total(frame):
        table = read(frame, spec, "a")
        trained = dataclasses.replace(table, test=np.zeros_like(table.test))  # all rows, whatever the split says
        return sum(bound.clip(update).values.sum(axis=0) for update in task.contribute(ask, trained, system))

    return float(np.linalg.norm(total(every) - total(every[every.patient != 0]))) / bound.limit.l2[0]


def loss(spread: float) -> float:
    """The epsilon at DELTA of a Gaussian sum that moves by `spread` deviations (Balle and Wang 2018, theorem 8)."""

    def excess(epsilon: float) -> float:
        a, b = spread / 2 - epsilon / spread, -spread / 2 - epsilon / spread
        return norm.cdf(a) - math.exp(epsilon + norm.logcdf(b)) - DELTA

    return brentq(excess, 0, 1000)


def true_epsilon(column: str) -> float:
    spec = plan(column).spec
    cost = mechanism(spec, next(build(spec).lead())).cost
    assert (cost.phase, cost.releases) == (Kind.TRAIN, 1)
    return loss(moved(spec, rows()) * math.sqrt(2 * zcdp(cost.event)))


def test_a_patient_whose_cholesterol_is_called_the_person_loses_forty_times_what_the_plan_says():
    """Known answers: one unit moves a sum by one clip at most, K units of the same direction by K clips."""
    assert moved(plan("patient").spec, rows()) == pytest.approx(1, abs=1e-6)
    assert moved(plan("chol").spec, rows()) == pytest.approx(K, rel=1e-6)
    assert true_epsilon("patient") < 1
    assert true_epsilon("chol") > 40


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    folder = across.found(tmp_path_factory.mktemp("persons"), "abcd")
    rows().to_csv(folder / "a" / "rows.csv", index=False)
    return folder


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def asked(fed, spec, line="", run=RUN):
    policy(fed, "a", ("[approve]", f"{line}\n[approve]"))
    with fed.site("a", threading.Event()) as one:
        said = answer(fed, one, spec, run)
    return said.verdict, said.codes


@pytest.mark.parametrize(
    "line", ["", 'units = ["person"]', "person = []", 'units = ["*"]\nperson = ["patient", "id*"]']
)
def test_a_plan_cannot_call_a_measurement_the_person(fed, line):
    assert asked(fed, plan("chol").spec, line) == ("denied", ("person",))
    assert not any("nobody" in words for words in fed.heard["a"])
    assert "a person would be whatever column 'chol' says" in " ".join(fed.heard["a"])


@pytest.mark.parametrize("line", ['person = ["*"]', 'person = "*"', 'person = ["ch*"]'])
def test_a_policy_that_lets_any_column_be_the_person_lets_that_in(fed, line):
    """The control: with it the patient loses what `true_epsilon` says."""
    assert asked(fed, plan("chol").spec, line) == ("granted", ())


def test_the_column_that_the_owner_names_is_let_in_and_noise_for_rows_needs_none(fed):
    assert asked(fed, plan("patient").spec, 'person = ["patient"]') == ("granted", ())
    row = plan("chol").set("privacy.unit", "row").spec
    assert asked(fed, row, run=OTHER) == ("granted", ())


def test_a_plan_without_header_cannot_call_a_measurement_by_the_patients_name(fed):
    """The file's last column is the cholesterol, and the plan calls it patient."""
    number = {"kind": "number", "low": -3, "high": 3}
    ignored = {"kind": "ignore"}
    columns = {
        "p": number,
        "q": number,
        "y": {"kind": "category", "values": ["0", "1"]},
        "r": ignored,
        "patient": ignored,
    }
    spec = plan("patient", columns=columns, header=False).spec
    assert asked(fed, spec, 'person = ["patient"]') == ("denied", ("person",))
    policy(fed, "a", ('rule = "policy"', 'rule = "person"'))
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"  # somebody looks: the inbox shows the place
    (waiting,) = inbox.inbox(fed.folder / "a")
    assert "patient (number 5)" in waiting.learnt


def test_the_owner_reads_which_column_a_person_is_and_how_many_there_are(fed):
    policy(fed, "a", ("[approve]", 'person = "*"\n[approve]'), ('rule = "policy"', 'rule = "person"'))
    spec = plan("chol").spec
    with fed.site("a", threading.Event()) as one:
        assert answer(fed, one, spec).verdict == "pending"
    (waiting,) = inbox.inbox(fed.folder / "a")
    assert "for every person, who is whatever column 'chol' says" in waiting.cost
    found = preview(fed.folder / "a", waiting.request.hash)
    assert found.document()["persons"] == {"column": "chol", "distinct": 60, "most_rows": 1}
    assert str(found.persons) == "a person is whatever column 'chol' says: 60 different ones, the largest with 1 row"


def test_check_explain_the_run_and_its_report_name_the_column(tmp_path):
    """Of plans whose files lie here nobody's policy is asked: the words are all there is."""
    made = plan("chol")
    given = {name: frame.assign(chol=range(len(frame))) for name, frame in scene.frames().items()}
    run = potluck.run(made, given, out=tmp_path / "run", ledger=tmp_path / "ledger")
    assert run.document["privacy"]["person"] == "chol"
    assert "unit person by column 'chol'" in spent(run.document)
    assert "a person is whatever the column “chol” says" in render(run.folder)
    assert "(unit person, by column 'chol', add-or-remove-one)" in potluck.check(made).summary()
    notes = [row["note"] for row in potluck.explain(made).rows() if row["party"] == "server" and row["of"] == "the sum"]
    assert "a person, who is whatever column 'chol' says" in notes[0]
    row = plan("chol").set("privacy.unit", "row")  # the control: noise for rows says nothing of a person
    assert "person" not in potluck.check(row).summary()
    assert not any("whatever column" in row["note"] for row in potluck.explain(row).rows())


# One spelling.

SPELT = ("Zoé", unicodedata.normalize("NFD", "Zoé"), " Zoé", "Zoé\u00a0")


@pytest.mark.parametrize("undone", [False, True])
def test_one_patient_in_two_spellings_cannot_be_two_persons(monkeypatch, undone):
    """The control: without the one spelling the patient's loss grows by the number of spellings."""
    if undone:
        monkeypatch.setattr(persons, "normal", lambda text: text)
        monkeypatch.setattr(persons, "_alike", lambda name: name)
    names = [SPELT[row % len(SPELT)] for row in range(K)] + [f"p{row}" for row in range(36)]
    expected = len(SPELT) if undone else 1
    assert moved(plan("name").spec, rows().assign(name=names)) == pytest.approx(expected, rel=1e-6)


@given(st.text(max_size=4), st.text(max_size=4))
def test_two_names_are_one_person_where_they_are_one_key(one, other):
    same = persons.normal(one) == persons.normal(other)
    assert same == (digest_of([one]) == digest_of([other]))


def test_a_person_that_is_a_declared_number_is_warned_of():
    made = plan(
        "chol",
        columns={"x": {"kind": "number", "low": -3, "high": 3}, "chol": {"kind": "number", "low": 0, "high": 500}},
    )
    assert any("chol is declared as a number" in line for line in made.problems()[1])
    made = made.set("data.columns.chol", {"kind": "ignore"})
    assert not any("declared as a number" in line for line in made.problems()[1])
