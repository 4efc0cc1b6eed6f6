"""Rows of the bench, and timing: ours and the peer take turns in one run, and medians are compared."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).with_name("results.json")
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the bench.

    ratio: the better way round, above 1 = ours is better. goal: on the same scale, None where none was set.
    """

    name: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    unit: str
    goal: float | None = None

    @property
    def met(self) -> bool:
        """Whether the goal is reached; a row without a goal is only reported."""
        return self.goal is None or self.ratio >= self.goal


def less(name: str, pair: tuple[float, float], peer_name: str, unit: str, goal: float | None = None) -> Row:
    """A row where less is better. pair: (ours, peer)."""
    ours, peer = pair
    return Row(name, ours, peer, peer_name, peer / ours, unit, goal)


def more(name: str, pair: tuple[float, float], peer_name: str, unit: str, goal: float | None = None) -> Row:
    """A row where more is better. pair: (ours, peer)."""
    ours, peer = pair
    return Row(name, ours, peer, peer_name, ours / peer, unit, goal)


def in_turns(turns: int, *works: Work, warm: bool = True) -> list[float]:
    """Median seconds of each work. All of them take turns, so that a slow moment of the machine hits them alike.

    warm: every work is done once before, untimed (page faults, lazy imports).
    """
    seconds: list[list[float]] = [[] for _ in works]
    if warm:
        for work in works:
            work()
    for _ in range(turns):
        for taken, work in zip(seconds, works, strict=True):
            started = time.perf_counter()
            work()
            taken.append(time.perf_counter() - started)
    return [statistics.median(taken) for taken in seconds]


def show(rows: Iterable[Row]) -> None:
    """The table, on stdout."""
    table = Table("what", "ours", "peer", "beside", "ratio", "goal", "met", title="ratio above 1: ours is better")
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:.3g}"
        met = "" if row.goal is None else ("yes" if row.met else "NO")
        cells = (f"{row.ours:.4g} {row.unit}", f"{row.peer:.4g} {row.unit}", row.peer_name, f"{row.ratio:.3g}")
        table.add_row(row.name, *cells, goal, met)
    Console(width=None if Console().is_terminal else 160).print(table)


def kept(rows: Iterable[Row], path: Path = RESULTS) -> list[Row]:
    """The rows of before with these in them: in the place of those with the same names, new ones at the end."""
    new = {row.name: row for row in rows}
    known = [{key: value for key, value in one.items() if key != "met"} for one in json.loads(path.read_bytes())]
    return [new.pop(one["name"], Row(**one)) for one in known] + list(new.values())


def write(rows: Iterable[Row], path: Path = RESULTS) -> None:
    """The same as JSON."""
    document = [
        {
            "name": row.name,
            "ours": row.ours,
            "peer": row.peer,
            "peer_name": row.peer_name,
            "ratio": row.ratio,
            "unit": row.unit,
            "goal": row.goal,
            "met": row.met,
        }
        for row in rows
    ]
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")
