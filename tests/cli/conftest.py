"""A small federation of four CSV files with a header, and a way to call the command line in this process."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from support.spoken import Spoken, spoken

PLAN = """version = 1
name = "shops"
purpose = "Test the face"
task = "train"
[federation]
sites = ["a", "b", "c", "d"]
corrupt = 1
dropouts = 1
[data.files]
a = "a.csv"
b = "b.csv"
c = "c.csv"
d = "d.csv"
[data.columns]
x1 = { kind = "number", low = -3, high = 3 }
"x 2" = { kind = "number", low = 0, high = 10 }
kind = { kind = "category", values = ["red", "green"] }
[data.target]
column = "bought"
positive = ["yes"]
[data.split]
test = 0.3
seed = 5
[model]
kind = "logistic"
[training]
method = "newton"
rounds = 3
[protect]
with = "mask"
[privacy]
noise = "none"
"""


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    """The folder of the plan and its four files."""
    rng = np.random.default_rng(3)
    for site in "abcd":
        lines = ["id,bought,x1,x 2,kind,secret"]
        for i in range(80):
            x1, x2, kind = rng.normal(), rng.uniform(0, 10), rng.choice(["red", "green", "blue"])
            bought = "yes" if x1 + 0.3 * x2 - 1.5 + rng.logistic() > 0 else "no"
            lines.append(f"{i},{bought},{x1:.4f},{x2:.3f},{kind},topsecret{i}")
        (tmp_path / f"{site}.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Spoken]:
    """Call `potluck ARGS...`; gives exit code, stdout, stderr."""
    return lambda *arguments: spoken(capsys, *arguments)
