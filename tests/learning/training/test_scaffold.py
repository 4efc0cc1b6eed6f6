"""SCAFFOLD against its paper written out, and against the fit of all rows, which plain averaging misses."""

import numpy as np
import pytest

from potluck.core.asks import Kind
from potluck.core.plan import Model, Training
from potluck.core.rounds import Abort, Cause
from potluck.learning.check import check
from potluck.learning.kept import InMemory
from potluck.learning.loops import build
from potluck.secret.random import system
from support.learning.batches import batches
from support.learning.sums import answer, heart, hospitals, replaced, run
from support.learning.tiny import noised, pooled, tiny

LOCAL = {"method": "average", "local": "scaffold", "steps": 13, "batch": 32, "rate": 0.3}


def scaffold(**more):
    return heart(training=Training(**LOCAL | more))


def by_the_paper(spec, sides, rounds):
    """Algorithm 1, option II, by rows: w, c, and each site's c_i after so many rounds."""
    how, total = spec.training, sum(len(y) for _, y in sides)
    w = np.zeros(sides[0][0].shape[1] + 1)
    c, own = np.zeros_like(w), [np.zeros_like(w) for _ in sides]
    free = np.concatenate([[0.0], np.ones(len(w) - 1)])
    for step in range(rounds):
        moved, turned = np.zeros_like(w), np.zeros_like(w)
        for place, (x, y) in enumerate(sides):
            rows, local = np.column_stack([np.ones(len(x)), x]), w.copy()
            for some in batches(how, step, len(y)):
                error = 1 / (1 + np.exp(-(rows[some] @ local))) - y[some]
                down = rows[some].T @ error / len(some) + spec.model.l2 / (len(sides) * len(y)) * free * local
                local = local - how.rate * (down - own[place] + c)
            after = own[place] - c + (w - local) / (how.steps * how.rate)
            moved += len(y) * (local - w) / total
            turned += len(y) * (after - own[place]) / total
            own[place] = after
        w, c = w + moved, c + turned
    return w, c, own


def test_it_is_the_papers_algorithm():
    spec = scaffold(rounds=4)
    tables = hospitals(spec)
    sides = [pooled({"": one}) for one in tables.values()]
    w, c, own = by_the_paper(spec, sides, 4)
    assert np.abs(run(build(spec), tables).model.weights - w).max() < 1e-12
    for one, control in zip(tables.values(), own, strict=True):
        assert np.abs(one.kept.last() - control).max() < 1e-12
    rows = np.array([len(y) for _, y in sides])
    assert np.abs(np.average(own, axis=0, weights=rows) - c).max() < 1e-12  # c is the mean of the c_i


def test_a_site_that_is_lost_on_the_way_keeps_its_part_in_the_common_control_variate():
    """As the paper has it: c is the mean over all sites, of whom some take part."""
    spec = scaffold(rounds=4)
    tables = hospitals(spec)
    task = build(spec)
    lead, after = task.lead(), {}
    ask = next(lead)
    for step in range(3):
        ask = lead.send(answer(ask, task, tables if step < 2 else {n: t for n, t in tables.items() if n != "va"}))
        after = {name: table.kept.last() for name, table in tables.items()}
    rows = [len(pooled({"": one})[1]) for one in tables.values()]
    c = np.frombuffer(ask.state)[len(np.frombuffer(ask.state)) // 2 :]
    assert np.abs(np.average([*after.values()], axis=0, weights=rows) - c).max() < 1e-12


def test_it_comes_to_the_fit_of_all_rows_and_plain_averaging_does_not():
    """Long rounds of full batches lead each site to its own fit: only what corrects them comes to the common one."""
    held = {"model": Model(kind="logistic", l2=20.0)}
    fit = run(build(heart(**held)), hospitals(heart())).model.weights
    found = {}
    for word in ("plain", "scaffold"):
        spec = heart(training=Training(**LOCAL | {"local": word, "rounds": 60, "batch": 10_000, "rate": 1.5}), **held)
        found[word] = np.abs(run(build(spec), hospitals(spec)).model.weights - fit).max()
    assert found["scaffold"] < 0.01
    assert found["plain"] > 0.1


def test_a_step_that_is_done_again_begins_from_what_belongs_to_it():
    """A round that came to nothing, at any step: the same numbers, and the same model at the end."""
    spec = scaffold(rounds=4)
    once, again = hospitals(spec), hospitals(spec)
    clean = run(build(spec), once).model.weights
    task = build(spec)
    lead = task.lead()
    ask = next(lead)
    try:
        while True:
            if ask.kind is Kind.TRAIN:
                tries = [next(task.contribute(ask, again["va"], system)).values for _ in range(3)]
                assert np.array_equal(tries[0], tries[1])
                assert np.array_equal(tries[0], tries[2])
            ask = lead.send(answer(ask, task, again))
    except StopIteration as stop:
        assert np.array_equal(stop.value.model.weights, clean)
    assert np.array_equal(once["va"].kept.last(), again["va"].kept.last())


def test_what_is_not_there_ends_the_round_and_nothing_starts_at_zero():
    spec = scaffold(rounds=3)
    tables = hospitals(spec)
    task = build(spec)
    lead = task.lead()
    first = next(lead)
    second = lead.send(answer(first, task, tables))
    third = lead.send(answer(second, task, tables))
    tables["va"].kept.steps.clear()
    with pytest.raises(Abort) as caught:
        list(task.contribute(third, tables["va"], system))
    assert caught.value.cause is Cause.KEPT
    assert not tables["va"].kept.steps
    with pytest.raises(Abort) as caught:  # a site that missed a step
        list(task.contribute(third, hospitals(spec)["cleveland"], system))
    assert caught.value.cause is Cause.KEPT


def test_a_step_at_another_model_is_refused():
    spec = scaffold(rounds=3)
    tables = hospitals(spec)
    task = build(spec)
    lead = task.lead()
    second = lead.send(answer(next(lead), task, tables))
    list(task.contribute(second, tables["va"], system))
    moved = np.frombuffer(second.state).copy()
    moved[0] += 1e-9
    with pytest.raises(Abort) as caught:
        list(task.contribute(task.ask(second.kind, 1, moved.tobytes()), tables["va"], system))
    assert caught.value.cause is Cause.KEPT


def test_two_steps_are_kept_and_no_more():
    kept = InMemory()
    for step in range(5):
        kept.keep(step, b"model", np.full(3, step))
        assert set(kept.steps) == {max(0, step - 1), step}
        assert kept.before(step) is None or kept.before(step)[0] == step - 1
    with pytest.raises(Abort):
        kept.before(3)


def test_a_control_variate_beyond_the_range_stops_the_site():
    spec = scaffold(rounds=1, range=0.05, rate=0.01)  # the weights stay within, the mean gradient does not
    with pytest.raises(Abort) as caught:
        run(build(spec), hospitals(spec))
    assert caught.value.cause is Cause.RANGE
    assert "control variate" in caught.value.detail


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"training": {"steps": None}}, "training.steps: scaffold divides by it"),
        ({"training": {"aggregation": "median"}}, 'training.local: "scaffold" go with the mean alone'),
        ({"privacy": noised("site")}, 'training.local: no noise goes with "scaffold"'),
    ],
)
def test_what_it_does_not_go_with_is_refused(keys, said):
    spec = tiny(**LOCAL)
    for table, given in keys.items():
        changed = replaced(getattr(spec, table), **given) if isinstance(given, dict) else given
        spec = replaced(spec, **{table: changed})
    assert any(line.startswith(said) for line in check(spec)[0])


def test_that_it_can_be_worse_is_told():
    assert any("corrected steps do worse" in line for line in check(scaffold())[1])
