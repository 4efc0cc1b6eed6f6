"""`boosted_trees` in the engine is `training.grow` on plain rows; what an owner may not give is found out in secret."""

import json

import numpy as np
import pytest

from potluck.core.fitting import Take
from potluck.core.rounds import Abort
from potluck.engines.worker import Worker
from potluck.learning.models.boosted.forest import Forest, Tree, margins
from potluck.learning.training.grow import Growth, bits, cuts, grow
from potluck.mpc.fit import parts as fit_parts
from potluck.mpc.replicated import PARTIES, held
from potluck.mpc.spu import Spu, Value
from potluck.secret.random import system
from support.learning.boosted import of_numbers
from support.mpc.spu_rig import compiled, ran

STEP = 1 << 18
NUMBERS = {"train": 60, "test": 20, "cuts": [6, 3], "target": 1, "depth": 2, "rounds": 2, "rate": STEP // 2,
           "ridge": STEP, "sides": 1, "least": 10}  # fmt: skip


MADE = {}


def rows(count, features, seed):
    """Made-up features without ties, and log-odds."""
    x = np.random.default_rng(seed).uniform(-1, 1, (count, features))
    return x, x @ np.linspace(2, 0.5, features) + np.sin(4 * x[:, 0])


def shared(takes, arrays):
    """Each argument's share of each party, dealt as owners deal them."""
    parts = fit_parts.dealt(takes, arrays, b"a test", system)
    by_rank = [fit_parts.shares(takes, held(parts, one), b"a test") for one in range(PARTIES)]
    return list(zip(*by_rank, strict=True))


def grown(engines, numbers, arrays):
    """Opened results of a run on these arguments. A program that ran before is not made again."""
    key = json.dumps(numbers)
    programs = MADE.setdefault(key, None) or compiled(engines, "ABY3", "boosted_trees", numbers)
    MADE[key] = programs
    takes = [Take(0, one.kind, one.shape) for one in programs[0].takes]
    assert [np.shape(one) for one in arrays] == [take.shape for take in takes]
    results = ran(engines, programs, shared(takes, arrays))
    return [
        engines[0].opened("ABY3", give, some)
        if give.kind == "fixed"
        else engines[0].opened("ABY3", give, some).view(np.int64)
        for give, some in zip(programs[0].gives, results, strict=True)
    ]


def arguments(x, target, counts, count, train, keep):
    """Each owner's bits, cuts and rows kept; the target; and the cuts of each feature. counts: features an owner."""
    at = [cuts(x[:train, place][keep[:train]], count) for place in range(x.shape[1])]
    found, start = [], 0
    for features in counts:
        some = at[start : start + features]
        found += [bits(x[:, start : start + features], some), np.concatenate(some), keep]
        start += features
    return [*found, target], at


def forest_of(results, at):
    """What opened, as a forest of features f0, f1, .."""
    names = [f"f{place}" for place, some in enumerate(at) for _ in some]
    _, splits, values, leaves, first = results[:5]
    trees = [
        Tree(features=tuple(names[one] for one in asked), cuts=tuple(cut), leaves=tuple(says))
        for asked, cut, says in zip(splits, values, leaves, strict=True)
    ]
    return Forest(first=float(first[0]), trees=tuple(trees)), names


def agrees(engines, x, target, how, train, count=3, near=2e-3):
    """Runs both, holds them against each other, and gives what opened and its margins. near: of margins, at most."""
    keep = np.ones(len(x), bool)
    keep[[3, train]] = False
    half = x.shape[1] - 1
    arrays, at = arguments(x, target, (half, 1), count, train, keep)
    numbers = {
        "train": train, "test": len(x) - train, "cuts": [half * count, count], "target": 1, "depth": how.depth,
        "rounds": how.rounds, "rate": round(how.rate * STEP), "ridge": round(how.ridge * STEP),
        "sides": int(how.sides), "least": 10,
    }  # fmt: skip
    results = grown(engines, numbers, arrays)
    opened, names = forest_of(results, at)
    known = np.flatnonzero(keep[:train])
    plain = grow(bits(x[known], at), np.concatenate(at), names, np.asarray(target, float)[known], how)
    features = [f"f{place}" for place in range(x.shape[1])]
    found, right = (margins(one, of_numbers(features), x)[:, 0] for one in (opened, plain))
    assert results[0].tolist() == [0, 0, 0]
    assert results[5][0] == len(known)
    assert np.abs(found[known] - right[known]).max() < near
    return results, found, keep


@pytest.mark.slow  # three engines make a program of trees: that takes ten times as long as running it
@pytest.mark.parametrize(("depth", "rounds"), [(1, 1), (2, 2)])
def test_trees_are_those_of_plain_rows_and_held_out_rows_are_counted(aby3, depth, rounds):
    """Two sides, two owners, rows that are taken out; then cuts out of range, in the very same program."""
    x, odds = rows(80, 3, 1)
    target = odds > 0.2
    results, found, keep = agrees(aby3, x, target, Growth(depth, rounds, 0.5, 1.0, True), 60)
    cells = results[6]
    held = np.flatnonzero(keep[60:]) + 60
    assert cells.sum() == len(held)
    assert cells[1].sum() == target[held].sum()
    right = ((found[held] >= 0) == target[held]).sum()
    assert cells[0, :128].sum() + cells[1, 128:].sum() == right
    wrong, _ = arguments(x, target, (2, 1), 3, 60, keep)
    wrong[1] = np.array([1.0, 1 + 2**-18, -1.5, 2.0**25, -(2.0**25), 0.0])
    numbers = NUMBERS | {"depth": depth, "rounds": rounds}
    assert grown(aby3, numbers, wrong)[0].tolist() == [4, 0, 0]
    left, _ = arguments(x, target, (2, 1), 3, 60, (np.arange(80) < 9) | (np.arange(80) >= 60))
    assert grown(aby3, numbers, left)[0].tolist() == [0, 0, 1]


@pytest.mark.slow
def test_a_number_is_fitted_by_the_same_trees_and_its_owner_named_where_it_is_out_of_range(aby3):
    x, odds = rows(120, 3, 2)
    target = np.rint(np.clip(odds / 4, -1, 1) * STEP) / STEP
    results, found, keep = agrees(aby3, x, target, Growth(3, 3, 0.5, 1.0, False), 90)
    held = np.flatnonzero(keep[90:]) + 90
    count, errors, total, squares = results[6]
    assert count == len(held)
    assert errors == pytest.approx(((found[held] - target[held]) ** 2).sum(), abs=1e-2)
    assert total == pytest.approx(target[held].sum(), abs=1e-2)
    assert squares == pytest.approx((target[held] ** 2).sum(), abs=1e-2)
    wrong, _ = arguments(x, target, (2, 1), 3, 90, keep)
    wrong[-1] = np.where(np.arange(120) < 5, 1.25, target)
    numbers = {**NUMBERS, "train": 90, "test": 30, "depth": 3, "rounds": 3, "sides": 0}
    assert grown(aby3, numbers, wrong)[0].tolist() == [0, 5, 0]


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 5])
def test_the_shallowest_and_the_deepest_trees_are_right_too(aby3, depth):
    x, odds = rows(500, 4, depth)
    noise = np.random.default_rng(depth).normal(size=500)
    agrees(aby3, x, odds + noise > 0, Growth(depth, 2, 0.3, 1.0, True), 400, count=7)


@pytest.mark.slow
def test_sums_over_many_rows_keep_within_the_fixed_point(aby3):
    """Nearly all rows are of one side: sums as large as these rows can make them. The library's logarithm, for the
    first margin, is off by up to 0.04; trees begin from what it says."""
    x, _ = rows(20_000, 2, 3)
    target = np.ones(20_000, bool)
    target[:3] = False
    agrees(aby3, x, target, Growth(1, 3, 1.0, 1.0, True), 19_000, count=2, near=0.04)


@pytest.mark.slow
def test_an_owner_without_features_gives_rows_and_target_alone(aby3):
    x, odds = rows(50, 1, 5)
    keep, at = np.ones(50, bool), cuts(x[:40, 0], 3)
    arrays = [bits(x, [at]), at, keep, keep, odds > 0]
    numbers = {**NUMBERS, "train": 40, "test": 10, "cuts": [3, 0], "depth": 1}
    results = grown(aby3, numbers, arrays)
    plain = grow(bits(x[:40], [at]), at, ["f0"] * 3, (odds[:40] > 0).astype(float), Growth(1, 2, 0.5, 1.0, True))
    assert [tuple(one) for one in results[3]] == [pytest.approx(tree.leaves, abs=1e-3) for tree in plain.trees]


@pytest.mark.slow
def test_numbers_that_the_fixed_point_could_not_carry_are_refused_before_anything_runs(mpc_engine):
    spare = Spu(Worker("mpc"))
    bad = [
        ({"rounds": 1000, "train": 100_000, "ridge": 1}, "margins would overflow"),
        ({"train": 100_000, "test": 1, "ridge": STEP // 64}, "gains would lose their digits"),
        ({"train": 131_073}, "train must be a whole number"),
        ({"train": 131_072, "cuts": [600, 3]}, "too many elements"),
        ({"cuts": [0, 0]}, "no cut"),
        ({"cuts": []}, "cuts must be a list"),
        ({"depth": 6}, "depth must be"),
        ({"target": 2}, "target must be"),
        ({"ridge": 0}, "ridge must be"),
    ]
    for change, word in bad:
        with pytest.raises(Abort, match=word):
            spare.compile("ABY3", "boosted_trees", NUMBERS | change)
    spare.close()


def test_a_bit_travels_as_a_bit_and_opens_as_itself(aby3):
    value, take = np.random.default_rng(4).random((3, 5)) < 0.5, Take(0, "bit", (3, 5))
    third = fit_parts.dealt([take], [value], b"a test", system)[2]
    assert len(third.bits.rest) == 2
    kind = Value("bit", (3, 5))
    (dealt,) = shared([take], [value])
    for shares in (dealt, aby3[0].shares("ABY3", value)):
        assert [len(one) for one in shares] == [kind.share_bytes("ABY3")] * 3 == [30] * 3
        assert (opened_bits(shares) == np.ravel(value)).all()


def opened_bits(shares):
    """Bits of the pairs that three parties hold."""
    first, second, third = (np.frombuffer(one, np.uint8).reshape(-1, 2) for one in shares)
    assert (first[:, 1] == second[:, 0]).all()
    assert (second[:, 1] == third[:, 0]).all()
    return (first[:, 0] ^ second[:, 0] ^ third[:, 0]) & 1
