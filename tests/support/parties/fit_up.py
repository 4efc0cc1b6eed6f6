"""A plan of a fit with its files, and `potluck up` of it as a process."""

import json
import subprocess
import sys
from pathlib import Path

import tomli_w

from support.parties.fit_scene import frames, plan

POTLUCK = [sys.executable, "-m", "potluck"]


def written(folder, owners=2, **settings):
    """A plan with its files, as `up` takes it."""
    given, made = frames(rows=120, owners=owners), plan(owners, **settings)
    for name, frame in given.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    tables = json.loads(json.dumps(made.tables))
    tables["data"]["files"] = {name: f"{name}.csv" for name in given}
    path = folder / "plan.toml"
    path.write_text(tomli_w.dumps({key: value for key, value in tables.items() if value is not None}))
    return path, given


def started(path, out):
    place = Path(out)
    arguments = ["up", str(path), "--json", "--out", str(place), "--ledger", str(place.parent / "ledger")]
    return subprocess.Popen([*POTLUCK, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
