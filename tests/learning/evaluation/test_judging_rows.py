"""`evaluate.rows = "validation"`: those rows judge the model as held-out ones do else, and test rows are in nothing."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from potluck.core.plan import Evaluate, Federation, Split, Training
from potluck.learning.check import check
from potluck.learning.data.split import held_out
from potluck.learning.evaluation import two_sided
from potluck.learning.loops import build
from support.learning.sums import heart, hospitals, replaced
from support.learning.sums import run as summed

NEWTON = Training(method="newton", rounds=8)
SPLIT = Split(test=0.3, validation=0.2, seed=1)
JUDGED = Evaluate(rows="validation")
FOUR = Federation(sites=("cleveland", "hungarian", "switzerland", "va"), server="curious")


def spec(split=SPLIT, evaluate=JUDGED, **more):
    made = heart(training=NEWTON, evaluate=evaluate, federation=FOUR, **more)
    return replaced(made, data=replaced(made.data, split=split))


def test_test_rows_are_in_no_sum_and_validation_rows_stand_in_their_place():
    plan, usual = spec(), spec(evaluate=None)
    for name, table in hospitals(plan).items():
        other = hospitals(usual)[name]
        assert np.array_equal(table.test, other.validation)
        assert np.array_equal(table.train, other.train)
        assert not (table.test & other.test).any()
        tally = table.tally
        assert (tally.held, tally.validation) == (int(other.test.sum()), int(other.validation.sum()))
        assert (tally.trained, tally.judging) == (int(table.train.sum()), int(table.test.sum()))
        assert other.tally.judging == int(other.test.sum())


def test_the_model_is_that_of_the_usual_plan_and_the_area_is_that_of_its_scores_on_these_rows():
    """Fixed bins, which a model that is held down fills less than a hundred of, miss it; bins that follow it do not."""
    plan = spec()
    plan = replaced(plan, model=replaced(plan.model, l2=3e5))
    tables = hospitals(plan)
    found, usual = (summed(build(one), tables, grid=True) for one in (plan, replaced(plan, evaluate=None)))
    assert found.model.digest() == usual.model.digest()
    rows, target = (
        np.concatenate(some)
        for some in zip(*((one.features[one.test], one.target[one.test]) for one in tables.values()), strict=True)
    )
    exact = roc_auc_score(target, found.model.margins(rows)[:, 0])
    assert found.metrics.rows == len(target)
    assert found.metrics.auc == pytest.approx(exact, abs=3e-3)
    assert abs(usual.metrics.auc - exact) > 0.02
    low, high = usual.metrics.population["auc"]
    assert low < exact < high
    assert any("scores fill few bins" in line for line in usual.warnings)
    assert not any("few bins" in line for line in found.warnings)


def test_scores_that_are_equal_are_no_fault_of_the_bins():
    """Half of the rows have one score and half another, far from it: a tie is a tie, and nothing is warned of."""
    sides = np.zeros((2, 1024))
    sides[:, 300], sides[:, 700] = (40, 10), (10, 40)
    assert two_sided.of_bins(sides, 512, 0.0).ties == 0
    near = np.zeros((2, 1024))
    near[:, 512], near[:, 515] = (40, 10), (10, 40)
    assert two_sided.of_bins(near, 512, 0.0).ties == pytest.approx(2 * 400 / 2500)


def test_how_many_rows_judge_follows_from_the_rows_that_train():
    """By hand: of 1,000 rows 300 are tested, 200 looked at, 500 train."""
    plan = spec()
    plan = replaced(plan, training=Training(method="newton", expected_rows=500))
    assert held_out(plan) == pytest.approx(200)
    assert held_out(replaced(plan, evaluate=None)) == pytest.approx(300)
    column = Split(column="side", validation=0.2)  # a quarter is supposed to be held out: 750 others, 150 of them
    by_column = replaced(
        plan, data=replaced(plan.data, split=column), training=Training(method="newton", expected_rows=600)
    )
    assert held_out(by_column) == pytest.approx(150)


WRONG = {
    "no validation rows to judge by": {"split": Split(test=0.3)},
    "folds judge by rows that train": {"evaluate": Evaluate(rows="validation", folds=3)},
    "of finished models": {"evaluate": Evaluate(rows="validation", bins=10)},
}


@pytest.mark.parametrize("words", WRONG)
def test_what_it_does_not_go_with_is_refused_by_name(words):
    errors, _ = check(spec(**WRONG[words]))
    assert len(errors) == 1
    assert words in errors[0]
    assert check(spec()) == ([], [])
