"""Patients of three hospitals whom nobody has, and a plan that makes up rows like theirs: a rule that no row breaks,
values that are missing, dates, whole numbers and a target."""

from datetime import date, timedelta

import numpy as np
import pandas as pd

import potluck

TO = date(2025, 1, 1)
NOISE = {"noise": "shared", "unit": "row", "epsilon": 2.0, "delta": 1e-6}
EXACT = {"noise": "none"}
COLUMNS = {
    "birth": {"kind": "date", "format": "%d.%m.%Y"},
    "sex": {"kind": "category", "values": ["f", "m"]},
    "pressure": {"kind": "number", "low": 60, "high": 220, "missing": "flag"},
    "visits": {"kind": "number", "low": 0, "high": 40},
    "ill": {"kind": "category", "values": ["0", "1"]},
    "pregnant": {"kind": "category", "values": ["no", "yes"]},
}
AGE = {"kind": "years", "from": "birth", "to": "2025-01-01", "low": 18, "high": 90}
NEVER = [
    {"together": [{"column": "sex", "in": ["m"]}, {"column": "pregnant", "in": ["yes"]}]},
    {"together": [{"column": "age", "above": 53}, {"column": "pregnant", "in": ["yes"]}]},
]
MADE = {"rows": 2000, "target": "ill", "whole": ["visits"], "never": NEVER}


def patients(rows, seed):
    draw = np.random.default_rng(seed)
    age, sex = draw.integers(18, 91, rows), draw.choice(["f", "m"], rows)
    ill = (draw.random(rows) < 0.1 + 0.005 * (age - 18)).astype(int)
    pressure = draw.normal(100 + 0.3 * age + 12 * ill, 12).round(1)
    pregnant = (sex == "f") & (age < 50) & (draw.random(rows) < 0.3)
    days = draw.integers(0, 365, rows)
    return pd.DataFrame(
        {
            "birth": [
                (date(2025 - int(years), 1, 1) - timedelta(int(some))).strftime("%d.%m.%Y")
                for years, some in zip(age, days, strict=True)
            ],
            "sex": sex,
            "pressure": np.where(draw.random(rows) < 0.15, np.nan, pressure),
            "visits": np.minimum(draw.poisson(1 + 4 * ill), 40),
            "ill": ill,
            "pregnant": np.where(pregnant, "yes", "no"),
        }
    )


def sites(rows=400):
    return {name: patients(rows, seed) for seed, name in enumerate(("a", "b", "c"))}


def plan(scheme="mask", privacy=NOISE, made=MADE, **more):
    base = {
        "name": "rows for students",
        "purpose": "teaching",
        "task": "synthesize",
        "federation": {"sites": ["a", "b", "c"], "server": "curious"},
        "data": {"columns": COLUMNS, "derive": {"age": AGE}, "max_rows": 1000},
        "protect": {"with": scheme},
        "privacy": privacy,
        "synthesize": made if privacy is not EXACT else made | {"allow_exact": True},
    }
    return potluck.Plan(**(base | more))
