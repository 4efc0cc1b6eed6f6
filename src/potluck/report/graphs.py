"""Curves over one axis, with what the noise or the rows leave open of them, and how many are still there beneath.

A picture's width is not known when it is made: curves are drawn 100 units wide, and stretched to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from potluck.core import prose
from potluck.learning.statistics.forms import Curve, Curves, Number
from potluck.report.drawing import ACCENT, INK, MUTED, RULE, WARN, line, stretched, svg, text
from potluck.report.scales import few, ticks

CURVES = 6
"""Most curves of one picture."""
DASHES = ("", "7 4", "2 4", "10 3 2 3", "14 5", "1 6")
INKS = (ACCENT, WARN, INK, MUTED)
TOP, TALL, LEFT, RIGHT = 24.0, 210.0, 13.0, 97.0
LINE = 19
"""Between lines of words, in pixels."""

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where points of a picture lie: (lowest, highest) of either axis."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, x: float) -> float:
        """In percent of the width between the axes' ends."""
        return 100 * _share(x, self.x)

    def down(self, y: float) -> float:
        """In pixels from the top of the axis."""
        return TALL * (1 - _share(y, self.y))


def _share(value: float, ends: tuple[float, float]) -> float:
    return min(1.0, max(0.0, (value - ends[0]) / (ends[1] - ends[0]))) if ends[1] > ends[0] else 0.5


def curves(ident: str, title: str, form: Curves) -> str:
    """One picture. Of more than CURVES the first ones."""
    drawn = [one for one in form.curves if one.x][:CURVES]
    xs = [x for one in drawn for x in one.x] or [0.0, 1.0]
    ys = [y for one in drawn for values in (one.y, one.low, one.high) for y in _known(values)] or [0.0, 1.0]
    plane = _Plane((min(xs), max(xs)), (min(0.0, *ys), max(*ys, min(0.0, *ys) + 1e-9)))
    parts = [text("0", 12, form.y, muted=True)]
    for tick, said in ticks(*plane.y):
        y = TOP + plane.down(tick)
        parts += [line(LEFT, y, RIGHT, y, RULE), text(f"{LEFT - 1.5}%", y + 4, said, anchor="end", muted=True)]
    marks = [(tick, said, LEFT + (RIGHT - LEFT) * plane.across(tick) / 100) for tick, said in few(*plane.x)]
    parts += [text(f"{x:.2f}%", TOP + TALL + LINE, said, anchor="middle", muted=True) for _, said, x in marks]
    parts.append(text(f"{RIGHT}%", TOP + TALL + 2 * LINE, form.x, anchor="end", muted=True))
    shapes = [shape for place, one in enumerate(drawn) for shape in _band(one, plane, place, steps=form.steps)]
    shapes += [shape for place, one in enumerate(drawn) for shape in _line(one, plane, place, steps=form.steps)]
    parts.append(stretched(LEFT, TOP, RIGHT - LEFT, TALL, shapes))
    y = TOP + TALL + 2 * LINE + 6
    counted = form.beneath and any(one.counts for one in drawn)
    if counted:
        y += LINE
        parts.append(text("0", y, form.beneath, muted=True))
    for place, one in enumerate(drawn):
        if len(drawn) > 1:
            y += LINE
            parts.append(line(LEFT, y - 4, LEFT + 9, y - 4, _ink(place), width=2, dashes=DASHES[place]))
            parts.append(text(f"{LEFT + 11}%", y, one.name))
        if counted:
            y += LINE
            parts += [text(f"{x:.2f}%", y, _there(one, tick), anchor="middle") for tick, _, x in marks]
    ends = "; ".join(f"{one.name or form.y} ends at {prose.number(_last(one.y))}" for one in drawn)
    more = f"; {len(form.curves) - CURVES} more are in the table" if len(form.curves) > CURVES else ""
    return svg(ident, title, f"{form.y} over {form.x}. {ends}{more}.", y + 8, parts)


def _there(one: Curve, tick: float) -> str:
    """How many are still there at a tick: at the first point from it on."""
    at = next((place for place, x in enumerate(one.x) if x >= tick), None)
    count = one.counts[at] if at is not None and at < len(one.counts) else None
    return "" if count is None else prose.number(round(count))


def _ink(place: int) -> str:
    return INKS[place % len(INKS)]


def _known(values: Sequence[Number]) -> list[float]:
    return [float(one) for one in values if one is not None]


def _last(values: Sequence[Number]) -> float | None:
    known = _known(values)
    return known[-1] if known else None


def _runs(one: Curve, values: Sequence[Number], plane: _Plane, *, steps: bool) -> list[Points]:
    """The stretches [units] of a curve without a gap; with steps each value holds to the next point."""
    found: list[Points] = [[]]
    for x, y in zip(one.x, values, strict=False):
        if y is None:
            found.append([])
            continue
        run, to, down = found[-1], plane.across(x), plane.down(float(y))
        if steps and run and run[-1][1] != down:
            run.append((to, run[-1][1]))
        run.append((to, down))
    return [run for run in found if len(run) > 1]


def _line(one: Curve, plane: _Plane, place: int, *, steps: bool) -> list[str]:
    dashes = f' stroke-dasharray="{DASHES[place]}"' if DASHES[place] else ""
    look = f'fill="none" stroke="{_ink(place)}" stroke-width="2"{dashes} vector-effect="non-scaling-stroke"'
    return [f'<path d="{_path(run)}" {look}/>' for run in _runs(one, one.y, plane, steps=steps)]


def _band(one: Curve, plane: _Plane, place: int, *, steps: bool) -> list[str]:
    both = [low is not None and high is not None for low, high in zip(one.low, one.high, strict=False)]
    low, high = (
        [end if there else None for end, there in zip(side, both, strict=False)] for side in (one.low, one.high)
    )
    below, above = (_runs(one, side, plane, steps=steps) for side in (low, high))
    look = f'fill="{_ink(place)}" fill-opacity="0.14"'
    return [f'<path d="{_path([*up, *reversed(down)])}Z" {look}/>' for up, down in zip(above, below, strict=True)]


def _path(points: Points) -> str:
    return "M" + "L".join(f"{x:.3f} {y:.2f}" for x, y in points)
