"""Processes of today on homes of the program as it was before issue 21: the run that was killed then ends now.

In a network namespace of its own: the broker's address stands in the signed file, and its port may be taken elsewhere.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from potluck.owner.budget import Budget
from support.processes.rig import need_broker
from support.upgrade.homes import SITES, unpacked

ALONE = """
set -e
ip link set lo up
{python} -m potluck broker hospitals > broker.said 2>&1 & children=$!
for name in {sites}; do {python} -m potluck site run $name > $name.said 2>&1 & children="$children $!"; done
trap 'kill $children; wait' EXIT
{python} -m potluck server run hospitals heart.toml --out ended --wait 120
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_run_that_was_killed_under_the_former_program_ends_under_this_one(tmp_path):
    need_broker()
    cut = ["unshare", "--net"]
    if os.geteuid() != 0 or shutil.which("ip") is None or subprocess.run([*cut, "true"], check=False).returncode:
        pytest.skip("needs root, for a network of its own")
    told = unpacked(tmp_path)
    (heart,) = [one for one in told["status"]["runs"] if one["plan"]["name"] == "heart"]
    assert heart["state"] == "open"
    assert 3 <= heart["rounds"]["opened"] < heart["rounds"]["of"]
    script = ALONE.format(python=sys.executable, sites=" ".join(SITES))
    done = subprocess.run(
        [*cut, "bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr + Path(tmp_path / "north.said").read_text()
    run = json.loads((tmp_path / "ended" / "run.json").read_text(encoding="utf-8"))
    assert run["plan"]["hash"].endswith(told["plans"]["heart"])
    assert len(run["rounds"]) == heart["rounds"]["of"] - 1, "the last sum is the evaluation"
    assert {path.parent.name for path in (tmp_path / "hospitals/runs").glob("*/journal.sqlite")} == {
        one["run"] for one in told["status"]["runs"]
    }, "the same run, not another one"
    for name in SITES:
        with Budget(tmp_path / name / "ledger.sqlite") as ledger:
            (row,) = [row for row in ledger.history() if row.plan == "heart"]
            (old,) = [one for one in told[name]["budget"]["runs"] if one["plan"] == "heart"]
            assert (row.run, row.state, old["state"]) == (heart["run"], "finished", "open")
            assert old["releases"] < row.releases <= heart["rounds"]["of"] + 1, "one round may have been done again"
            assert row.epsilon <= 1.0
