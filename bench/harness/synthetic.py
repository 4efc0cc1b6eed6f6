"""Tables of which rows are made up, and how good made-up rows are: pairs of columns, and models trained on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import statsmodels.datasets
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from harness import census
from potluck.learning.synthesis.axes import Axis

SEED = 7
Columns = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Case:
    """A table. columns: as a plan declares them; whole: numbers that are whole; train, test: rows."""

    name: str
    columns: Columns
    target: str
    whole: tuple[str, ...]
    train: pd.DataFrame = field(repr=False)
    test: pd.DataFrame = field(repr=False)


def income() -> Case:
    """Census rows of 1994, 30,000 to learn from. Raises fetched.Missing."""
    rows = census.rows().drop(columns=["weight", "years"])  # a weight of the sample, and `school` once more
    columns = {name: one for name, one in census.columns(rows.assign(weight=0, years=0)).items() if name in rows}
    return _case("census", rows, columns, census.TARGET, ("age", "hours"), 30_000)


def affairs() -> Case:
    """Redbook's survey of 1974 (Fair 1978; statsmodels, public domain), 6,366 rows: any affair."""
    data = statsmodels.datasets.fair.load_pandas().data
    rows = data.assign(any=(data["affairs"] > 0).astype(int)).drop(columns="affairs")
    columns = {str(name): _values(rows[name]) for name in rows}
    return _case("affairs", rows, columns, "any", (), 5_000)


def visits() -> Case:
    """RAND's health insurance experiment (Newhouse et al. 1993; statsmodels, public domain), 20,190 rows: any visit."""
    data = statsmodels.datasets.randhie.load_pandas().data
    rows = data.assign(any=(data["mdvis"] > 0).astype(int)).drop(columns="mdvis")
    ranges = {"lncoins": (0, 5), "lpi": (0, 8), "fmde": (0, 9), "disea": (0, 60)}
    numbers = {name: {"kind": "number", "low": low, "high": high} for name, (low, high) in ranges.items()}
    columns = {str(name): numbers.get(str(name)) or _values(rows[name]) for name in rows}
    return _case("visits", rows, columns, "any", (), 15_000)


def _values(values: Any) -> dict[str, object]:
    return {"kind": "category", "values": [f"{one:g}" for one in sorted(values.unique())]}


def _case(name: str, rows: pd.DataFrame, columns: Columns, target: str, whole: tuple[str, ...], train: int) -> Case:
    texts: dict[str, Any] = {
        str(one): rows[one].map("{:g}".format)
        for one in rows
        if "values" in columns[str(one)] and rows[one].dtype.kind in "if"
    }
    shuffled = rows.assign(**texts).sample(frac=1, random_state=SEED).reset_index(drop=True)
    return Case(name, columns, target, whole, shuffled[:train], shuffled[train:])


def codes(axes: Sequence[Axis], columns: Columns, rows: pd.DataFrame) -> NDArray[np.int64]:
    """[n, K] the levels of rows."""
    return np.column_stack([axis.codes(_numbers(rows[axis.name], columns[axis.name])) for axis in axes])


def pair_error(sizes: Sequence[int], real: NDArray[np.int64], made: NDArray[np.int64]) -> float:
    """The mean over all pairs of columns of the L1 distance between their tables of shares."""

    def table(some: NDArray[np.int64], one: int, other: int) -> NDArray[np.float64]:
        flat = some[:, one] * sizes[other] + some[:, other]
        return np.bincount(flat, minlength=sizes[one] * sizes[other]) / len(some)

    pairs = combinations(range(len(sizes)), 2)
    return float(np.mean([np.abs(table(real, *pair) - table(made, *pair)).sum() for pair in pairs]))


def area(case: Case, rows: pd.DataFrame) -> float:
    """The AUC, on rows that were held out, of a logistic model of the plan's encoding that is trained on some rows."""
    positive = str(case.columns[case.target]["values"][-1])
    model = LogisticRegression(max_iter=500).fit(_encoded(case, rows), _labels(case, rows) == positive)
    scores = model.decision_function(_encoded(case, case.test))
    return float(roc_auc_score(_labels(case, case.test) == positive, scores))


def _labels(case: Case, rows: pd.DataFrame) -> NDArray[Any]:
    values: NDArray[Any] = np.array(case.columns[case.target]["values"], object)
    found: NDArray[Any] = values[_numbers(rows[case.target], case.columns[case.target]).astype(int)]
    return found


def _encoded(case: Case, rows: pd.DataFrame) -> NDArray[np.float64]:
    parts = []
    for name, column in case.columns.items():
        if name == case.target:
            continue
        numbers = _numbers(rows[name], column)
        if "values" in column:
            parts.append((numbers[:, None] == np.arange(len(column["values"]))).astype(float))
        else:
            low, high = column["low"], column["high"]
            parts.append((2 * (np.clip(numbers, low, high) - low) / (high - low) - 1)[:, None])
    return np.hstack(parts)


def _numbers(values: Any, column: Mapping[str, Any]) -> NDArray[np.float64]:
    """Numbers, or places of declared values."""
    if "values" not in column:
        return np.asarray(values, np.float64)
    places = {text: place for place, text in enumerate(column["values"])}
    return np.asarray(values.astype(str).map(places), np.float64)
