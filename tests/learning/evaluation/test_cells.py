"""Held-out rows that are counted, against the same rows laid out by the definition of their cells."""

import tracemalloc

import numpy as np
import pytest

from potluck.core.asks import Kind
from potluck.core.fixed import decode, encode, signed
from potluck.core.plan import Data, Model, PrivacyPlan, Split, Target, Training
from potluck.core.stages import Clip, Grid, GridBlock, Update
from potluck.dp.mechanism import mechanism
from potluck.learning.data.table import Table
from potluck.learning.loops import build
from potluck.secret.random import system
from support.learning.laid_out import cells_of
from support.learning.sums import NONE, category, make, number

CLASSES = ("a", "b", "c")


def hidden(unit, **more):
    return PrivacyPlan(noise="reveal", unit=unit, epsilon=1.0, delta=1e-5, clip=1.0, **more)


PRIVACY = [NONE, hidden("row"), hidden("person", evaluation=0.5), hidden("person", evaluation=0.5, rows_per_person=3)]


def plan(privacy, side):
    target = category(*CLASSES) if side == "classes" else category("0", "1")
    columns = {"u": number(-1, 1), "v": number(-1, 1), "y": target}
    said = {
        "classes": Target(column="y", classes=CLASSES),
        "labels": Target(columns=("y", "z", "w"), positive=("1",), negative=("0",)),
    }.get(side, Target(column="y", positive=("1",)))
    person = "who" if privacy.unit == "person" else None
    data = Data(columns=columns, target=said, split=Split(test=0.5), person=person, max_rows=10**5)
    kind, method = (
        "logistic" if side == "binary" else "network",
        "gradient" if side == "binary" or privacy != NONE else "average",
    )
    return make(data=data, privacy=privacy, model=Model(kind=kind), training=Training(method=method, expected_rows=50))


def table(side, n=400, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n, 3) if side == "labels" else n
    target = rng.integers(0, 3 if side == "classes" else 2, shape).astype(np.float64)
    features = rng.choice([-1.0, 1.0, 0.0, 0.3], (n, 2)) * rng.random((n, 1))
    return Table(features, target, rng.integers(0, n // 3, n), rng.random(n) < 0.5, {}, ())


def both(spec, rows, size, seed=1):
    """(words of the counts, words of the units laid out, bounded one by one)."""
    task = build(spec)
    weights = size * np.random.default_rng(seed).uniform(-1, 1, len(next(task.lead()).state) // 8)
    ask = task.ask(Kind.EVALUATE, 0, weights.tobytes())
    bound = mechanism(spec, ask)
    (given,) = task.contribute(ask, rows, system)
    return given.encode(bound.grid, bound.limit).words, encode(bound.clip(Update(cells_of(task, ask, rows)))).words


CASES = [(privacy, "binary", size) for privacy in PRIVACY for size in (0.0, 0.7, 30.0, 1e4)]
CASES += [(NONE, "classes", size) for size in (0.7, 7.0)]
CASES += [(privacy, "labels", 0.7) for privacy in PRIVACY]


@pytest.mark.parametrize(("privacy", "side", "size"), CASES)
def test_counts_are_the_words_of_units_laid_out(privacy, side, size):
    found, laid = both(plan(privacy, side), table(side), size)
    assert found.any()
    assert np.array_equal(found, laid)


def test_a_score_that_is_no_number_falls_into_a_cell_too():
    """Else an error would tell of a row."""
    rows = table("binary")
    rows.features[rows.test] = np.nan
    for privacy in PRIVACY[:2]:
        found, laid = both(plan(privacy, "binary"), rows, 1.0)
        assert np.array_equal(found, laid)


def test_of_labels_a_persons_rows_in_the_same_cells_reach_the_bound_and_no_further():
    """All rows of a person are alike: what it adds is as long as the noise supposes, to rounding."""
    spec = plan(PRIVACY[3], "labels")
    rows = table("labels", n=60)
    rows.features[:], rows.target[:], rows.test[:], rows.person[:] = 0.3, 1.0, True, 0
    task = build(spec)
    weights = np.random.default_rng(1).uniform(-1, 1, len(next(task.lead()).state) // 8)
    ask = task.ask(Kind.EVALUATE, 0, weights.tobytes())
    bound = mechanism(spec, ask)
    (given,) = task.contribute(ask, rows, system)
    words = given.encode(bound.grid, bound.limit).words
    added = decode(words, bound.grid)
    assert sorted(added[added != 0]) == [3.0, 3.0, 3.0]  # three labels, rows_per_person = 3
    assert np.linalg.norm(added) == pytest.approx(ask.blocks[0].l2)
    assert ask.blocks[0].l2 == 3 * 3**0.5


def test_a_site_without_held_out_rows_adds_nothing():
    rows = table("binary", n=30)
    rows.test[:] = False
    for privacy in PRIVACY[:2]:
        assert not both(plan(privacy, "binary"), rows, 1.0)[0].any()


def test_rows_are_not_laid_out():
    """In one piece their cells take 800 MB."""
    spec, rows = plan(NONE, "binary"), table("binary", n=100_000)
    task = build(spec)
    ask = task.ask(Kind.EVALUATE, 0, np.zeros(3).tobytes())
    bound = mechanism(spec, ask)
    (given,) = task.contribute(ask, rows, system)
    tracemalloc.start()
    given.encode(bound.grid, bound.limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12e6


@pytest.mark.parametrize(("step", "most"), [(1.0, 2.9), (2.0, 3.0), (0.75, 3.0)])
def test_a_clip_that_would_cut_or_a_grid_that_would_round_is_refused(step, most):
    spec, rows = plan(PRIVACY[3], "binary"), table("binary")
    task = build(spec)
    (given,) = task.contribute(task.ask(Kind.EVALUATE, 0, np.zeros(3).tobytes()), rows, system)
    with pytest.raises(ValueError, match="nothing is rounded or clipped"):
        given.encode(Grid((GridBlock("cells", 22, step, 1e6),), 64), Clip((most,)))


def edged(features, seed):
    """A row and weights [p + 1] whose log-odds are 0 but for the order in which they are added up: a bin's edge."""
    rng = np.random.default_rng(seed)
    row, weights = rng.uniform(-1, 1, features), np.append(0.0, rng.uniform(-1, 1, features))
    weights[-1] = -(row[:-1] @ weights[1:-1]) / row[-1]
    return row, weights


def test_a_row_that_is_taken_away_moves_one_cell_and_no_other_row():
    """A matrix product adds up the last rows of a batch in another order: then other rows would move as well."""
    features = 50
    columns = {f"c{place}": number(-1, 1) for place in range(features)} | {"y": category("0", "1")}
    said = Target(column="y", positive=("1",))
    data = Data(columns=columns, target=said, split=Split(test=0.5), max_rows=10**5)
    spec = make(
        data=data,
        privacy=hidden("row"),
        model=Model(kind="logistic"),
        training=Training(method="gradient", expected_rows=50),
    )
    task = build(spec)
    for seed in range(30):
        row, weights = edged(features, seed)
        ask = task.ask(Kind.EVALUATE, 0, weights.tobytes())
        bound = mechanism(spec, ask)

        def words(n, row=row, ask=ask, bound=bound):
            rows = Table(np.tile(row, (n, 1)), np.zeros(n), None, np.ones(n, dtype=bool), {}, ())
            (given,) = task.contribute(ask, rows, system)
            return signed(given.encode(bound.grid, bound.limit).words) * bound.grid.parts[0].step

        moved = words(8) - words(7)
        assert np.abs(moved).sum() == 1, seed
