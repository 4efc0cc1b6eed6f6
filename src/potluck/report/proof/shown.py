"""What the coordinator could see: made-up rows beside what attacks found of them, by protection."""

from dataclasses import dataclass
from pathlib import Path

from potluck.core import prose
from potluck.report import drawing, words
from potluck.report.proof.kept import ATTACKS, Attacks, MadeUp, View, read

GREYS = 15
NOT = "not found"


@dataclass(frozen=True, slots=True)
class Column:
    """One protection. said: how many rows were found, and by what."""

    title: str
    said: str
    found: int


@dataclass(frozen=True, slots=True)
class Row:
    """One made-up row under all protections: its own cells, and the guesses', None where it was not found."""

    name: str
    cells: tuple[str, ...]
    guesses: tuple[tuple[str, tuple[str, ...] | None], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """One made-up picture under all protections: (whose, its drawing, how near)."""

    name: str
    drawn: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """The section."""

    how: str
    columns: tuple[Column, ...]
    names: tuple[str, ...]
    rows: tuple[Row, ...]
    pictures: tuple[Picture, ...]


def shown(folder: Path, plan_hash: str) -> Shown | None:
    """What was kept of made-up rows; None where nothing was. Raises UsageError: damaged."""
    kept = read(folder / ATTACKS, Attacks, plan_hash)
    made = kept.made_up if kept else None
    if made is None:
        return None
    many = max(len(made.cells), len(made.pictures))
    columns = tuple(_column(view, many) for view in made.views)
    rows = tuple(_row(made, place) for place in range(len(made.cells)))
    pictures = tuple(_picture(made, place) for place in range(len(made.pictures)))
    return Shown(f"Made on {words.moment(made.when)}, seed {made.seed}.", columns, made.columns, rows, pictures)


def _column(view: View, many: int) -> Column:
    hits = sum(view.found)
    if not view.attack:
        return Column(view.title, f"none of {many} found: {view.why}", 0)
    said = f"{hits or 'none'} of {many} found by {view.attack}"
    if view.pictures:
        said += f"; half of the guesses are at {sorted(view.near)[len(view.near) // 2]:.0f} dB or nearer"
    return Column(view.title, said, hits)


def _row(made: MadeUp, place: int) -> Row:
    guesses = tuple(
        (view.title, view.cells[place] if place < len(view.cells) and view.found[place] else None)
        for view in made.views
    )
    return Row(f"Row of site {place + 1}", made.cells[place], guesses)


def _picture(made: MadeUp, place: int) -> Picture:
    name = f"Picture of site {place + 1}"
    drawn = [("the row itself", _pixels(f"shown-{place}", name, made.pictures[place]), "made up")]
    for number, view in enumerate(made.views):
        if place < len(view.pictures):
            near = f"{view.near[place]:.0f} dB: {'found' if view.found[place] else NOT}"
            ident = f"shown-{place}-{number}"
            drawn.append((view.title, _pixels(ident, f"The best guess, {view.title}", view.pictures[place]), near))
        else:
            drawn.append((view.title, "", f"no guess: {view.why}"))
    return Picture(name, tuple(drawn))


def _pixels(ident: str, title: str, lines: tuple[str, ...]) -> str:
    """A picture as paths, one a grey."""
    paths: dict[str, list[str]] = {}
    for y, line in enumerate(lines):
        for x, grey in enumerate(line):
            paths.setdefault(grey, []).append(f"M{x} {y}h1v1h-1z")
    high, wide = len(lines), max(map(len, lines), default=0)
    parts = [
        f'<path fill="rgb({v} {v} {v})" d="{"".join(found)}"/>'
        for grey, found in sorted(paths.items())
        for v in [int(grey, 16) * 255 // GREYS]
    ]
    size = f'width="100%" height="100%" viewBox="0 0 {wide} {high}" shape-rendering="crispEdges"'
    box = f"<svg {size}>{''.join(parts)}</svg>"
    desc = f"{prose.count(high, 'line')} of {wide} grey pixels."
    return drawing.svg(ident, title, desc, 112, [box], width="112")
