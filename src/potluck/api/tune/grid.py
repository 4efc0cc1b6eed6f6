"""A grid: keys of a plan, each with the values to try, and all their combinations.

Only settings of model and training may be in it, and bounds of what a unit adds. Whatever says who sees what or what is
promised is agreed with owners and not chosen by their rows, and another `data` would be other rows on either side of
the split: candidates could not be compared, and a test row of one would train the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from potluck.api.plan.grammar import inline, pair
from potluck.core.errors import UsageError

Grid = Mapping[str, Sequence[object]]
Settings = Mapping[str, object]
MOST = 100
"""Combinations: each is a training."""
TABLES = ("model", "training")
BOUNDS = ("privacy.clip", "privacy.clip_follows")
WHY = {
    "federation": "it says who takes part and whom the plan trusts, which is agreed and not chosen by rows",
    "protect": "it says who sees what, which is agreed and not chosen by rows",
    "privacy": "it says what is promised to whom: a metric always takes the larger epsilon, and the owners bear it",
    "data": "it says which rows there are and on which side of the split each is: candidates would be judged by others",
    "evaluate": "validation rows judge each candidate alike",
}
"""By table whose keys are in no grid, why."""


def grid_of(settings: Iterable[str]) -> Grid:
    """The grid of texts `KEY=[VALUE, ...]`, in TOML. Raises UsageError."""
    found: dict[str, Sequence[object]] = {}
    for one in settings:
        path, values = pair(one, "--grid", "--grid 'model.l2=[0.1, 1, 10]': a list in TOML, so texts in it need quotes")
        key = ".".join(path)
        if key in found:
            raise UsageError(f"--grid {key}: is there twice", hint="all of its values in one list")
        found[key] = _values(key, values)
    return found


def combinations(grid: Grid) -> list[Settings]:
    """All of them, the last key's values one after the other. Raises UsageError: a key that no grid takes; nothing to
    choose from; more than MOST."""
    if not isinstance(grid, Mapping) or not grid:
        raise UsageError("the grid is empty", hint="e.g. --grid 'model.l2=[0.1, 1, 10]'")
    axes = {str(key): _values(str(key), values) for key, values in grid.items()}
    for key, values in axes.items():
        _allowed(key)
        if len(values) == 1:
            what = f"grid {key}: has one value, so there is nothing to choose"
            raise UsageError(what, hint=f"--set {key}={inline(values[0])} beside the grid")
    found: list[Settings] = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
    if len(found) > MOST:
        what = f"the grid has {len(found):,} combinations, and each is a training: {MOST} are the most"
        raise UsageError(what, hint="fewer values, or one key after the other")
    return found


def said(settings: Settings) -> str:
    """One combination in words."""
    return ", ".join(f"{key} = {inline(value)}" for key, value in settings.items())


def _allowed(key: str) -> None:
    """Raises UsageError: it is none of a grid."""
    table, _, rest = key.partition(".")
    if key in BOUNDS or (table in TABLES and rest):
        return
    why = WHY.get(table, "no grid takes it")
    known = ", ".join([*(f"{one}.*" for one in TABLES), *BOUNDS])
    raise UsageError(f"grid {key}: {why}", hint=f"known: {known}; --set changes other keys for all candidates alike")


def _values(key: str, values: object) -> list[object]:
    """Its values, those of an array of numpy as Python's. Raises UsageError: no list, or an empty one."""
    listed = getattr(values, "tolist", lambda: values)()
    if not isinstance(listed, list | tuple) or not listed:
        raise UsageError(f"grid {key}: takes a list of values", hint=f"e.g. {key} = [0.1, 1, 10]")
    return [getattr(one, "tolist", lambda one=one: one)() for one in listed]
