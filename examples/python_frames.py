"""Train on pandas frames from Python, and use the model with scikit-learn. The clinics and their patients are made up.

python examples/python_frames.py
"""

import numpy as np
import pandas as pd

import potluck

rng = np.random.default_rng(0)  # noqa: TID251 - made-up data


def clinic(rows: int, older: float) -> pd.DataFrame:
    """Patients of one clinic: dose and age decide who recovers."""
    age = rng.normal(50 + older, 12, rows).clip(18, 95).round()
    dose = rng.choice(["low", "high"], rows)
    chance = 1 / (1 + np.exp((age - 55) / 10 - 1.5 * (dose == "high")))
    return pd.DataFrame({"age": age, "dose": dose, "recovered": np.where(rng.random(rows) < chance, "yes", "no")})


frames = {"north": clinic(300, -5), "south": clinic(250, 0), "west": clinic(200, 5), "east": clinic(150, 10)}

plan = potluck.Plan(
    name="recovery",
    purpose="Who recovers, by age and dose",
    task="train",
    federation={"sites": list(frames), "dropouts": 1},
    data={
        "columns": {
            "age": {"kind": "number", "low": 18, "high": 95},
            "dose": {"kind": "category", "values": ["low", "high"]},
        },
        "target": {"column": "recovered", "positive": ["yes"]},
        "split": {"test": 0.25},
    },
    model={"kind": "logistic"},
    training={"method": "newton"},
    protect={"with": "mask"},
    privacy={"noise": "none"},
)
run = potluck.run(plan, frames)
print(run.metrics)
print(run.model.coefficients)

new = pd.DataFrame({"age": [30, 80], "dose": ["high", "low"]})
print(run.model.predict_proba(new))

try:
    pipeline = run.model.to_sklearn()
except potluck.core.errors.UsageError as error:
    print(error)
else:
    assert np.allclose(pipeline.predict_proba(new), run.model.predict_proba(new))
