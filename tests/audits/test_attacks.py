"""Attacks find true rows where nothing hides them, and nothing where their record is empty; each has its control."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import potluck
from potluck.api.proof.attack import Attacked
from potluck.audits.aggregation.uniform import UNIFORM, Uneven
from potluck.audits.attack import Until
from potluck.audits.attacks import ATTACKS
from potluck.audits.control import control
from potluck.audits.reconstruction import gram
from potluck.audits.reconstruction.analytic import ANALYTIC
from potluck.audits.reconstruction.differencing import DIFFERENCING
from potluck.audits.reconstruction.rates import RATES
from potluck.audits.rows import Rows, farthest
from potluck.audits.trial import trials
from potluck.core.errors import PotluckError, UsageError
from potluck.core.seeded import generator
from potluck.core.wire import dump, load
from potluck.learning.data.table import read
from potluck.mpc.mask import pairs
from potluck.tasks.sums.halves import Opening
from support.audits.recorded import LOGISTIC, RELU, changed, frames, plan, seen

NOISE = {"noise": "site", "unit": "row", "epsilon": 8.0, "delta": 1e-5, "clip": 1.0}
FOREVER = Until(float("inf"), generator(0))


def attacked(folder, rows, who="server", **keys):
    found = potluck.attack(folder, who, data=rows, **keys)
    return {(one.name, one.of): one for one in found.results}


def test_one_division_finds_every_row_that_stands_alone(one_row):
    folder, _, rows = one_row
    found = attacked(folder, rows)
    for site in "abc":
        it = found["analytic", (site,)]
        assert it.verdict.succeeded
        assert it.verdict.score == 1.0
        assert "1 of 1 rows" in it.verdict.words
        assert "to the last digit" in it.verdict.words
        assert it.control
    (guess,) = [one for one in ANALYTIC.tried(seen(*one_row[:2], "server"), FOREVER) if one.of == {"b"}]
    assert guess.guesses[0, :5] == pytest.approx(rows["b"].iloc[0, :5].to_numpy(float), abs=1e-9)


def test_masks_hide_no_row_from_a_server_that_opens_sums_of_few(masked, only):
    only(ANALYTIC)
    it = attacked(masked[0], masked[2], "server,a")["analytic", ("b", "c")]
    assert it.verdict.succeeded
    assert it.verdict.score == 1.0


@pytest.mark.usefixtures("repeatable")
def test_noise_hides_them_and_the_control_says_that_it_is_the_noise(tmp_path, only):
    only(ANALYTIC)
    spec, rows = plan(privacy=NOISE, expected_rows=3), frames(1)
    done = potluck.attack(potluck.run(spec, rows, out=tmp_path / "run", record=True).folder, data=rows)
    assert done.scored
    assert done.why.startswith("no exact sum tells")
    (it,) = [one for one in done.results if one.name == "analytic"]
    assert it.verdict.succeeded is False
    assert it.control
    assert "on made-up rows that nothing protects it succeeds, with one row a site" in it.verdict.words


@pytest.mark.slow
@pytest.mark.usefixtures("repeatable")
def test_a_control_is_no_easier_than_what_is_attacked(tmp_path):
    """Of forty rows one division finds none here, whoever protects them. Of one it would, and vouch for the noise."""
    spec = plan(privacy=NOISE, expected_rows=120, rounds=1).set("model.layers", [2])
    run = potluck.run(spec, frames(40), out=tmp_path / "run", record=True)
    known = seen(run.folder, spec, "server")
    sizes = [
        {len(rows.train) for rows in truth.values()} for _, truth in control(spec.spec, generator(1), 40, True).scenes
    ]
    assert sizes == [{40}, {40, 41}]
    assert {rows.rows for rows in control(spec.spec, generator(1), 10**6).scenes[0][1].values()} == {64}
    results = tuple(trials(known, {}, 10, 0, lambda name: None, [ANALYTIC]))
    assert not any(one.control for one in results)
    assert "fails on made-up rows that nothing protects, too, with 40 rows a site" in results[0].verdict.words
    (said,) = {line.split(" analytic")[0] for line in Attacked(("server",), results, False, "", True).lines()}
    assert said == "no answer"


def test_the_first_slope_of_a_logistic_model_is_the_rate_of_each_site(tmp_path, only):
    only(RATES)
    rows = frames(40)
    rows["b"]["y"] = ["1"] * 31 + ["0"] * 9
    found = attacked(potluck.run(plan(model=LOGISTIC), rows, out=tmp_path / "run", record=True).folder, rows)
    it = found["rates", ("b",)]
    assert it.verdict.succeeded
    assert "off by 0.000 at most" in it.verdict.words
    assert f"{31 / 40:.3f}" not in it.verdict.words  # a report is passed on, and a rate of one row is its label
    assert it.verdict.score > 1 - 1e-9 > it.verdict.baseline
    (guess,) = [one for one in RATES.tried(seen(tmp_path / "run", plan(model=LOGISTIC), "server"), FOREVER)
                if one.of == {"b"}]  # fmt: skip
    assert guess.values == pytest.approx([31 / 40], abs=1e-9)


def test_first_slopes_beside_a_gram_matrix_are_the_means_of_each_side(tmp_path):
    rows, spec = frames(40), plan(model=LOGISTIC).set("training", {"method": "newton", "rounds": 2})
    run = potluck.run(spec, rows, out=tmp_path / "run", record=True)
    _, means = [one for one in RATES.tried(seen(run.folder, spec, "server"), FOREVER) if one.of == {"b"}]
    by_side = [rows["b"].loc[rows["b"].y == side, list("uvwxz")].mean().to_numpy() for side in "10"]
    found = means.values.reshape(2, -1)
    assert found[:, :5] == pytest.approx(np.array(by_side), abs=1e-6)
    assert found[:, 5:].sum(axis=1) == pytest.approx(1, abs=1e-6)  # the category's values: each row has one
    truth = {site: read(frame, spec.spec, site) for site, frame in rows.items()}
    results = trials(seen(run.folder, spec, "server"), truth, 10, 0, lambda name: None, [RATES])
    it = [one for one in results if one.of == ("b",)]
    assert [one.verdict.succeeded for one in it] == [True, True]
    assert all(one.verdict.score > 0.999 for one in it)


@pytest.mark.parametrize("word", ["mask", pytest.param("clear", marks=pytest.mark.slow)])
def test_a_record_whose_numbers_are_zero_gives_every_attack_nothing(one_row, masked, tmp_path, word):
    def zeroed(line, body):
        if line["step"] in ("clear/input", "mask/input", "gave"):
            return bytes(len(body))
        if line["step"] == "opened":
            opened = load(body, Opening)
            return dump(Opening(opened.givers, bytes(len(opened.words))))
        return body

    hidden = [one.name for one in ATTACKS if one is not UNIFORM]
    folder, _, rows = masked if word == "mask" else one_row
    found = potluck.attack(changed(folder, tmp_path / "zeros", zeroed), "server,a", data=rows)
    compared = {"letters"} if word == "mask" else set()
    assert {one.name for one in found.results} == {one.name for one in ATTACKS} | compared
    assert {one.name for one in found.results if one.name == "letters" and one.verdict.succeeded} == compared
    assert [one.name for one in found.results if one.verdict.succeeded and one.name in hidden] == []
    assert any(one.name == "uniform" and one.verdict.succeeded for one in found.results)  # zeros are no masks


class FewBits(pairs.Keystream):
    """Masks of which only two bytes of each word are random."""

    def read_into(self, view):
        super().read_into(view)
        words = np.frombuffer(view, "<u8")
        words &= 0xFFFF


class Again(pairs.Keystream):
    """The same mask in every round."""

    def __init__(self, key):
        super().__init__(type(key)(bytes(32)))


@pytest.mark.parametrize("bug", [None, FewBits, pytest.param(Again, marks=pytest.mark.slow)])
def test_words_under_masks_are_random_and_under_faulty_ones_are_not(tmp_path, monkeypatch, only, bug):
    only(UNIFORM)
    if bug:
        monkeypatch.setattr(pairs, "Keystream", bug)
    rows = frames(4)
    folder = potluck.run(plan("mask"), rows, out=tmp_path / "run", record=True).folder
    it = attacked(folder, rows)["uniform", ("a", "b", "c")]
    assert it.verdict.succeeded is bool(bug)
    assert it.control


def test_an_attack_that_fails_without_protection_too_is_said_to_prove_nothing(one_row):
    class Blind:
        name, sort, reference = "blind", ANALYTIC.sort, "none"

        def fits(self, seen):
            return None

        def tried(self, seen, until):
            return []

    (it,) = trials(seen(*one_row[:2], "server"), {}, 10, 0, lambda name: None, [Blind()])
    assert it.control is False
    assert "does not work here" in it.verdict.words


def test_without_true_rows_what_was_found_is_shown_and_not_scored(one_row, only, monkeypatch, tmp_path):
    only(ANALYTIC)
    monkeypatch.chdir(tmp_path)
    found = potluck.attack(one_row[0])
    (it,) = [one for one in found.results if one.name == "analytic" and one.of == ("a",)]
    assert not found.scored
    assert "names no files" in found.why
    assert it.verdict.score is None
    assert "not here to compare" in it.verdict.words


@pytest.mark.slow
@pytest.mark.parametrize("word", [pytest.param("clear", marks=pytest.mark.slow), "mask"])
def test_rows_that_are_not_those_of_the_run_are_not_compared(one_row, masked, only, word):
    only(ANALYTIC)
    folder, _, rows = one_row if word == "clear" else masked
    changed_since = dict(rows) | {"b": rows["b"].assign(**{rows["b"].columns[0]: 0.123})}
    done = potluck.attack(folder, "server,a", data=changed_since)
    assert done.why == "the rows of site b that are here are not those of that run"
    found = {one.of: one.verdict for one in done.results if one.name == "analytic"}
    of = ("b",) if word == "clear" else ("b", "c")
    assert found[of].succeeded is (True if word == "clear" else None)  # of several rows guesses may be means
    assert found[of].score is None
    assert "by the record alone" in found[of].words
    assert not potluck.attack(folder, "server,a", data=rows).why


def test_what_the_record_alone_proves_no_other_rows_deny():
    guess = Rows(frozenset("a"), np.zeros((1, 2)), "a division", lambda table: np.ones((3, 2)), sure=True)
    it = guess.judged({"a": None})
    assert it.succeeded is None
    assert it.words.startswith("of site a 1 row was found by the record alone")
    assert it.words.endswith("none of which is here: are these the rows of that run?")
    doubtful = replace(guess, sure=False).judged({"a": None})
    assert doubtful.succeeded is False
    assert "1 guess was made, some" in replace(guess, sure=False).judged({}).words


def test_a_gram_matrix_of_two_rows_gives_two_rows_whatever_values_they_have():
    rows = np.array([[1, 0.3, 1, 0], [1, -0.2, 0, 1]])
    found = np.array(list(gram._rows(rows.T @ rows, np.array([2, 3]))))
    assert found.shape == (2, 3)
    assert farthest(rows[:, 1:], found).max() < 1e-9


def test_letters_and_earlier_runs_of_another_plan_are_refused(one_row, masked):
    with pytest.raises(UsageError, match="run of another plan") as error:
        potluck.attack(one_row[0], before=masked[0])
    assert error.value.where == str(masked[0])
    with pytest.raises(UsageError, match="letters have to be those of that run"):
        potluck.attack(one_row[0], record=masked[0] / "parcels")


@pytest.mark.parametrize(("who", "said"), [("a,b,c", "nobody's rows are left"), ("server,", "a name is empty")])
def test_a_coalition_of_all_sites_or_of_no_name_is_refused(one_row, who, said):
    with pytest.raises(UsageError, match=said):
        potluck.attack(one_row[0], who)


def test_words_in_the_clear_with_noise_were_never_to_look_random(one_row):
    known = seen(*one_row[:2], "server")
    assert UNIFORM.fits(replace(known, plan=plan(privacy=NOISE, expected_rows=3).spec)).startswith(
        "what sites sent is not masked"
    )


def test_a_control_is_of_no_ones_rows_and_of_no_protection():
    noise = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5, "clip": 1.0}
    made = control(plan("mask", privacy=noise, expected_rows=100).spec, generator(1))
    ((once, truth),) = made.scenes
    assert once.plan.protect.scheme == "clear"
    assert not once.plan.noisy
    assert {name: rows.rows for name, rows in truth.items()} == dict.fromkeys("abc", 1)


TARGETS = {
    "a side": ({"column": "out", "positive": ["yes"]}, LOGISTIC),
    "a class": ({"column": "out", "classes": ["i", "j", "k"]}, RELU),
    "labels": ({"columns": ["one", "two"], "positive": ["yes"]}, RELU),
}


@pytest.mark.parametrize("word", TARGETS)
def test_a_target_that_stands_beside_the_declared_columns_is_made_up_too(word):
    """As that of the quickstart."""
    target, model = TARGETS[word]
    spec = plan(model=model)
    spec = spec.set("data.target", target)
    made = control(spec.spec, generator(1))
    assert made.why == ""
    assert {name: rows.rows for name, rows in made.scenes[0][1].items()} == dict.fromkeys("abc", 1)


@pytest.mark.slow
def test_of_statistics_no_attack_on_slopes_is_tried_and_it_says_why(tmp_path):
    spec = potluck.Plan(
        name="s", purpose="a test", task="statistics", federation={"sites": ["a", "b", "c"], "server": "curious"},
        data={"columns": {"u": {"kind": "number", "low": -1, "high": 1}}, "max_rows": 100}, privacy={"noise": "none"},
        statistics=[{"name": "h", "kind": "histogram", "column": "u", "bins": 200}], protect={"with": "mask"},
    )  # fmt: skip
    rows = frames(8)
    folder = potluck.run(spec, rows, out=tmp_path / "r", record=True).folder
    found = {one.name: one for one in potluck.attack(folder).results}
    assert [name for name, one in found.items() if one.tried] == ["uniform", "survivors", "published", "letters"]
    assert found["uniform"].verdict.succeeded is False
    assert "no control" in found["uniform"].verdict.words
    assert "was not tried: " in found["analytic"].verdict.words
    twice = replace(seen(folder, spec, "server"), before=seen(folder, spec, "server"))
    assert DIFFERENCING.fits(twice).startswith("sums of statistics are compared by tracker")


@pytest.mark.parametrize(
    ("chance", "said"),
    [
        (0.0, "random words are as uneven less than once in 1,000,000,000 times"),
        (2e-6, "random words are as uneven once in 500,000 times"),
        (1.0, "random words are as uneven most times"),
    ],
)
def test_a_chance_is_said_as_odds_and_never_as_0_or_1(chance, said):
    words = Uneven(frozenset("a"), chance, 200).judged({}).words
    assert words.endswith(f"(counts of bits of 200 words and of their differences: {said})")


@pytest.mark.slow
@pytest.mark.torch
def test_files_of_a_plan_are_looked_for_where_it_is_said(tmp_path, monkeypatch, only):
    """Of rows, and of a graph, without which the plan is not that of the record."""
    only(ANALYTIC)
    monkeypatch.chdir(tmp_path)
    potluck.graph(torch.nn.Linear(8, 1), inputs={"features": [8]}, path="one.graph")
    rows = frames(1)
    for site, frame in rows.items():
        frame.to_csv(f"{site}.csv", index=False)
    spec = plan(model={"kind": "network", "graph": "one.graph", "l2": 0.0})
    spec = spec.set("data.files", {site: f"{site}.csv" for site in rows}).set("protect.recheck", True)
    potluck.run(spec, out="run", record=True)
    (tmp_path / "away").mkdir()
    monkeypatch.chdir(tmp_path / "away")
    with pytest.raises(PotluckError, match=r"one\.graph.*--data FOLDER says where"):
        potluck.attack(tmp_path / "run")
    with pytest.raises(PotluckError, match=r"one\.graph"):
        potluck.attack(tmp_path / "run", data="nowhere")
    found = potluck.attack(tmp_path / "run", data=tmp_path)
    assert found.scored
    assert [one.verdict.score for one in found.results if one.name == "analytic"] == [1.0] * 3
