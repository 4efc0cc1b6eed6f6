"""Members of additive models: told from others where sums are exact, and not where noise hides rows."""

import pytest

import potluck
from support.audits.wide import frames, plan

NAMES = ("loss", "lira", "lira offline", "rmia")
EXACT = {"noise": "none"}
NOISED = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-4}


@pytest.mark.usefixtures("repeatable")
@pytest.mark.slow
@pytest.mark.parametrize(("privacy", "rounds"), [(EXACT, 20), (EXACT, 5), (NOISED, 20)])
def test_members_are_told_of_curves_of_exact_sums_alone(privacy, rounds, tmp_path):
    """A few rounds leave the control its own, in which it learns rows by heart."""
    rows, spec = frames(40), plan(word="mask", privacy=privacy)
    spec = spec.set("model", {"kind": "additive", "bins": 4, "l2": 0.01})
    spec = spec.set("training", {"method": "boosting", "rounds": rounds})
    folder = potluck.run(spec, rows, out=tmp_path / "run", record=True).folder
    found = {one.name: one for one in potluck.attack(folder, "server", data=rows, minutes=4).results}
    for name in NAMES:
        assert found[name].tried
        assert found[name].control
    told = {name for name in NAMES if found[name].verdict.succeeded}
    assert (told == set(NAMES)) if (privacy, rounds) == (EXACT, 20) else (told == set() or privacy is EXACT)
    assert found["equations"].tried == (privacy is EXACT)
    if privacy is EXACT:
        assert found["equations"].verdict.succeeded
