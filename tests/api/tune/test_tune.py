"""`potluck.tune`: it chooses what a loop of runs chooses, test rows are in nothing, and ledgers know the price."""

import json
import math

import msgspec
import numpy as np
import pytest
from dp_accounting import GaussianDpEvent
from dp_accounting.rdp import RdpAccountant
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score

import potluck
from potluck.api.results.outcome import Run
from potluck.api.tune.tune import tuning
from potluck.api.tune.tuned import Result, Tuned, best_of, told_apart
from potluck.core.errors import PlanError, Refused, UsageError
from potluck.learning.data.table import read
from potluck.learning.evaluation.two_sided import of_area
from potluck.owner.budget import Budget
from potluck.owner.policy import DELTA
from support.docs.keys import keys, section
from support.learning import one_of_two

GRID = {"model.l2": [0.01, 30.0, 3000.0]}
NOISE = {"noise": "site", "unit": "row", "epsilon": 4.0, "delta": 1e-5, "clip": 1.0}
STEPS = {"method": "gradient", "rounds": 3, "rate": 1.0, "expected_rows": 240}


def plan(word="clear", **tables):
    return one_of_two.plan(word, {"validation": 0.3}, **tables)


def sites(rows=120, flipped=None):
    """flipped: which of the rows of column `side` have the other label."""
    # A frame's index is its row's number over all sites.
    found = {
        name: frame.assign(side=np.where(frame.index % 4, "rest", "test"))
        for name, frame in one_of_two.sites(rows).items()
    }
    if flipped is None:
        return found
    return {name: frame.assign(y=np.where(flipped(frame), 1 - frame["y"], frame["y"])) for name, frame in found.items()}


def values(tuned):
    return [one["metrics"] for one in tuned.document["candidates"]]


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    return potluck.tune(plan(), GRID, sites(), out=tmp_path_factory.mktemp("tuned") / "clear")


def test_it_is_a_loop_of_runs_and_scikit_learn_chooses_the_same(clear, tmp_path):
    """Each candidate is a plan that anybody can run, and its metrics are those of a fit on the same rows elsewhere."""
    found = list[float]()
    for number, l2 in enumerate(GRID["model.l2"]):
        one = plan(model={"kind": "logistic", "l2": l2}, evaluate={"rows": "validation"})
        assert clear.document["candidates"][number]["plan"] == one.hash
        run = potluck.run(one, sites(), out=tmp_path / str(number))
        assert run.metrics["federated"] == values(clear)[number]
        tables = [read(frame, one.spec, name) for name, frame in sites().items()]
        train, held = (
            (np.concatenate([t.features[side(t)] for t in tables]), np.concatenate([t.target[side(t)] for t in tables]))
            for side in (lambda t: t.train, lambda t: t.test)
        )
        fit = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=1000).fit(*train)
        assert run.metrics["federated"]["rows"] == len(held[1])
        assert run.metrics["federated"]["accuracy"] == accuracy_score(held[1], fit.predict(held[0]))
        found.append(roc_auc_score(held[1], fit.decision_function(held[0])))
        assert run.metrics["federated"]["auc"] == pytest.approx(found[-1], abs=2e-3)  # by 1,024 bins
    assert len({round(one, 3) for one in found}) > 1
    assert clear.settings == {"model.l2": GRID["model.l2"][int(np.argmax(found))]}


@pytest.mark.parametrize(
    "word", ["mask", *(pytest.param(word, marks=pytest.mark.slow) for word in ("share", "he", "tee"))]
)
def test_every_protection_chooses_as_clear_does(word, clear, tmp_path):
    found = potluck.tune(plan(word), GRID, sites(), out=tmp_path / "out")
    assert values(found) == values(clear)
    assert found.settings == clear.settings


def test_labels_of_test_rows_change_nothing_of_the_choice(tmp_path):
    split = {"column": "side", "validation": 0.3, "seed": 3}
    by_column = plan(data=plan().tables["data"] | {"split": split})

    def tuned(name, flipped=None):
        found = potluck.tune(by_column, {"model.l2": [0.01, 30.0]}, sites(flipped=flipped), out=tmp_path / name)
        return found, [json.loads((tmp_path / name / f"0{n}" / "run.json").read_text())["model"] for n in (1, 2)]

    first, models = tuned("as they are")
    other, again = tuned("flipped", lambda frame: frame["side"] == "test")
    assert values(other) == values(first)
    assert [one["digest"] for one in models] == [one["digest"] for one in again]
    shuffled, _ = tuned("others flipped", lambda frame: (frame["side"] != "test") & (frame.index % 3 == 0))
    assert values(shuffled) != values(first)  # what the labels of other rows do


def test_the_best_plan_is_the_users_own_with_the_chosen_values(clear, tmp_path):
    (chosen,) = clear.settings.values()
    assert clear.best.hash == plan(model={"kind": "logistic", "l2": chosen}).hash
    run = potluck.run(clear.best, sites(), out=tmp_path / "run")
    tables = [read(frame, clear.best.spec, name) for name, frame in sites().items()]
    assert run.metrics["federated"]["rows"] == sum(int(one.test.sum()) for one in tables)
    assert not any((one.test & one.validation).any() for one in tables)


def test_its_folder_says_all_of_it_again_and_the_table_has_a_line_a_candidate(clear):
    again = Tuned.read(clear.folder)
    assert again.document == json.loads(json.dumps(clear.document))
    assert list(again.table["model.l2"]) == GRID["model.l2"]
    assert list(again.table["auc"]) == [one["auc"] for one in values(clear)]
    assert "best settings" in again._repr_html_()
    with pytest.raises(UsageError, match="is no tuning"):
        Tuned.read(clear.folder / "01")


def test_rows_that_judge_are_a_fifth_of_the_others_where_the_plan_does_not_say(tmp_path):
    split = {"test": 0.2, "seed": 3}
    spec = plan(data=plan().tables["data"] | {"split": split}, training=STEPS, privacy=NOISE)
    meant = tuning(spec, GRID, sites(), ledger=tmp_path)
    one = meant.candidates[0].plan.spec
    assert (one.data.split.validation, one.training.expected_rows) == (0.16, 192)
    assert meant.cost.usual
    assert any("a fifth" in line for line in meant.cost.lines())
    tables = [read(frame, one, name) for name, frame in sites().items()]
    beside = [read(frame, spec.spec, name) for name, frame in sites().items()]
    for mine, other in zip(tables, beside, strict=True):
        assert not (mine.test & other.test).any()  # no test row of the plan judges
        assert not (mine.train & other.test).any()  # nor trains
        assert (mine.train | mine.test | other.test).all()


def independent(events):
    """Epsilon of so many Gaussian sums, by another accountant. events: noise over sensitivity."""
    accountant = RdpAccountant(orders=np.arange(1.01, 400, 0.01))
    for sigma in events:
        accountant.compose(GaussianDpEvent(sigma))
    return accountant.get_epsilon(DELTA)


@pytest.mark.slow
def test_ledgers_say_what_was_said_before_and_another_accountant_too(tmp_path):
    spec, out = plan(training=STEPS, privacy=NOISE), tmp_path / "out"
    lines, sums = list[str](), list[str]()
    found = potluck.tune(
        spec, {"training.rate": [0.1, 1.0]}, sites(), out=out, ledger=tmp_path / "ledger",
        beforehand=lines.append, progress=lambda ask: sums.append(lines[-1]),
    )  # fmt: skip
    assert f"epsilon {found.document['cost']['epsilon']:.4g} at each owner for all of it" in "".join(lines)
    assert len(sums) == 8  # and each began after it was said
    cost = found.document["cost"]
    named = keys(msgspec.to_builtins(found.document), frozenset({*"abc", "training.rate"}))
    assert named - section("tune") <= keys(values(found), frozenset())  # which are those of a run
    assert cost["trainings"] == 2
    assert cost["epsilon_added_up"] == 8
    for name in "abc":
        with Budget(tmp_path / "ledger" / f"{name}.sqlite") as budget:
            runs = budget.history()
            assert [one.releases for one in runs] == [4, 4]  # three rounds and one judgement each
            assert budget.composed() == pytest.approx(cost["epsilon"], rel=1e-9)
            assert found.document["composed"][name] == budget.composed()
            events = [(one.phase.value, one.event) for run in runs for one in budget._costs(run.run)]
        # A row trains or judges, in all runs alike: the dearer counts. Of a Gaussian sum rho is 1 / (2 sigma^2).
        train = [1 / math.sqrt(2 * event.rho) for phase, event in events if phase == "train"]
        judge = [event.sigma / event.sensitivity for phase, event in events if phase == "evaluate"]
        assert (len(train), len(judge)) == (6, 2)
        assert cost["epsilon"] == pytest.approx(max(independent(train), independent(judge)), rel=0.02)
    potluck.run(found.best, sites(), out=tmp_path / "run")  # which is charged in the same ledgers
    with Budget(tmp_path / "ledger" / "a.sqlite") as budget:
        assert [one.releases for one in budget.history()] == [4, 4, 4]
    assert all(one["auc_low"] <= one["auc_high"] for one in values(found))
    assert all(one["epsilon"]["a"] == pytest.approx(4.0, rel=0.02) for one in found.document["candidates"])


def test_an_end_in_the_middle_keeps_what_was_paid_for_and_charges_no_sum_twice(tmp_path):
    spec, out, sums = plan(training=STEPS, privacy=NOISE), tmp_path / "out", list[str]()

    def pull(ask):
        sums.append(ask.kind.value)
        if len(sums) == 7:  # within the second candidate
            raise KeyboardInterrupt

    rates = {"training.rate": [0.1, 1.0, 2.0]}
    with pytest.raises(KeyboardInterrupt):
        potluck.tune(spec, rates, sites(), out=out, ledger=tmp_path / "ledger", progress=pull)
    assert sorted(one.name for one in out.iterdir()) == ["01", "tune.json"]
    kept = Tuned.read(out)
    assert [one["number"] for one in kept.document["candidates"]] == [1]
    assert kept.notes == ["1 of 3 candidates were tried"]
    with pytest.raises(UsageError, match="no candidate could be judged"):
        _ = kept.best
    with Budget(tmp_path / "ledger" / "a.sqlite") as budget:
        assert [(one.releases, one.state) for one in budget.history()] == [(4, "finished"), (2, "finished")]
    settled = {"out": None, "ledger": tmp_path / "ledger", "resume": out}
    meant = tuning(spec, rates, sites(), ledger=tmp_path / "ledger", resume=out)
    assert (meant.cost.trainings, meant.cost.done) == (2, 1)
    whole = potluck.tune(spec, rates, sites(), **settled)
    assert [one["value"] is not None for one in whole.document["candidates"]] == [True] * 3
    assert whole.document["candidates"][0]["metrics"] == kept.document["candidates"][0]["metrics"]
    with Budget(tmp_path / "ledger" / "a.sqlite") as budget:
        assert [one.releases for one in budget.history()] == [4, 2, 4, 4]  # the first candidate's once
        assert budget.composed() == pytest.approx(meant.cost.owners["a"].then, rel=1e-9)
    with pytest.raises(UsageError, match="has ended, and has its best plan"):
        tuning(spec, rates, sites(), resume=out)
    (out / "best.toml").unlink()
    with pytest.raises(UsageError, match="of another plan, grid or version"):
        tuning(spec, {"training.rate": [0.2, 1.0, 2.0]}, sites(), resume=out)
    with pytest.raises(UsageError, match="holds no candidate that was judged"):
        tuning(spec, rates, sites(), resume=tmp_path)
    del sums[:]
    sums += ["another"] * 4
    with pytest.raises(KeyboardInterrupt):  # before anything was judged
        potluck.tune(spec, rates, sites(), out=tmp_path / "none", ledger=tmp_path / "ledger", progress=pull)
    assert not (tmp_path / "none").exists()


def test_above_the_cap_nothing_runs_and_nothing_is_charged(tmp_path):
    spec = plan(training=STEPS, privacy=NOISE)
    arguments = {"data": sites(), "out": tmp_path / "out", "ledger": tmp_path / "ledger"}
    with pytest.raises(Refused, match=r"3 trainings would come to epsilon [\d.]+, above the cap of 5; nothing was run"):
        potluck.tune(spec, GRID, cap=5.0, **arguments)
    assert list(tmp_path.iterdir()) == []


def test_a_candidate_that_cannot_be_trained_ends_no_other(tmp_path):
    """A rate at which the model of a number leaves every range."""
    columns = plan().tables["data"]["columns"] | {"y": {"kind": "number", "low": 0, "high": 1}}
    data = plan().tables["data"] | {"columns": columns, "target": {"column": "y"}}
    spec = plan(data=data, model={"kind": "linear"}, training={"method": "gradient", "rounds": 30})
    found = potluck.tune(spec, {"training.rate": [0.5, 1e6]}, sites(), out=tmp_path / "out")
    good, bad = found.document["candidates"]
    assert good["failed"] is None
    assert bad["failed"] is not None
    assert bad["value"] is None
    assert found.settings == {"training.rate": 0.5}
    assert any(line.startswith("candidate 2 could not be trained") for line in found.warnings)


WRONG = {
    "empty": ({}, UsageError, "the grid is empty"),
    "no list": ({"model.l2": 3}, UsageError, "takes a list of values"),
    "one value": ({"model.l2": [3]}, UsageError, "nothing to choose"),
    "protection": ({"protect.with": ["mask", "clear"]}, UsageError, "who sees what"),
    "epsilon": ({"privacy.epsilon": [1, 2]}, UsageError, "always takes the larger epsilon"),
    "rows": ({"data.split.seed": [1, 2]}, UsageError, "which side of the split"),
    "federation": ({"federation.corrupt": [0, 1]}, UsageError, "whom the plan trusts"),
    "what judges": ({"evaluate.rows": ["test", "validation"]}, UsageError, "judge each candidate alike"),
    "unknown table": ({"modell.l2": [1, 2]}, UsageError, "no grid takes it"),
    "unknown key": ({"model.l3": [1, 2]}, PlanError, r"with model.l3 = 1: .*model\.l3.*l2"),
    "refused value": ({"model.l2": [1, -2]}, PlanError, r"with model.l2 = -2"),
    "the same": ({"model.l2": [1, 1.0]}, PlanError, "is the same plan as with model.l2 = 1"),
    "too many": ({"model.l2": [*range(101)]}, UsageError, "101 combinations"),
    "two keys": ({"model.l2": [1, 2], "training.rounds": [3, 0]}, PlanError, "model.l2 = 1, training.rounds = 0"),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG.keys())
def test_what_no_grid_is_says_why_and_which_combination(case, tmp_path):
    grid, kind, words = case
    with pytest.raises(kind, match=words):
        potluck.tune(plan(), grid, sites(6), out=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_settings_that_change_who_sees_what_are_not_chosen_by_rows(tmp_path):
    average = plan(training={"method": "average", "rounds": 2})
    with pytest.raises(PlanError, match=r'local = "ditto".*sees something else than with training.local = "plain"'):
        potluck.tune(average, {"training.local": ["plain", "ditto"]}, sites(6), out=tmp_path / "out")


NOT_TUNED = {
    "no split": ({"data": {k: v for k, v in plan().tables["data"].items() if k != "split"}}, "data.split is missing"),
    "persons": (
        {"privacy": NOISE | {"unit": "site"}, "training": STEPS | {"method": "average"}},
        "no metrics are released",
    ),
}


@pytest.mark.parametrize("case", NOT_TUNED.values(), ids=NOT_TUNED.keys())
def test_without_rows_or_metrics_that_choose_it_says_what_to_write(case, tmp_path):
    tables, words = case
    with pytest.raises(PlanError, match=words):
        potluck.tune(plan("mask", **tables), GRID, sites(6), out=tmp_path / "out")


def test_a_metric_that_the_target_lacks_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"rmse.*one of auc, accuracy"):
        potluck.tune(plan(), GRID, sites(6), metric="rmse", out=tmp_path / "out")


def test_arrays_are_values_too(tmp_path):
    found = potluck.tune(plan(), {"model.l2": np.logspace(-1, 0, 2)}, sites(), metric="accuracy", out=tmp_path / "out")
    assert [one["settings"] for one in found.document["candidates"]] == [{"model.l2": 0.1}, {"model.l2": 1.0}]


def test_exact_numbers_of_all_candidates_are_counted_together(tmp_path):
    """One training of 51 numbers over about 180 rows is not said to name members, and two are."""
    network = plan("mask", model={"kind": "network", "layers": [4]}, training={"method": "gradient", "rounds": 3})
    meant = tuning(network, {"training.rate": [0.1, 1.0]}, sites(), ledger=tmp_path)
    assert not any("attack equations" in line for one in meant.candidates for line in one.verdict.warnings)
    (line,) = [line for line in meant.warnings if "attack equations" in line]
    assert "about 102 different exact numbers are opened in all rounds of 2 trainings" in line


def candidate(low, high, value=None, metric="auc", **more):
    """As a run with noise says it; value: None where noise makes it impossible."""
    said = {metric: value, f"{metric}_low": low, f"{metric}_high": high, **more}
    return Result(None, Run(None, {"metrics": {"federated": said}, "privacy": {"epsilon": None}}), metric)


def test_the_best_is_the_best_by_the_end_beyond_which_it_is_where_noise_leaves_no_value():
    """An AUC of 1.02 is none, and the candidate that has it is likely to be the best."""
    middle, low = candidate(0.7, 0.8, 0.75), candidate(0.0, 0.2, 0.1)
    above, below = (candidate(0.0, 1.0, auc_beyond=end) for end in (1.0, 0.0))
    assert (above.value, above.guessed, middle.guessed) == (1.0, True, False)
    assert best_of([middle, above, below]) is above
    assert best_of([middle, below]) is middle
    assert [told_apart(one, above) for one in (middle, above, below)] == [False, None, False]
    assert told_apart(low, middle) is True
    without = candidate(0.9, 1.0, metric="r2")
    assert (without.value, without.guessed) == (0.95, True)
    nothing = candidate(0.0, None, metric="rmse")
    assert nothing.value is None
    assert best_of([nothing]) is None


def test_of_equals_the_first_is_the_best_and_less_is_better_where_it_is():
    first, second, worse = (candidate(0, 9, value, "rmse") for value in (2.0, 2.0, 3.0))
    assert best_of([worse, first, second]) is first


@pytest.mark.slow
def test_two_equally_good_candidates_are_rarely_told_apart():
    """Two noised counts of the same scores, 4,000 times: their intervals share nothing in fewer than 1 of 100.

    From a seed. By pencil and paper: two equal normal noises differ by more than 2 x 1.96 of one by a chance of .006.
    """
    draw, sides, std, apart = np.random.default_rng(8), np.zeros((2, 11)), 4.0, 0
    sides[0], sides[1] = np.linspace(60, 10, 11), np.linspace(10, 60, 11)
    for _ in range(4000):
        one, other = (of_area(*(sides + draw.normal(0, std, sides.shape)), std).noise for _ in range(2))
        apart += one[1] < other[0] or other[1] < one[0]
    assert apart / 4000 < 0.01
