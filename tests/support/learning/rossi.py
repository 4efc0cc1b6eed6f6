"""432 released prisoners and the week of their arrest, if any within a year: Rossi, Berk and Lenihan 1980, "Money, Work
and Crime". The file is lifelines' `rossi.csv` (0.30.3, MIT licence, Cameron Davidson-Pilon).
"""

from pathlib import Path

import numpy as np
import pandas as pd

FEATURES = ("fin", "age", "race", "wexp", "mar", "paro", "prio")
BINARY = ("fin", "race", "wexp", "mar", "paro")
COLUMNS = {
    **{name: {"kind": "number", "low": 0, "high": 1} for name in BINARY},
    "age": {"kind": "number", "low": 16, "high": 48},
    "prio": {"kind": "number", "low": 0, "high": 20},
    "week": {"kind": "number", "low": 1, "high": 53},
    "logweek": {"kind": "number", "low": 0, "high": 4},
    "arrest": {"kind": "category", "values": ["0", "1"]},
    "arrests": {"kind": "number", "low": 0, "high": 1},
}
"""As a plan declares them."""


def rossi() -> pd.DataFrame:
    """All rows."""
    rows = pd.read_csv(Path(__file__).with_name("rossi.csv"))
    return rows.assign(logweek=np.log(rows["week"]), arrests=rows["arrest"])


def by_age(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """At three sites, whose ages differ: no age lies at two of them."""
    site = np.digitize(rows["age"], [21, 25])
    return {name: rows[site == place].reset_index(drop=True) for place, name in enumerate("abc")}
