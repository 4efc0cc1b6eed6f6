"""Pictures as pure functions: facts in, one inline SVG out. Pages and notebooks share them.

Every picture has a title and a description, scales with its box while its letters keep their size (x in percent, y in
pixels), and says nothing by colour alone: series differ in shape or hatching, and the numbers stand beside the marks.
Colours are CSS variables with a fallback, so that a page's dark and print styles reach inside and a bare notebook
still works. `ident` must be unique on the page.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from potluck.report import words
from potluck.report.drawing import (
    ACCENT,
    GROUND,
    INK,
    MUTED,
    RULE,
    WARN,
    hatch,
    hatched,
    heading,
    label,
    line,
    shortened,
    svg,
    text,
)
from potluck.report.scales import factors_between, few, logged, padded, place, plain, ticks, turned

Shape = Literal["dot", "ring", "diamond", "square"]

PLOT = (27.0, 84.0)  # where marks may lie, in percent of the width: names to the left, numbers to the right
BARE = (42.0, 98.0)  # the same without numbers
ABOVE = 2.0  # where marks begin once names stand above them
FITS = 11  # letters of a name that a quarter of a phone's width has room for
NAMED = 16  # px between a name and the marks below it


@dataclass(frozen=True, slots=True)
class Mark:
    """One value with its interval (real units of the chart)."""

    value: float
    low: float | None = None
    high: float | None = None
    shape: Shape = "dot"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a chart: a name, its marks, and a number in words. `head`: a heading over the lines below it."""

    label: str
    marks: tuple[Mark, ...] = ()
    value: str = ""
    head: bool = False


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: up from the base, or with `down` both ways; `hatched` sets a second kind apart; `flag` marks it."""

    value: float
    down: float = 0.0
    low: float | None = None
    high: float | None = None
    hatched: bool = False
    flag: str = ""


def shape(kind: Shape, *, x: float = 0.0, y: float = 0.0, emphasis: bool = False) -> str:
    """One mark at (x %, y px)."""
    colour = ACCENT if kind == "dot" or emphasis else INK
    style = f'fill="{colour}"' if kind == "dot" else f'fill="{GROUND}" stroke="{colour}" stroke-width="2"'
    if kind in ("dot", "ring"):
        return f'<circle cx="{x:.2f}%" cy="{y}" r="{5.5 if kind == "dot" else 4.5}" {style}/>'
    path = "M0-6 6 0 0 6-6 0Z" if kind == "diamond" else "M-4.5-4.5H4.5V4.5H-4.5Z"
    return f'<svg x="{x:.2f}%" y="{y}" overflow="visible"><path d="{path}" {style}/></svg>'


def key(kind: Shape) -> str:
    """A mark for a legend; its word stands beside it, so it is hidden from screen readers."""
    inner = shape(kind, x=50, y=8)
    return f'<svg class="key" width="16" height="16" aria-hidden="true" focusable="false">{inner}</svg>'


def dots(
    ident: str,
    title: str,
    desc: str,
    rows: Sequence[Row],
    *,
    scale: str = "",
    level: float | None = None,
    factors: bool = False,
) -> str:
    """Values with intervals on one scale, a line each. Rows with several marks need a legend (`key`).

    scale: what it is; level: a value to compare them with; factors: their logarithms have the scale, and what is not
    above 0 is not drawn.
    """
    turn = logged if factors else plain
    ends = [turn(end) for row in rows for mark in row.marks for end in _ends(mark)]
    ends = [end for end in [*ends, *(() if level is None else [turn(level)])] if math.isfinite(end)]
    low, high = padded(ends)
    left, right = PLOT if any(row.value for row in rows) else BARE
    above = _above([row.label for row in rows if not row.head], left)
    left = ABOVE if above else left
    plot = left, right
    parts: list[str] = []
    y = 0
    lines: list[tuple[int, Row, str]] = []
    for row, short in zip(rows, shortened([row.label for row in rows]), strict=True):
        y += 34 if row.head else 22 + above
        lines.append((y - 8, row, short))
    bottom = y + 6
    marked = factors_between(low, high) if factors else few(low, high)
    for tick, said in marked:
        x = place(turn(tick), low, high, left, right)
        parts.append(line(x, 8, x, bottom, RULE, dashes="2 4"))
        parts.append(text(f"{x:.2f}%", bottom + 16, said, anchor="middle", muted=True))
    if level is not None:
        x = place(turn(level), low, high, left, right)
        parts.append(line(x, 2, x, bottom, INK))
    for at, row, short in lines:
        whole = row.head or above
        up = 0 if row.head else above
        parts.append(
            label(
                row.label,
                at - up,
                "100%" if whole else f"{left - 2:.1f}%",
                strong=row.head,
                short=short if whole else "",
            )
        )
        if row.marks:
            parts.append(line(left, at, right, at, RULE))
        marks = [Mark(turn(m.value), turned(turn, m.low), turned(turn, m.high), m.shape) for m in row.marks]
        parts += [_whisker(mark, at, (low, high), plot) for mark in marks]
        parts += [
            shape(m.shape, x=place(m.value, low, high, left, right), y=at) for m in marks if math.isfinite(m.value)
        ]
        if row.value:
            parts.append(text("100%", at + 4, row.value, anchor="end"))
    return svg(ident, title, desc, bottom + 22 + _scale(parts, scale, right, bottom), parts)


def boxes(
    ident: str, title: str, desc: str, rows: Sequence[tuple[str, Sequence[float | None], str]], scale: str
) -> str:
    """Box plots on one scale, a line each: a name, where its line begins, its quartiles, where its line ends, and the
    median in words. What is None is not drawn."""
    low, high = padded([end for _, ends, _ in rows for end in ends if end is not None])
    left, right = PLOT
    above = _above([name for name, _, _ in rows], left)
    pitch = 30 + above
    bottom, parts = pitch * len(rows) + 6, []
    short = shortened([name for name, _, _ in rows])
    width, left = ("100%", ABOVE) if above else (f"{left - 2:.1f}%", left)
    for tick, said in few(low, high):
        x = place(tick, low, high, left, right)
        parts.append(line(x, 2, x, bottom, RULE, dashes="2 4"))
        parts.append(text(f"{x:.2f}%", bottom + 16, said, anchor="middle", muted=True))
    for index, (name, ends, value) in enumerate(rows):
        y = pitch * index + 19 + above
        written = short[index] if above else ""
        parts += [
            label(name, y - above - (above and 2), width, short=written),
            text("100%", y + 4, value, anchor="end"),
        ]
        known = [None if end is None else place(end, low, high, left, right) for end in ends]
        first, q1, median, q3, last = known
        if first is not None and last is not None:
            parts.append(line(first, y, last, y, INK, width=1.5))
        if q1 is not None and q3 is not None:
            wide = f'x="{q1:.2f}%" y="{y - 9}" width="{max(0.0, q3 - q1):.2f}%" height="18" rx="2"'
            parts.append(f'<rect {wide} fill="{GROUND}" stroke="{ACCENT}" stroke-width="1.5"/>')
            parts.append(f'<rect {wide} fill="{ACCENT}" fill-opacity="0.22"/>')
        if median is not None:
            parts.append(line(median, y - 9, median, y + 9, ACCENT, width=3.5))
    return svg(ident, title, desc, bottom + 22 + _scale(parts, scale, right, bottom), parts)


def _scale(parts: list[str], said: str, right: float, bottom: float) -> int:
    """Write what a scale is beneath its ticks, and tell how high that is."""
    if said:
        parts.append(text(f"{right}%", bottom + 34, said, anchor="end", muted=True))
    return 18 if said else 0


def levers(ident: str, title: str, desc: str, rows: Sequence[Row]) -> str:
    """Horizontal bars to both sides of zero: coefficients, a line each (the first mark's value)."""
    values = [row.marks[0].value for row in rows if row.marks] or [0.0]
    low, high = min(0.0, *values), max(0.0, *values)
    low, high = (low, high) if high > low else (-1.0, 1.0)
    left, right = 36.0, 86.0
    above, short = _above([row.label for row in rows], left), shortened([row.label for row in rows])
    named, left = ("100%", ABOVE) if above else (f"{left - 1.5}%", left)
    zero = place(0, low, high, left, right)
    pitch = 22 + above
    bottom = pitch * len(rows) + 4
    parts = [line(zero, 0, zero, bottom, MUTED)]
    for index, row in enumerate(rows):
        y = pitch * index + 4 + above
        parts.append(label(row.label, y + 9 - above, named, short=short[index] if above else ""))
        if row.marks:
            end = place(row.marks[0].value, low, high, left, right)
            start, width = min(zero, end), abs(end - zero)
            look = f'fill="{ACCENT}"' if row.marks[0].value >= 0 else f'fill="{hatched(ident)}"'
            parts.append(f'<rect x="{start:.2f}%" y="{y}" width="{width:.2f}%" height="16" rx="2" {look}/>')
        parts.append(text("100%", y + 13, row.value, anchor="end"))
    return svg(ident, title, desc, bottom + 2, [hatch(ident), *parts])


def columns(
    ident: str,
    title: str,
    desc: str,
    bars: Sequence[Bar],
    labels: Sequence[tuple[float, str]],
    *,
    sizes: bool = False,
    axes: tuple[str, str] = ("", ""),
) -> str:
    """Vertical bars side by side: a histogram, or rounds with bytes up and down (`down`).

    labels: (position in [0, 1] along the base, text). sizes: the heights are bytes. axes: what lies along the base, and
    what is high.
    """
    high = max([0.0, *(v for b in bars for v in (b.value, b.high or 0.0))])
    low = min([0.0, *(v for b in bars for v in (b.value, -b.down, b.low or 0.0))])
    high, low = (high, low) if high > low else (1.0, 0.0)
    top, tall = 26.0, 190.0
    base = top + tall
    left, right = 13.0, 100.0
    parts = [hatch(ident), *([text("0", 12, axes[1], muted=True)] if axes[1] else [])]
    for tick, written in ticks(low, high):
        y = base - tall * (tick - low) / (high - low)
        said = words.size(abs(tick)) if sizes else written
        parts.append(line(left, y, right, y, INK if tick == 0 else RULE))
        parts.append(text(f"{left - 1.5}%", y + 4, said, anchor="end", muted=True))
    pitch = (right - left) / max(1, len(bars))
    for index, bar in enumerate(bars):
        parts += _column(ident, bar, left + pitch * index, pitch, (low, high, top, tall))
    for where, said in labels:
        anchor = "start" if where < 0.02 else "end" if where > 0.98 else "middle"
        parts.append(text(f"{left + where * (right - left):.2f}%", base + 20, said, anchor=anchor, muted=True))
    more = _scale(parts, axes[0], right, base + 4)
    return svg(ident, title, desc, base + 28 + more, parts)


def _column(ident: str, bar: Bar, x: float, pitch: float, frame: tuple[float, float, float, float]) -> list[str]:
    low, high, top, tall = frame
    gap = min(0.6, pitch * 0.15)

    def y(value: float) -> float:
        return top + tall * (high - value) / (high - low)

    look = hatched(ident) if bar.hatched else ACCENT
    parts = [_block(x + gap, y(max(bar.value, 0)), pitch - 2 * gap, y(min(bar.value, 0)), look)]
    if bar.down:
        parts.append(_block(x + gap, y(0), pitch - 2 * gap, y(-bar.down), MUTED))
    if bar.low is not None and bar.high is not None:
        middle = x + pitch / 2
        parts.append(line(middle, y(bar.high), middle, y(bar.low), GROUND, width=4.5))
        parts.append(line(middle, y(bar.high), middle, y(bar.low), INK, width=1.5))
    if bar.flag:
        cross = f'<path d="M-4-4 4 4M4-4-4 4" stroke="{WARN}" stroke-width="2.5" fill="none"/>'
        spot = f'x="{x + pitch / 2:.2f}%" y="{y(max(bar.value, 0)) - 12:.1f}"'
        parts.append(f'<svg {spot} overflow="visible">{heading(bar.flag)}{cross}</svg>')
    return parts


def _block(x: float, top: float, width: float, bottom: float, look: str) -> str:
    tall = max(0.0, bottom - top)
    return f'<rect x="{x:.3f}%" y="{top:.1f}" width="{width:.3f}%" height="{tall:.1f}" fill="{look}"/>'


def _above(names: Sequence[str], left: float) -> int:
    """How far names stand above their marks, in px: 0 where each has room beside them on a phone. left: percent of the
    width where marks begin."""
    room = FITS * left / PLOT[0]
    return NAMED if any(len(name) > room for name in names) else 0


def _ends(mark: Mark) -> list[float]:
    ends = [mark.value, mark.low, mark.high]
    return [end for end in ends if end is not None and math.isfinite(end)]


def _whisker(mark: Mark, y: float, scale: tuple[float, float], plot: tuple[float, float]) -> str:
    if mark.low is None or mark.high is None:
        return ""
    start, end = (place(value, *scale, *plot) for value in (mark.low, mark.high))
    return line(start, y, end, y, ACCENT if mark.shape == "dot" else INK, width=2.5)
