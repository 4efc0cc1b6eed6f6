"""A rate is found where the record says it, not where that of one of many sites happens to be near."""

from types import SimpleNamespace

import numpy as np
import pytest

import potluck
from potluck.audits.attack import Until
from potluck.audits.reconstruction.rates import RATES
from potluck.core.seeded import generator
from potluck.tasks.sources import held
from support.audits.recorded import LOGISTIC, changed, frames, plan, seen

FOREVER = Until(float("inf"), generator(0))
ROWS = 2000


def tried(folder, spec):
    return RATES.tried(seen(folder, spec, "server"), FOREVER)


def of_rate(rate, sites="a"):
    """Rows of these sites, of about this rate."""
    target = np.arange(ROWS) < round(rate * ROWS)
    rows = SimpleNamespace(features=np.zeros((ROWS, 8)), target=target.astype(float), train=slice(None))
    return dict.fromkeys(sites, rows)


def zeroed(kept):
    """Words are zero, but for the last bytes."""
    return lambda line, body: (
        bytes(len(body) - kept) + body[len(body) - kept :] if line["step"] in ("clear/input", "gave") else body
    )


@pytest.mark.parametrize("noise", [False, True])
def test_slopes_that_are_zero_say_no_rate_of_sites_at_a_half(tmp_path, noise):
    """A slope of zero says a half, which each site here has."""
    privacy = {"noise": "site", "unit": "row", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0} if noise else ()
    spec = plan(model=LOGISTIC, privacy=privacy, rounds=1, **({"expected_rows": 120} if noise else {}))
    potluck.run(spec, frames(40), out=tmp_path / "run", record=True)
    found = tried(tmp_path / "run", spec)
    empty = changed(
        tmp_path / "run", tmp_path / "empty", zeroed(0 if noise else 16)
    )  # exact sums still count rows by side
    assert len(found) == 3
    assert tried(empty, spec) == []
    for one in found:
        (site,) = one.of
        near = one.judged(of_rate(float(one.values[0]), site))  # as chance has it of one of many sites
        assert near.score > 0.995
        assert near.succeeded is not noise
        assert ("what is near is luck" in near.words) is noise
        assert (", but for noise that moves this by up to" in near.words) is noise


def test_a_rate_that_all_sites_together_tell_as_well_is_no_find(tmp_path):
    spec = plan(model=LOGISTIC, rounds=1)
    potluck.run(spec, frames(40), out=tmp_path / "run", record=True)
    one = next(one for one in tried(tmp_path / "run", spec) if one.of == {"a"})
    assert one.values == pytest.approx([0.5], abs=1e-9)
    a, elsewhere = of_rate(0.502), of_rate(0.4, "b")
    assert one.judged(a | elsewhere).succeeded
    assert one.judged(a | of_rate(0.503, "b")).succeeded is False
    assert one.judged(of_rate(0.5) | of_rate(0.5, "b")).succeeded  # to the last digit


def test_the_share_of_each_class_and_its_means_come_out_of_the_first_sums(tmp_path):
    spec = plan(model=LOGISTIC, method="newton", rate=1.0, rounds=1)
    spec = spec.set("data.target", {"column": "c", "classes": ["p", "q", "r"]})
    rows = frames(60, seed=4)
    potluck.run(spec, rows, out=tmp_path / "run", record=True)
    found = tried(tmp_path / "run", spec)
    _, truth = held(spec, rows)
    assert [len(one.values) for one in found] == [3, 3 * 7] * 3  # five numbers and the two values of y
    for one in found:
        (site,) = one.of
        verdict = one.judged(truth)
        assert verdict.succeeded, verdict.words
        assert "each class" in verdict.words or "by class" in verdict.words
        if len(one.values) == 3:
            assert one.values == pytest.approx([(rows[site]["c"] == name).mean() for name in "pqr"], abs=1e-9)
