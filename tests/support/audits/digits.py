"""Handwritten digits (scikit-learn's, 8 by 8), one row a site, and a small convolutional network for them."""

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from torch import nn

import potluck

CLASSES = [str(number) for number in range(10)]


def network(activation=nn.Tanh):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 8, 3, padding=1), activation(), nn.Conv2d(8, 8, 3, padding=1),
        activation(), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip


def rows(sites, seed=3):
    """By site one digit."""
    images, said = load_digits(return_X_y=True)
    some = np.random.default_rng(seed).choice(len(said), sites, replace=False)
    columns = [f"p{place}" for place in range(64)]
    return {
        f"s{number}": pd.DataFrame([dict(zip(columns, images[place], strict=True)) | {"y": str(said[place])}])
        for number, place in enumerate(some)
    }


def plan(folder, sites, word="clear", privacy=(), **training):
    """One round of gradient descent."""
    path = folder / "digits.graph"
    potluck.graph(network(), inputs={"features": [64]}, path=path)
    columns = {f"p{place}": {"kind": "number", "low": 0, "high": 16} for place in range(64)}
    return potluck.Plan(
        name="digits", purpose="a test", task="train", federation={"sites": list(sites), "server": "curious"},
        data={
            "columns": columns | {"y": {"kind": "category", "values": CLASSES}}, "max_rows": 10,
            "target": {"column": "y", "classes": CLASSES},
        },
        model={"kind": "network", "graph": str(path), "l2": 0.0}, protect={"with": word},
        privacy={"noise": "none"} | dict(privacy), training={"method": "gradient", "rounds": 1, "rate": 0.1} | training,
    )  # fmt: skip


def inverted(folder, spec, found, minutes=4.0):
    """Runs the plan and attacks its record as the server: the results of inversion."""
    potluck.run(spec, found, out=folder / "run", record=True)
    attacked = potluck.attack(folder / "run", data=found, minutes=minutes)
    return [one for one in attacked.results if one.name == "inversion"]
