"""`potluck up` of an evaluation: what `run` gives, from real processes, of which the sites are sent the models."""

import pytest

import potluck
from potluck.api.plan.plan import Plan
from support.learning.judged import finished, plan, sites
from support.processes.rig import laid_out


@pytest.mark.slow
def test_up_gives_what_run_gives(rig, tmp_path):
    made = plan(tmp_path, [finished(), finished("trees")], word="mask", by="sex")
    path = laid_out(rig.folder / "plans", made, sites())
    out = rig.folder / "runs" / "up"
    there = rig.spawn("up", "up", path, "--out", out, "--json", driven=False).end(280).document
    here = potluck.run(Plan.read(path), out=tmp_path / "run").document
    for key in ("plan", "metrics", "models", "differences"):
        assert there[key] == here[key]
    assert there.keys() == here.keys()
