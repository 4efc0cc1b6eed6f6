"""Words that nothing hides are seen where they are few, noise or not; words under masks are not taken for such."""

import numpy as np
import pytest

import potluck
from potluck.audits.aggregation.uniform import FEW, UNIFORM, _small
from potluck.audits.attack import Until
from potluck.audits.letters import letters
from potluck.audits.record import Record
from potluck.core.seeded import generator
from potluck.mpc.mask import server, site
from support.audits.recorded import LOGISTIC, frames, plan, seen

FOREVER = Until(float("inf"), generator(0))
NOISE = {"noise": "shared", "unit": "row", "epsilon": 2.0, "delta": 1e-5, "clip": 1.0}


@pytest.mark.parametrize("gone", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_site_that_leaves_its_mask_out_is_seen_by_few_words_with_noise_too(tmp_path, monkeypatch, gone):
    if gone:
        for half in (site, server):
            monkeypatch.setattr(half, "mask", lambda *args, **more: None)
    spec = plan("mask", LOGISTIC, NOISE, expected_rows=90)
    folder = potluck.run(spec, frames(30), out=tmp_path / "run", ledger=tmp_path, record=True).folder
    found = seen(folder, spec, "server")
    assert UNIFORM.fits(found) is None
    words = next(iter(found.sent.values()))
    assert sum(map(len, words)) < 128
    (it,) = UNIFORM.tried(found, FOREVER)
    assert it.judged({}).succeeded is gone
    exact = letters(Record.read(folder / "parcels"))
    assert exact.verdict.succeeded is gone
    assert exact.of == ("a", "b", "c")


def test_random_words_have_alike_bits_as_often_as_chance_says():
    draw, found = np.random.default_rng(0), []
    for _ in range(400):
        for count in (FEW, 40):
            found.append(min(_small(draw.integers(0, 1 << 64, count, dtype=np.uint64))))
    # Of 800 least of five chances at most 5 in 100 are below .01 on average: 40; 85 come less than once in a million.
    assert np.sum(np.array(found) < 0.01) <= 85
    small = np.arange(-4, 4).astype(np.int64).view(np.uint64)
    assert min(_small(small)) == pytest.approx(2.0 ** (-11 * 8))
    assert min(_small(small.astype(np.uint32))) == pytest.approx(2.0 ** (-11 * 8))
