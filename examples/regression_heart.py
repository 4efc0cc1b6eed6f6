"""Odds of heart disease at four hospitals: a logistic regression with standard errors, in the data's own units.

python examples/regression_heart.py
"""

from importlib.resources import files
from pathlib import Path

import potluck

demo = files("potluck") / "demo" / "heart"
rows = {site: Path(str(demo / f"processed.{site}.data")) for site in ("cleveland", "hungarian", "switzerland", "va")}
plan = potluck.Plan.read(Path(__file__).parent / "statistics_heart.toml")
plan = plan.set("federation.server", "curious").set("privacy", {"noise": "none"})
plan = plan.set(
    "statistics",
    [
        {
            "name": "disease",
            "kind": "regression",
            "family": "binomial",
            "target": "num",
            "events": ["1", "2", "3", "4"],
            "features": ["age", "sex", "thalach", "age:sex"],
            "errors": "hc0",
        }
    ],
)
run = potluck.run(plan, rows)
print(run.frames["disease"].round(4).to_string(index=False))
