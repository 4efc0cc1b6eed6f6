"""How far one row moves the sum, and that a sum which was not reckoned for is refused."""

from dataclasses import replace

import numpy as np
import pytest

from potluck.core.asks import Kind
from potluck.core.fixed import decode
from potluck.core.party import site
from potluck.core.rounds import Abort
from potluck.core.stages import Clip
from potluck.dp.account import DiscreteGauss
from potluck.dp.mechanism import mechanism
from potluck.learning.evaluation.finished.cells import Counts
from potluck.learning.evaluation.finished.task import EvaluateTask
from potluck.tasks.sums.local import here
from support.learning.judged import NOISE, finished, plan, sites


def summed(made, frames):
    """(by block what site a's rows add, the mechanism)."""
    played = here(made, frames)
    task = EvaluateTask(played.spec)
    ask = next(task.lead())
    privacy = mechanism(played.spec, ask)
    (given,) = task.contribute(ask, played.rows[site("a")], bytes)
    found = privacy.clip(given) if hasattr(given, "values") else given.encode(privacy.grid, privacy.limit)
    values = found.values.sum(axis=0) if hasattr(found, "values") else decode(found.words, privacy.grid)
    return {name: values[where] for name, where in privacy.grid.slices().items()}, privacy


@pytest.mark.torch
@pytest.mark.parametrize(
    "kind", ["logistic", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("linear", "classes", "labels"))]
)
def test_one_row_more_moves_each_block_by_what_its_noise_was_reckoned_for(tmp_path, kind):
    model = finished(kind)
    made, frames = plan(tmp_path, [model], privacy=NOISE, by="sex"), sites(model)
    whole, privacy = summed(made, frames)
    for place in (0, 7, 100):
        fewer = frames | {"a": frames["a"].drop(index=place)}
        without, _ = summed(made, fewer)
        for one, most in zip(whole, privacy.limit.l2, strict=True):
            moved = np.linalg.norm(whole[one] - without[one])
            assert 0 < moved <= most * (1 + 1e-9)
            counts = {"labels": 4, "classes": 3 if one.startswith("scores") else 1}.get(kind, 1)
            assert kind == "linear" or moved == pytest.approx(np.sqrt(counts))


def test_one_model_of_two_sides_has_the_noise_of_a_row_that_moves_one_count(tmp_path):
    _, privacy = summed(plan(tmp_path, [finished()], privacy=NOISE), sites())
    assert isinstance(privacy.cost.event, DiscreteGauss)
    assert privacy.cost.event.sensitivity * privacy.grid.parts[0].step == 1
    assert privacy.real(privacy.sigma)[0] == pytest.approx(3.731, rel=0.01)  # the reckoning of one whole coordinate


def test_a_person_counts_with_so_many_rows_and_moves_the_sum_by_no_more(tmp_path):
    person = NOISE | {"unit": "person", "rows_per_person": 3}
    made = plan(tmp_path, [finished()], privacy=person, data={"person": "who"})
    frames = {name: frame.assign(who=[f"{name}{place // 8}" for place in range(len(frame))])
              for name, frame in sites().items()}  # fmt: skip
    whole, privacy = summed(made, frames)
    gone = frames | {"a": frames["a"][frames["a"]["who"] != "a3"]}
    without, _ = summed(made, gone)
    assert np.abs(whole["scores 1"] - without["scores 1"]).sum() == 3
    assert privacy.limit.l2[0] == pytest.approx(3)


def test_counts_refuse_a_bound_or_a_grid_that_was_not_reckoned_for_them(tmp_path):
    played = here(plan(tmp_path, [finished()], privacy=NOISE), sites())
    privacy = mechanism(played.spec, next(EvaluateTask(played.spec).lead()))
    rows = played.rows[site("a")]
    given = Counts(played.spec, played.spec.models, rows, np.arange(rows.rows))
    with pytest.raises(ValueError, match="counted"):
        given.encode(privacy.grid, Clip((0.5,)))
    (part,) = privacy.grid.parts
    with pytest.raises(ValueError, match="counted"):
        given.encode(replace(privacy.grid, parts=(replace(part, step=part.step * 3),)), privacy.limit)


@pytest.mark.parametrize(("kind", "step", "state"), [("train", 0, b""), ("evaluate", 1, b""), ("evaluate", 0, b"x")])
def test_a_site_adds_to_no_other_sum(tmp_path, kind, step, state):
    task = EvaluateTask(plan(tmp_path, [finished()]).spec)
    with pytest.raises(Abort, match="the plan has no sum"):
        task.ask(Kind(kind), step, state)


@pytest.mark.slow
def test_a_model_that_says_nothing_of_a_row_puts_it_somewhere(tmp_path):
    """A weight so large that margins are infinite: a failure would tell of the row."""
    model = finished()
    model.weights[:] = 1e308
    found, _ = summed(plan(tmp_path, [model]), sites())
    assert found["scores 1"].sum() == 240
