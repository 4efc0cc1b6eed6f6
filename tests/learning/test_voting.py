"""How a site judges an announced model: by which rows, by which loss, against which of the models before it."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import log_loss, mean_squared_error

from potluck.core.asks import Kind, Votes
from potluck.core.party import site
from potluck.core.plan import Split, Training
from potluck.core.tables.training import Vote
from potluck.learning import voting
from potluck.learning.check import check
from potluck.learning.evaluation.validation import Look
from potluck.learning.loops import TrainTask
from potluck.learning.models.losses import MOST_LOSS
from potluck.learning.models.model import model
from potluck.learning.training.trained import Vote as Cast
from potluck.learning.training.trained import minority
from support.learning.sums import NONE, PrivacyPlan, heart, hospitals, replaced

TOLERANCE = 0.05
VOTING = Training(method="gradient", rounds=6, vote=Vote(tolerance=TOLERANCE))


def plan(validation=None, **more):
    spec = heart(training=VOTING, **more)
    return replaced(spec, data=replaced(spec.data, split=Split(test=0.34, validation=validation, seed=43)))


def asked(spec, step, weights):
    state = weights.astype("<f8").data.toreadonly().cast("B")
    return TrainTask(spec).ask(Kind.TRAIN, step, state)


def fresh(spec, name="cleveland"):
    return replace(next(one for one in hospitals(spec).values() if one.site == name), losses={}, votes={})


@pytest.fixture(scope="module")
def scaled():
    """(the plan, the first model's weights, a direction down which the loss falls)."""
    spec = plan()
    rows = fresh(spec)
    first = TrainTask(spec)._method.initial()
    x, y = rows.inputs[rows.train], rows.target[rows.train]
    slope = np.concatenate([[np.mean(y - 0.5)], x.T @ (y - 0.5) / len(y)])
    return spec, first, slope


@pytest.mark.parametrize("validation", [None, 0.2])
def test_rows_that_judge_are_validation_rows_else_training_rows_and_never_test_rows(validation):
    spec = plan(validation)
    rows = fresh(spec)
    index = voting.judges(spec, rows)
    assert index.tolist() == np.flatnonzero(rows.validation if validation else rows.train).tolist()
    assert len(index) > 10
    assert not rows.test[index].any()


def test_the_loss_is_the_mean_log_loss_of_scikit_learn(scaled):
    spec, _, slope = scaled
    rows = fresh(spec)
    found, index = model(spec, 3 * slope), voting.judges(spec, rows)
    sure = 1 / (1 + np.exp(-found.margins(rows.inputs[index])[:, 0]))
    assert voting.mean_loss(found, rows, index) == pytest.approx(log_loss(rows.target[index], sure), rel=1e-12)
    assert voting.mean_loss(found, rows, index[:0]) is None
    wild = model(spec, 1e8 * slope)
    assert 0 < voting.mean_loss(wild, rows, index) <= MOST_LOSS


def test_of_a_number_it_is_half_the_squared_error():
    import pandas as pd

    from potluck.core.plan import Data, Model, Target
    from support.learning.sums import category, frames, make, number

    columns = {"x": number(0, 10), "c": category("u", "v"), "y": number(-5, 5)}
    spec = make(data=Data(columns=columns, target=Target(column="y")), model=Model(kind="linear"), training=VOTING)
    draw = np.random.default_rng(0)
    data = {"x": draw.uniform(0, 10, 50), "c": draw.choice(["u", "v"], 50), "y": draw.uniform(-5, 5, 50)}
    rows = frames(spec, pd.DataFrame(data))["a"]
    found = model(spec, draw.normal(size=len(TrainTask(spec)._method.initial())) / 4)
    guess = found.margins(rows.inputs)[:, 0]
    said = voting.mean_loss(found, rows, np.arange(50))
    assert said == pytest.approx(mean_squared_error(rows.target, guess) / 2, rel=1e-12)


def test_a_site_is_against_what_is_worse_than_the_best_by_more_than_the_tolerance(scaled):
    """Not than the last: a model that gets worse a little each round is refused as soon as all of it is too much."""
    spec, first, slope = scaled
    rows = fresh(spec)
    index = voting.judges(spec, rows)

    def loss(weights):
        return voting.mean_loss(model(spec, weights), rows, index)

    assert not voting.against(spec, asked(spec, 0, first), rows)
    best = 4 * slope
    assert loss(best) < loss(first) - 2 * TOLERANCE
    assert not voting.against(spec, asked(spec, 1, best), rows)
    path = [best * part for part in np.linspace(1, -1, 400)]
    near = next(one for one in path if loss(best) + 0.03 < loss(one) < loss(best) + TOLERANCE)
    over = next(one for one in path if loss(best) + TOLERANCE < loss(one) < loss(near) + TOLERANCE)
    assert not voting.against(spec, asked(spec, 2, near), rows)
    assert voting.against(spec, asked(spec, 3, over), rows)
    assert voting.against(spec, asked(spec, 3, over), rows)  # a round that is done again asks again
    assert not voting.against(spec, asked(spec, 4, best), rows)


def test_a_site_that_remembers_nothing_or_has_no_rows_is_against_nothing(scaled):
    spec, first, slope = scaled
    assert not voting.against(spec, asked(spec, 3, -50 * slope), fresh(spec))  # started again
    bare = fresh(spec)
    bare = replace(bare, validation=np.zeros(len(bare.target), np.bool_), test=np.ones(len(bare.target), np.bool_))
    assert not len(voting.judges(spec, bare))
    assert not voting.against(spec, asked(spec, 0, first), bare)
    assert not voting.against(spec, asked(spec, 1, -50 * slope), bare)
    assert bare.losses == {}


def test_half_is_enough_and_fewer_are_not():
    def down(against, voted):
        sites = [site(name) for name in "abcdefg"[:voted]]
        return Votes(frozenset(sites), frozenset(sites[:against])).down

    assert [down(one, 4) for one in range(5)] == [False, False, True, True, True]
    assert [down(one, 5) for one in range(6)] == [False, False, False, True, True, True]


def test_what_votes_need():
    good = plan()
    assert check(good)[0] == []
    noisy = plan(privacy=PrivacyPlan(noise="shared", unit="row", epsilon=1.0, delta=1e-5, clip=1.0))
    assert any(line.startswith("training.vote: ") for line in check(noisy)[0])
    assert not any(line.startswith("data.split.validation") for line in check(plan(0.2))[1])
    two = replaced(good, federation=replaced(good.federation, sites=("cleveland", "va")))
    assert any("of two sites one is half" in line for line in check(two)[1])
    liars = replaced(good, federation=replaced(good.federation, corrupt=2))
    assert any("may be half of those who vote" in line for line in check(liars)[1])
    assert not any(line.startswith("training.vote") for line in check(good)[1])
    assert good.privacy == NONE


def test_an_owner_is_told_who_was_outvoted_and_how_the_loss_of_its_own_rows_went(scaled):
    spec, _, _ = scaled
    rows = fresh(spec)
    assert voting.for_owner(spec, rows) == ()
    every = frozenset(map(site, "abc"))
    for step, against in enumerate(["", "c", "c", "", "ac"][1:], 1):
        rows.votes[step] = Votes(every, frozenset(map(site, against)))
    rows.losses.update({0: 0.6931, 1: 0.5, 2: 0.25, 3: 0.9, 4: 1.0})
    assert voting.for_owner(spec, rows) == (
        "in 4 votes c was against the model in 2 of 4 votes (rounds 1 to 2) and was outvoted; "
        "a, c voted down that of round 4",
        "the models' mean loss over rows of yours: 0.693 at first, 1.000 at last, 0.250 at best",
    )
    rows.votes.clear()
    rows.votes[1] = Votes(every, frozenset())
    assert voting.for_owner(spec, rows)[0] == "in 1 vote nobody was against a model"


def test_a_run_warns_of_who_was_outvoted_and_says_what_looks_saw_meanwhile():
    votes = [Cast(1, (), 3), Cast(2, ("c",), 3), Cast(3, ("a", "c"), 4), Cast(4, ("c",), 3)]
    assert minority([Cast(1, (), 3), Cast(3, ("a", "c"), 4)], ()) == ()
    looks = [Look(1, 0.61, accuracy=0.858), Look(2, 0.5), Look(4, 0.7, accuracy=0.674)]
    (said,) = minority(votes, looks)
    assert said.startswith(
        "c was against the model in 2 of 4 votes (rounds 2 and 4) and was outvoted; on the validation rows of all "
        "sites, from round 1 to 4, the mean loss went from 0.610 to 0.700 and accuracy went from 0.858 to 0.674. hint: "
    )
