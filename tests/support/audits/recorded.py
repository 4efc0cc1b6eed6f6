"""Runs of few made-up rows that were recorded, and records that somebody changed afterwards."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd

import potluck
from potluck.audits.attack import Until
from potluck.audits.record import Record
from potluck.audits.seen import seen_by
from potluck.core.seeded import generator
from potluck.tasks.sources import held

NUMBERS = ("u", "v", "w", "x", "z")
SITES = ("a", "b", "c")
RELU = {"kind": "network", "layers": [16], "activation": "relu", "l2": 0.0}
LOGISTIC = {"kind": "logistic"}


def plan(word="clear", model=None, privacy=(), **training):
    """Five numbers and a category, two sides, three sites."""
    columns = {name: {"kind": "number", "low": -1, "high": 1} for name in NUMBERS}
    columns |= {"c": {"kind": "category", "values": ["p", "q", "r"]}, "y": {"kind": "category", "values": ["0", "1"]}}
    return potluck.Plan(
        name="tiny", purpose="a test", task="train", federation={"sites": list(SITES), "server": "curious"},
        data={"columns": columns, "max_rows": 100, "target": {"column": "y", "positive": ["1"]}},
        model=model or RELU, protect={"with": word}, privacy={"noise": "none"} | dict(privacy),
        training={"method": "gradient", "rounds": 3, "rate": 0.1} | training,
    )  # fmt: skip


def frames(rows, seed=0):
    """So many rows a site; not all have one side."""
    draw, found = np.random.default_rng(seed), {}
    for place, site in enumerate(SITES):
        numbers = {name: draw.uniform(-1, 1, rows) for name in NUMBERS}
        sides = [str((place + number) % 2) for number in range(rows)]
        found[site] = pd.DataFrame({**numbers, "c": draw.choice(list("pqr"), rows), "y": sides})
    return found


def seen(folder, spec, *names):
    """What these parties know of the run in a folder."""
    return seen_by(Record.read(folder / "parcels"), spec.spec, set(names))


def verdict(attack, folder, spec, rows, until=None):
    """Of the one thing that the server finds by an attack, what true rows say."""
    resolved, truth = held(spec, rows)
    known = seen_by(Record.read(folder / "parcels"), resolved, {"server"})
    assert attack.fits(known) is None
    (found,) = attack.tried(known, until or Until(float("inf"), generator(1)))
    return found.judged(truth)


def changed(run, folder, body):
    """A copy of a run's folder whose record says of each body what `body` makes of (line, bytes): index and all."""
    shutil.copytree(run, folder)
    index = folder / "parcels" / "index.jsonl"
    lines = [json.loads(line) for line in index.read_text().splitlines()]
    for line in lines:
        path = folder / "parcels" / line["file"]
        new = body(line, path.read_bytes())
        path.write_bytes(new)
        line |= {"bytes": len(new), "sha256": hashlib.sha256(new).hexdigest()}
    index.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return Path(folder)
