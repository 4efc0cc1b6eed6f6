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

from potluck.core import prose
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
    svg,
    text,
)

Shape = Literal["dot", "ring", "diamond", "square"]

PLOT = (27.0, 84.0)  # where marks may lie, in percent of the width: names to the left, numbers to the right
BARE = (42.0, 98.0)  # the same without numbers


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


def ticks(low: float, high: float, wanted: int = 5) -> list[tuple[float, str]]:
    """About `wanted` round numbers that lie within [low, high], and how to write them: with the decimals they need."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return []
    rough = (high - low) / wanted
    if not 1e-300 < rough < 1e300:  # no step between them can be written as a float
        return []
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * 0.8)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [index * step for index in range(first, last + 1)]
    if digits > 6 or abs(high) >= 1e7:
        return [(value, prose.number(value, 3)) for value in values]
    return [(value, f"{value:,.{digits}f}".replace("-", "−")) for value in values]


def _few(low: float, high: float) -> list[tuple[float, str]]:
    """As many ticks as fit side by side on a phone."""
    found = [ticks(low, high, wanted) for wanted in (5, 3, 2, 1)]
    return next((marks for marks in found if sum(len(said) + 2 for _, said in marks) <= 32), found[-1][:1])


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


def dots(ident: str, title: str, desc: str, rows: Sequence[Row]) -> str:
    """Values with intervals on one scale, a line each. Rows with several marks need a legend (`key`)."""
    ends = [end for row in rows for mark in row.marks for end in _ends(mark)]
    low, high = _padded(ends)
    left, right = plot = PLOT if any(row.value for row in rows) else BARE
    parts: list[str] = []
    y = 0
    lines: list[tuple[int, Row]] = []
    for row in rows:
        y += 34 if row.head else 22
        lines.append((y - 8, row))
    bottom = y + 6
    for tick, said in _few(low, high):
        x = _place(tick, low, high, left, right)
        parts.append(line(x, 8, x, bottom, RULE, dashes="2 4"))
        parts.append(text(f"{x:.2f}%", bottom + 16, said, anchor="middle", muted=True))
    for at, row in lines:
        parts.append(label(row.label, at, "100%" if row.head else f"{left - 2:.1f}%", strong=row.head))
        if row.marks:
            parts.append(line(left, at, right, at, RULE))
        parts += [_whisker(mark, at, (low, high), plot) for mark in row.marks]
        parts += [shape(m.shape, x=_place(m.value, low, high, left, right), y=at) for m in row.marks]
        if row.value:
            parts.append(text("100%", at + 4, row.value, anchor="end"))
    return svg(ident, title, desc, bottom + 22, parts)


def levers(ident: str, title: str, desc: str, rows: Sequence[Row]) -> str:
    """Horizontal bars to both sides of zero: coefficients, a line each (the first mark's value)."""
    values = [row.marks[0].value for row in rows if row.marks] or [0.0]
    low, high = min(0.0, *values), max(0.0, *values)
    low, high = (low, high) if high > low else (-1.0, 1.0)
    left, right = 36.0, 86.0
    zero = _place(0, low, high, left, right)
    bottom = 22 * len(rows) + 4
    parts = [line(zero, 0, zero, bottom, MUTED)]
    for index, row in enumerate(rows):
        y = 22 * index + 4
        parts.append(label(row.label, y + 9, f"{left - 1.5}%"))
        if row.marks:
            end = _place(row.marks[0].value, low, high, left, right)
            start, width = min(zero, end), abs(end - zero)
            look = f'fill="{ACCENT}"' if row.marks[0].value >= 0 else f'fill="{hatched(ident)}"'
            parts.append(f'<rect x="{start:.2f}%" y="{y}" width="{width:.2f}%" height="16" rx="2" {look}/>')
        parts.append(text("100%", y + 13, row.value, anchor="end"))
    return svg(ident, title, desc, bottom + 2, [hatch(ident), *parts])


def columns(
    ident: str, title: str, desc: str, bars: Sequence[Bar], labels: Sequence[tuple[float, str]], *, sizes: bool = False
) -> str:
    """Vertical bars side by side: a histogram, or rounds with bytes up and down (`down`).

    labels: (position in [0, 1] along the base, text). sizes: the heights are bytes.
    """
    high = max([0.0, *(v for b in bars for v in (b.value, b.high or 0.0))])
    low = min([0.0, *(v for b in bars for v in (b.value, -b.down, b.low or 0.0))])
    high, low = (high, low) if high > low else (1.0, 0.0)
    top, tall = 26.0, 190.0
    base = top + tall
    left, right = 13.0, 100.0
    parts = [hatch(ident)]
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
    return svg(ident, title, desc, base + 28, parts)


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
        place = f'x="{x + pitch / 2:.2f}%" y="{y(max(bar.value, 0)) - 12:.1f}"'
        parts.append(f'<svg {place} overflow="visible">{heading(bar.flag)}{cross}</svg>')
    return parts


def _block(x: float, top: float, width: float, bottom: float, look: str) -> str:
    tall = max(0.0, bottom - top)
    return f'<rect x="{x:.3f}%" y="{top:.1f}" width="{width:.3f}%" height="{tall:.1f}" fill="{look}"/>'


def _ends(mark: Mark) -> list[float]:
    ends = [mark.value, mark.low, mark.high]
    return [end for end in ends if end is not None and math.isfinite(end)]


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    pad = 0.06 * (high - low) or 0.05 * abs(low) or 0.5
    return low - pad, high + pad


def _place(value: float, low: float, high: float, left: float, right: float) -> float:
    share = (value - low) / (high - low) if high > low and math.isfinite(value) else 0.0
    return left + (right - left) * min(1.0, max(0.0, share))


def _whisker(mark: Mark, y: float, scale: tuple[float, float], plot: tuple[float, float]) -> str:
    if mark.low is None or mark.high is None:
        return ""
    start, end = (_place(value, *scale, *plot) for value in (mark.low, mark.high))
    return line(start, y, end, y, ACCENT if mark.shape == "dot" else INK, width=2.5)
