"""What was measured, and where it is kept: on the screen, in results.json, and as a table in the bench's README."""

import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.measure import Row

BENCH = Path(__file__).parents[1]
RESULTS = BENCH / "results.json"
README = BENCH / "README.md"
BEGIN, END = "<!-- results.json -->\n", "<!-- end -->"
HEAD = ("what", "ours", "peer", "beside", "ratio", "goal", "met")
EMPTY = "No figure here has a day and a machine yet: `make bench` measures them all."


def machine() -> str:
    """Processor, how many of them, and the Python."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = f"{len(names)} x {names[0]}" if names else cpu
    return f"{cpu}, Python {platform.python_version()}"


def dated(rows: Iterable[Row]) -> list[Row]:
    """The rows, measured today on this machine."""
    measured = f"{date.today().isoformat()}, {machine()}"
    return [replace(row, measured=measured) for row in rows]


def show(rows: Iterable[Row]) -> None:
    """The table, on stdout."""
    table = Table(*HEAD, title="ratio above 1: ours is better")
    for row in rows:
        table.add_row(*_cells(row))
    Console(width=None if Console().is_terminal else 160).print(table)


def read(path: Path = RESULTS) -> list[Row]:
    """The rows that were kept."""
    return [Row(**{key: value for key, value in one.items() if key != "met"}) for one in json.loads(path.read_bytes())]


def merged(rows: Iterable[Row], path: Path = RESULTS) -> list[Row]:
    """The rows of before with these in them: in the place of those with the same names, new ones at the end."""
    new = {row.name: row for row in rows}
    return [new.pop(one.name, one) for one in read(path)] + list(new.values())


def write(rows: Iterable[Row], path: Path = RESULTS) -> None:
    """As JSON."""
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
            "measured": row.measured,
        }
        for row in rows
    ]
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def publish(rows: Iterable[Row], path: Path = README) -> None:
    """The tables take their place in the README."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}{page(rows)}{END}{after}", encoding="utf-8")


def page(rows: Iterable[Row]) -> str:
    """A Markdown table a day and machine, the newest first. Rows without them are counted and not shown."""
    every = list(rows)
    told = sorted((row for row in every if row.measured), key=lambda row: row.measured, reverse=True)
    blocks = ["\n".join(_block(when, list(some))) for when, some in groupby(told, key=lambda row: row.measured)]
    silent = len(every) - len(told)
    if silent:
        blocks.append(f"{silent} rows of results.json were measured before days and machines were kept: not shown.")
    return "\n\n".join(blocks if told else [EMPTY, *blocks]) + "\n"


def _block(measured: str, rows: list[Row]) -> Iterator[str]:
    yield f"**{measured}**\n"
    yield f"| {' | '.join(HEAD)} |"
    yield "|" + "---|" * len(HEAD)
    for row in rows:
        yield f"| {' | '.join(_cells(row))} |"


def _cells(row: Row) -> tuple[str, ...]:
    goal = "" if row.goal is None else f"{row.goal:.3g}"
    met = "" if row.goal is None else ("yes" if row.met else "NO")
    ours, peer = f"{row.ours:.4g} {row.unit}", f"{row.peer:.4g} {row.unit}"
    return row.name, ours, peer, row.peer_name, f"{row.ratio:.3g}", goal, met
