"""The census-income rows of 1994 (Becker and Kohavi 1996, UCI repository, CC BY 4.0): who earned over $50,000."""

from pathlib import Path

import pandas as pd

from harness import fetched

TARGET = "rich"
COLUMNS = (
    *("age", "work", "weight", "school", "years", "marital", "job", "role", "origin", "sex"),
    *("gain", "loss", "hours", "country", TARGET),
)
NUMBERS = {
    "age": (17, 90),
    "weight": (10_000, 1_500_000),
    "years": (1, 16),
    "gain": (0, 99_999),
    "loss": (0, 4_356),
    "hours": (1, 99),
}


def rows() -> pd.DataFrame:
    """All 48,842: those that were published to learn from, then those to test. Raises fetched.Missing."""
    folder = fetched.census()
    parts = [_read(folder / name, skipped) for name, skipped in (("adult.data", 0), ("adult.test", 1))]
    whole = pd.concat(parts, ignore_index=True)
    whole[TARGET] = whole[TARGET].str.rstrip(".")
    return whole


def columns(whole: pd.DataFrame) -> dict[str, dict[str, object]]:
    """As a plan declares them: the ranges and values of the data's own description."""
    numbers = {name: {"kind": "number", "low": low, "high": high} for name, (low, high) in NUMBERS.items()}
    words = [name for name in COLUMNS if name not in NUMBERS]
    return numbers | {name: {"kind": "category", "values": sorted(whole[name].unique())} for name in words}


def _read(path: Path, skipped: int) -> pd.DataFrame:
    return pd.read_csv(path, names=COLUMNS, skipinitialspace=True, skiprows=skipped)
