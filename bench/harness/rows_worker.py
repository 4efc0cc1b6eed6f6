"""One process of the group `rows`: ten statistics of a file, by a site or by DuckDB alone. Prints seconds and bytes."""

import re
import sys
import time
from pathlib import Path

import duckdb

import potluck.owner.source  # noqa: F401 - the kinds of source that owners have
from potluck.core import plan as p
from potluck.tasks.sums.rows import rows_of

LOW, HIGH, STEP = -50.0, 150.0, 2.0**-40
NUMBERS = [f"x{place}" for place in range(10)]
COUNTS = [f"k{place}" for place in range(4)]
GROUPS = {"sex": ("F", "M"), "stage": ("I", "II", "III", "IV"), "ward": tuple(f"w{place}" for place in range(10))}


def plan() -> p.Plan:
    """Ten statistics; every column is declared."""
    columns = {name: p.Column(kind="number", low=LOW, high=HIGH) for name in NUMBERS}
    columns |= {name: p.Column(kind="number", low=0.0, high=100.0) for name in COUNTS}
    columns |= {name: p.Column(kind="category", values=values) for name, values in GROUPS.items()}
    wanted = (
        p.Statistic(name="n", kind="count", by="sex"),
        p.Statistic(name="m0", kind="mean", column="x0"),
        p.Statistic(name="m1", kind="mean", column="x1", by="ward"),
        p.Statistic(name="v2", kind="variance", column="x2"),
        p.Statistic(name="v3", kind="variance", column="x3", by="stage"),
        p.Statistic(name="h4", kind="histogram", column="x4", bins=20),
        p.Statistic(name="t", kind="contingency", columns=("sex", "stage")),
        p.Statistic(name="s5", kind="sum", column="x5", by="sex"),
        p.Statistic(name="k0", kind="mean", column="k0"),
        p.Statistic(name="m6", kind="mean", column="x6", by="sex"),
    )
    return p.Plan(
        version=1,
        name="rows",
        purpose="bench",
        task="statistics",
        federation=p.Federation(sites=("a", "b")),
        data=p.Data(columns=columns, max_rows=1_000_000_000),
        protect=p.Protect(scheme="mask"),
        privacy=p.PrivacyPlan(noise="none"),
        statistics=wanted,
    )


def floor(path: str) -> None:
    """The same sums of integers as one query by hand."""
    types = dict.fromkeys(NUMBERS, "DOUBLE") | dict.fromkeys(COUNTS, "BIGINT") | dict.fromkeys(GROUPS, "VARCHAR")
    source = (
        f"read_parquet('{path}')" if path.endswith("parquet") else f"read_csv('{path}', header=true, columns={types})"
    )
    ranges = dict.fromkeys(NUMBERS, (LOW, HIGH)) | dict.fromkeys(COUNTS, (0.0, 100.0))
    on = {
        name: f"(2 * (least(greatest({name}, {low}::DOUBLE), {high}::DOUBLE) - {low}::DOUBLE)"
        f" / {high - low}::DOUBLE - 1)"
        for name, (low, high) in ranges.items()
    }
    values = ["x0", "x1", "x2", "x2 * x2", "x3", "x3 * x3", "x6", "k0"]
    sums = ", ".join(f"sum(trunc(({value}) / {STEP!r}::DOUBLE)::BIGINT)" for value in values)
    scaled = ", ".join(f"{on[name]} AS {name}" for name in ("x0", "x1", "x2", "x3", "x6", "k0"))
    x5 = f"sum(trunc(least(greatest(x5, {LOW}::DOUBLE), {HIGH}::DOUBLE) / {STEP!r}::DOUBLE)::BIGINT)"
    place = "least(19, greatest(0, floor((x4 + 50) / 10)))::INT AS bin"
    inner = f"SELECT sex, stage, ward, {place}, x5, {scaled} FROM {source}"
    duckdb.execute(f"SELECT sex, stage, ward, bin, count(*), {sums}, {x5} FROM ({inner}) GROUP BY ALL").fetchall()


def main() -> None:
    """Who, and which file."""
    who, path = sys.argv[1:]
    started = time.process_time()
    if who == "ours":
        rows_of(Path(path), plan(), "a")
    else:
        floor(path)
    seconds = time.process_time() - started
    # Not ru_maxrss: a new process has that of the one that made it.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print(seconds, int(peak[1]) * 1024 if peak else 0)


if __name__ == "__main__":
    main()
