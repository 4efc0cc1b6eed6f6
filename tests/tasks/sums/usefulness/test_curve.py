"""What `check` says of networks by their signal to noise is what networks on made-up rows keep beside it."""

from statistics import fmean

import pytest

from potluck.core.plan import Data, Federation, Model, PrivacyPlan, Protect, Target, Training
from potluck.learning.loops import build
from potluck.tasks.sums.signal import outlook
from potluck.tasks.sums.usefulness.curve import ByCurve
from potluck.tasks.sums.usefulness.rehearsal import rehearsed
from support.learning.sums import category, make, number

ROOM = 0.12
"""A mean of a few tables may lie outside of what was seen by so much."""


@pytest.mark.slow
@pytest.mark.parametrize("layers", [8, 32])
@pytest.mark.parametrize(("optimizer", "rate"), [("sgd", 1.0), ("adam", 0.02)])
@pytest.mark.parametrize(("rows", "epsilon"), [(1000, 0.2), (1000, 0.5), (1000, 1.0), (4000, 0.5), (4000, 2.0)])
def test_networks_keep_what_the_curve_says(layers, optimizer, rate, rows, epsilon):
    columns = {f"x{place}": number(-3, 3) for place in range(8)} | {f"c{place}": category(*"abc") for place in range(3)}
    data = Data(columns=columns | {"y": category("0", "1")}, target=Target(column="y", positive=("1",)), max_rows=1000)
    training = Training(method="gradient", rounds=60, rate=rate, optimizer=optimizer, expected_rows=rows)
    spec = make(
        federation=Federation(sites=("a", "b", "c"), corrupt=1),
        protect=Protect(scheme="mask"),
        data=data,
        privacy=PrivacyPlan(noise="shared", unit="row", epsilon=epsilon, delta=1e-5, clip=1.0),
        model=Model(kind="network", layers=(layers,)),
        training=training,
    )
    found = outlook(spec, build(spec).usual)
    kept = fmean(max(-1.0, rehearsed(spec, rows, 0.5, number).kept) for number in range(4))
    low, high = ByCurve(found.now.run).kept
    assert low - ROOM <= kept <= high + ROOM, (found.now.run, kept)
