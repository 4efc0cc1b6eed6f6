"""Who is behind made-up rows: exact marginals of few rows say it, as the control does, and noised ones do not."""

import pytest

import potluck
from support.synthesis.ward import COLUMNS, EXACT, plan, sites

DECLARED = {name: one for name, one in COLUMNS.items() if name != "birth"}
NOISED = {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-6}


@pytest.mark.usefixtures("repeatable")
@pytest.mark.parametrize(("privacy", "succeeds"), [(EXACT, True), pytest.param(NOISED, False, marks=pytest.mark.slow)])
def test_marginals_tell_who_is_in_them_without_noise_alone(privacy, succeeds, tmp_path):
    made = {"rows": 50, "target": "ill"} | ({} if privacy is NOISED else {"allow_exact": True})
    rows = sites(20)
    spec = plan("mask", privacy, synthesize=made, data={"columns": DECLARED, "max_rows": 100})
    run = potluck.run(spec, rows, out=tmp_path / "run", record=True)
    found = potluck.attack(run.folder, "server", minutes=1, data=rows, seed=1).document["attacks"]
    (one,) = (each for each in found if each["name"] == "published")
    assert one["control"] is True
    assert one["succeeded"] is succeeds
