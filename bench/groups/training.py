"""Gradient training on millions of rows, from a Parquet file to a model, beside scikit-learn's SGD on this machine.

Each figure is of a process of its own: the processor time of all its threads, its peak memory less that of a process
with a few rows, and the loss that it reached after as many passes over the rows.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from harness.measure import Row, less
from harness.training_worker import HIGH, LOW, NUMBERS, PASSES

ROWS, FEW, TURNS = 3_000_000, 1_000, 3
SGD = "scikit-learn's SGD, as many passes"
MB = 1e6


def rows() -> Iterator[Row]:
    """Reading, training, loss, and memory beside that of the features."""
    with tempfile.TemporaryDirectory() as folder:
        path, small = _written(Path(folder), ROWS), _written(Path(folder), FEW)
        taken = [(_run("ours", path), _run("peer", path)) for _ in range(TURNS)]
        tiny = {who: _run(who, small) for who in ("ours", "peer")}
    name = f"{PASSES} passes of gradient, logistic, {ROWS:,} x {len(NUMBERS)}"
    best = {what: tuple(min(pair[side][what] for pair in taken) for side in (0, 1)) for what in ("read", "trained")}
    yield less(f"{name}, processor time", _pair(best["trained"]), SGD, "s")
    yield less(f"{name}, reading before it, processor time", _pair(best["read"]), "pandas", "s")
    yield less(f"{name}, mean log-loss reached", (taken[0][0]["loss"], taken[0][1]["loss"]), SGD, "nats")
    peaks = [max(pair[side]["peak"] for pair in taken) - tiny[who]["peak"] for side, who in enumerate(tiny)]
    yield less(f"{name}, peak memory beyond {FEW:,} rows", (peaks[0] / MB, peaks[1] / MB), SGD, "MB")
    held = taken[0][0]["bytes"] / MB
    yield less(f"{name}, peak memory beyond {FEW:,} rows: floor", (peaks[0] / MB, held), "the features alone", "MB")


def _pair(found: tuple[float, ...]) -> tuple[float, float]:
    return found[0], found[1]


def _written(folder: Path, count: int) -> Path:
    """Rows from a fixed draw, part by part."""
    path, draw = folder / f"{count}.parquet", np.random.default_rng(14)
    slopes = draw.normal(size=len(NUMBERS))
    made: pyarrow.parquet.ParquetWriter | None = None
    for start in range(0, count, 500_000):
        length = min(500_000, count - start)
        x = np.round(draw.uniform(LOW, HIGH, (length, len(NUMBERS))), 3)
        margins = (2 * (x - LOW) / (HIGH - LOW) - 1) @ slopes + 0.3
        columns = {name: x[:, place] for place, name in enumerate(NUMBERS)}
        part = pa.table(columns | {"y": (draw.random(length) < 1 / (1 + np.exp(-margins))).astype(np.int64)})
        made = made or pyarrow.parquet.ParquetWriter(path, part.schema)
        made.write_table(part)
    if made is not None:
        made.close()
    return path


def _run(who: str, path: Path) -> Mapping[str, float]:
    done = subprocess.run([sys.executable, "-m", "harness.training_worker", who, str(path)], check=True,
                          capture_output=True, text=True, cwd=Path(__file__).parents[1])  # fmt: skip
    found: Mapping[str, float] = json.loads(done.stdout)
    return found
