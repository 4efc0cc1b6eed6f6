"""The statistics of a run as tidy pandas tables."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from potluck.learning.statistics.forms import Frame
from potluck.learning.statistics.result import EVERYBODY
from potluck.report.outcome import read

if TYPE_CHECKING:
    from pandas import DataFrame

HEAD = ("of", "which", "value", "low", "high")
"""Of values: the group, the bin or cell of it where there are several, the number and its interval."""


def frames(folder: Path, results: Mapping[str, object]) -> "dict[str, DataFrame]":
    """By the statistic's name what is read first, and its other tables as `name.table`. Raises UsageError: the folder
    cannot be read."""
    import pandas as pd

    _, details = read(folder)
    forms = {question.name: question.forms for question in details.questions if question.forms}
    found = {}
    for name, result in results.items():
        for one in forms.get(name, ()):
            if isinstance(one, Frame):
                key = f"{name}.{one.name}" if one.name else name
                found[key] = pd.DataFrame(one.rows, columns=list(one.head))
        if name not in forms:
            rows = [(of, *row) for of, group in by_group(result) for row in numbers(group)]
            found[name] = pd.DataFrame(rows, columns=list(HEAD))
    return found


def by_group(result: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """A result of the JSON, and those of its groups."""
    if isinstance(result, Mapping):
        yield EVERYBODY, result
        groups = result.get("by")
        yield from groups.items() if isinstance(groups, Mapping) else ()


def numbers(result: Mapping[str, object]) -> Iterator[tuple[str, object, object, object]]:
    """(which, value, low, high) of a number, of each bin or of each cell of a table."""
    value, low, high = (result.get(key) for key in ("value", "low", "high"))
    edges, labels = result.get("edges"), result.get("labels")
    if not all(isinstance(side, list | tuple) for side in (value, low, high)):
        yield "", value, low, high
    elif isinstance(edges, list | tuple):
        bins = [f"{first:.6g} to {last:.6g}" for first, last in itertools.pairwise(edges)]
        yield from zip(bins, _listed(value), _listed(low), _listed(high), strict=True)
    elif isinstance(labels, list | tuple):
        outer, inner = labels
        for label, *lists in zip(outer, _listed(value), _listed(low), _listed(high), strict=True):
            yield from ((f"{label}, {of}", *three) for of, *three in zip(inner, *map(_listed, lists), strict=True))


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
