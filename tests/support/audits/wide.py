"""Rows of more numbers than a model can tell apart: 30 of them, and a side that follows from nothing."""

import numpy as np
import pandas as pd

import potluck

SITES = ("a", "b", "c")
NAMES = [f"n{place}" for place in range(30)]


def plan(split=(("test", 0.7),), word="clear", person=None, privacy=(), model=None, **training):
    """A logistic model by newton, with hardly a ridge."""
    columns = {name: {"kind": "number", "low": -1, "high": 1} for name in NAMES}
    columns |= {"y": {"kind": "category", "values": ["0", "1"]}}
    data = {"columns": columns, "max_rows": 1000, "target": {"column": "y", "positive": ["1"]}}
    data |= {"split": dict(split)} if split else {}
    data |= {"person": person} if person else {}
    return potluck.Plan(
        name="wide", purpose="a test", task="train", federation={"sites": list(SITES), "server": "curious"}, data=data,
        model=model or {"kind": "logistic", "l2": 0.01}, protect={"with": word},
        privacy={"noise": "none"} | dict(privacy),
        training={"method": "newton", "rounds": 8} | training,
    )  # fmt: skip


def frames(rows, seed=0):
    """So many rows a site."""
    draw, found = np.random.default_rng(seed), {}
    for site in SITES:
        found[site] = pd.DataFrame(draw.uniform(-1, 1, (rows, len(NAMES))), columns=NAMES)
        found[site]["y"] = draw.choice(["0", "1"], rows)
    return found
