"""Models that `run` trained on real data, scored under `he` beside plain scoring, by way of plans alone."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits

import potluck

DEMO = Path(str(files("potluck") / "demo"))
HEART = [
    "age",
    "sex",
    "cp",
    "trestbps",
    "chol",
    "fbs",
    "restecg",
    "thalach",
    "exang",
    "oldpeak",
    "slope",
    "ca",
    "thal",
    "num",
]
NUMBERS = {"age": (20, 90), "trestbps": (80, 220), "chol": (0, 620), "thalach": (60, 210), "oldpeak": (-3, 7)}
CATEGORIES = {"sex": "01", "cp": "1234", "fbs": "01", "restecg": "012", "exang": "01"}
AVERAGE = {"method": "average", "rounds": 4, "epochs": 3}
NEWTON = {"method": "newton", "rounds": 8}
BINARY = {"column": "num", "positive": ["1", "2", "3", "4"]}
CLASSES = {"column": "num", "classes": ["0", "1", "2", "3", "4"]}
NUMBER = {"column": "num"}


def heart() -> pd.DataFrame:
    """All 920 rows, missing values as "?", every third for testing."""
    place = sorted(DEMO.rglob("processed.*.data"))
    table = pd.concat([pd.read_csv(path, names=HEART, dtype=str) for path in place], ignore_index=True)
    return folded(table)


def breast() -> pd.DataFrame:
    """All 569 rows; `y` is the label."""
    table = load_breast_cancer(as_frame=True).frame.rename(columns={"target": "y"})
    return folded(table)


def digits(count: int = 1100) -> pd.DataFrame:
    """scikit-learn's digits, each pixel three or four times: 28 x 28, as px0 ... px783; `y` is the digit."""
    images, label = load_digits(return_X_y=True)
    grid = np.arange(28) * 8 // 28
    large = images.reshape(-1, 8, 8)[:count, grid][:, :, grid].reshape(count, -1)
    table = pd.DataFrame(large, columns=[f"px{place}" for place in range(784)]).assign(y=label[:count])
    return table.assign(fold=np.where(np.arange(count) < count - 100, "train", "test"))


def folded(table: pd.DataFrame) -> pd.DataFrame:
    """With a column that says which rows are for testing."""
    return table.assign(fold=np.where(np.arange(len(table)) % 3 == 0, "test", "train"))


def heart_columns(missing: str = "drop", target: dict | None = None) -> dict:
    """What the plan says of the heart data. missing: of numbers."""
    numbers = {name: {"kind": "number", "low": a, "high": b, "missing": missing} for name, (a, b) in NUMBERS.items()}
    values = {name: {"kind": "category", "values": [*v], "missing": "drop"} for name, v in CATEGORIES.items()}
    label = {"kind": "number", "low": 0, "high": 4} if target == NUMBER else {"kind": "category", "values": [*"01234"]}
    return {**numbers, **values, "num": label}


def trained(table: pd.DataFrame, columns: dict, target: dict, model: dict, training: dict) -> potluck.Run:
    """A run of two sites that hold half of the rows each."""
    plan = potluck.Plan(
        name="train",
        purpose="A model to score with",
        task="train",
        federation={"sites": ["a", "b"]},
        data={"missing": ["?"], "columns": columns, "target": target, "split": {"column": "fold"}},
        model=model,
        training=training,
        protect={"with": "clear"},
        privacy={"noise": "none"},
    )
    return potluck.run(plan, {"a": table[::2], "b": table[1::2]}, ledger="ledger")


def scored(model: Path, rows: pd.DataFrame, mode: str | None = None) -> potluck.Run:
    """The rows scored under `he`, and in plain beside it."""
    plan = potluck.Plan(
        name="score",
        purpose="Score rows that nobody else sees",
        task="predict",
        federation={"sites": ["hospital", "clinic"]},
        data={"missing": ["?"]},
        model={"file": str(model)},
        predict={"owner": "hospital", "client": "clinic", "max_rows": len(rows)} | ({"mode": mode} if mode else {}),
        protect={"with": "he"},
        privacy={"noise": "none"},
    )
    return potluck.run(plan, {"clinic": rows}, ledger="ledger", compare=True)


def labels(done: potluck.Run) -> np.ndarray:
    """[n] labels by place of the class; rows without a score are left out."""
    table = pd.read_csv(done.document["predictions"]).drop(columns="row").dropna().to_numpy()
    return table.argmax(axis=1) if table.shape[1] > 1 else (table[:, 0] >= 0.5).astype(int)


def agrees(done: potluck.Run) -> dict:
    """What `--compare` found, once no score is off by more than the stated bound."""
    beside = done.document["agreement"]
    assert beside["largest_error"] <= done.document["max_error_bound"]
    return beside
