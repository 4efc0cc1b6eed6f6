"""Ten statistics over millions of rows: a site's reading and adding up, beside DuckDB alone doing the same sums.

Each figure is of a process of its own: the processor time of all its threads, and its peak memory less that of a
process that reads a few rows. Ours reads all 17 declared columns, checks every cell and counts what the owner is told;
the floor reads typed columns that the query names, and trusts them.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from harness.measure import Row, less

ROWS, MANY, FEW = 3_000_000, 10_000_000, 1_000
NUMBERS = tuple(f"x{place}" for place in range(10))
COUNTS = tuple(f"k{place}" for place in range(4))
GROUPS = {"sex": ("F", "M"), "stage": ("I", "II", "III", "IV"), "ward": tuple(f"w{place}" for place in range(10))}
TURNS = 3
FLOOR = "DuckDB alone, the same sums (floor)"
MB = 1e6


def rows() -> Iterator[Row]:
    """CSV and Parquet; Parquet of more rows."""
    with tempfile.TemporaryDirectory() as folder:
        for count, form in ((ROWS, "csv"), (ROWS, "parquet"), (MANY, "parquet")):
            path, small = _written(Path(folder), count, form), _written(Path(folder), FEW, form)
            taken = [(_run("ours", path), _run("floor", path)) for _ in range(TURNS)]
            ours, floor = (min(pair[side][0] for pair in taken) for side in (0, 1))
            name = f"ten statistics of {count:,} rows x 17 columns, {form}"
            yield less(f"{name}, processor", (ours, floor), FLOOR, "s", goal=0.5)
            peaks = [_run(who, path)[1] - _run(who, small)[1] for who in ("ours", "floor")]
            yield less(f"{name}, memory beyond {FEW:,} rows", (max(peaks[0], 0.1), max(peaks[1], 0.1)), FLOOR, "MB")
            path.unlink()


def _written(folder: Path, count: int, form: str) -> Path:
    """Rows from a fixed draw, part by part."""
    path, draw = folder / f"{count}.{form}", np.random.default_rng(14)
    made: pyarrow.csv.CSVWriter | pyarrow.parquet.ParquetWriter | None = None
    for start in range(0, count, 500_000):
        length = min(500_000, count - start)
        columns: dict[str, object] = {name: np.round(draw.normal(50, 20, length), 3) for name in NUMBERS}
        columns |= {name: draw.integers(0, 100, length) for name in COUNTS}
        columns |= {name: draw.choice(np.array(values), length) for name, values in GROUPS.items()}
        part = pa.table(columns)
        if made is None:
            writer = pyarrow.csv.CSVWriter if form == "csv" else pyarrow.parquet.ParquetWriter
            made = writer(path, part.schema)
        made.write_table(part)
    if made is not None:
        made.close()
    return path


def _run(who: str, path: Path) -> tuple[float, float]:
    """Processor seconds and peak MB of one process."""
    done = subprocess.run([sys.executable, "-m", "harness.rows_worker", who, str(path)], check=True,
                          capture_output=True, text=True, cwd=Path(__file__).parents[1])  # fmt: skip
    seconds, peak = map(float, done.stdout.split())
    return seconds, peak / MB
