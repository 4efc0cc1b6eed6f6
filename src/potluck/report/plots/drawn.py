"""Panels drawn by matplotlib, which is asked for when something is to be drawn.

Series differ in colour, in marks and in strokes; the colours are those of Okabe and Ito, which are told apart whatever
one's eyes see of red and green. Names come from plans and files: they are text, never formulas, and are cut where they
are long. The figure is none of pyplot's: nothing is kept once its owner lets it go, and a notebook shows it once.
"""

import io
import math
from collections.abc import Sequence
from itertools import pairwise
from textwrap import fill
from typing import TYPE_CHECKING

from potluck.core import prose
from potluck.core.errors import UsageError
from potluck.learning.statistics.forms import Bars, Boxes, Curve, Curves, Dots, Grid, Number
from potluck.report import scales, words
from potluck.report.plots.pictures import Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito, "Color Universal Design", without black and yellow."""
INK, FAINT = "#222222", "#b9bdc6"
STROKES = ("-", "--", ":", "-.", (0, (7, 2, 1, 2, 1, 2)), (0, (1, 3)))
MARKS = ("o", "s", "D", "^", "v", "P")
MOST, DOTS = 12, 40
"""Most panels of one figure, and lines of one panel."""
LONGEST, CELLS = 34, 8
"""Letters of a name; rows of a table whose cells have room for their intervals."""
WIDE, EDGE, LETTER = 5.2, 0.65, 0.075
"""Inches of a panel, of what stands beside its axis but for names, and of a letter."""
DPI = 80


def figure(panels: Sequence[Panel], of: str) -> "Figure":
    """One figure of at most MOST panels, side by side. of: which run it is.

    Raises UsageError: matplotlib is missing.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise UsageError("matplotlib is missing", hint="pip install 'potluck[plot]'") from None

    class Picture(Figure):
        """A figure that a notebook shows, whether or not it has heard of pyplot."""

        def _repr_png_(self) -> bytes:
            kept = io.BytesIO()
            self.savefig(kept, format="png", dpi=DPI)
            return kept.getvalue()

    drawn = panels[:MOST]
    wide = min(len(drawn), 3 if len(drawn) > 4 else 2)
    deep = -(-len(drawn) // wide)
    with rc_context({"text.usetex": False, "font.size": 9.0, "axes.titlesize": 10.0}):
        tall = [max(_tall(one) for one in drawn[row * wide : (row + 1) * wide]) for row in range(deep)]
        spaced = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
        made = Picture(figsize=(WIDE * wide, sum(tall)), layout=spaced, facecolor="white")
        axes = made.subplots(deep, wide, squeeze=False, height_ratios=tall).flatten()
        for panel, one in zip(drawn, axes, strict=False):
            _panel(one, panel)
        names = [max(map(_widest, axes[column::wide])) for column in range(wide)]
        line = max(16, int((WIDE - EDGE - LETTER * sum(names) / wide) / LETTER))  # all axes are of one width
        for panel, one in zip(drawn, axes, strict=False):
            _words(one, panel, line)
        for one in axes[len(drawn) :]:
            one.set_axis_off()
        more = f": {MOST} of {len(panels)} pictures, run.plot(NAME) draws one" if len(panels) > MOST else ""
        made.suptitle(_said(of, 90) + more, x=0.01, ha="left", fontsize=9, color="#555555")
    return made


def _tall(panel: Panel) -> float:
    """Inches that it needs."""
    lines = min(DOTS, len(panel.form.dots)) if isinstance(panel.form, Dots) else 0
    return max(3.6, 1.6 + 0.19 * lines)


def _panel(axes: "Axes", panel: Panel) -> None:
    """What is drawn of one panel."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    match panel.form:
        case Dots():
            _dots(axes, panel.form)
        case Bars():
            _bars(axes, panel.form)
        case Boxes():
            _boxes(axes, panel.form)
        case Curves():
            _curves(axes, panel.form)
        case Grid():
            _grid(axes, panel.form)


def _widest(axes: "Axes") -> int:
    """Letters of its longest name beside the axis."""
    return max((len(one.get_text()) for one in axes.get_yticklabels()), default=0)


def _words(axes: "Axes", panel: Panel, line: int) -> None:
    """Its title above it, and below what the axis and its intervals are, in lines of so many letters."""
    axes.set_title(fill(_said(panel.title, 90), line - line // 8), loc="left", fontweight="bold", color=INK)
    note = f"{prose.capital(panel.note.rstrip('.'))}." if panel.note else ""
    said = [*axes.get_xlabel().split("\n"), _said(note, 400)]
    axes.set_xlabel("\n".join(fill(one, line) for one in said if one))


def _dots(axes: "Axes", form: Dots) -> None:
    """A line each, the first one above; an end that is open has an arrow."""
    dots = form.dots[:DOTS]
    ends = [end for one in dots for end in (one.value, one.low, one.high) if _fits(end, form.factors)]
    ends += [form.level] if _fits(form.level, form.factors) else []
    low, high = _range([float(end) for end in ends if end is not None], form.factors)
    if form.factors:
        axes.set_xscale("log")
        marks = scales.factors_between(math.log10(low), math.log10(high))
        axes.set_xticks([one for one, _ in marks], [said for _, said in marks])
        axes.minorticks_off()
    axes.set_xlim(low, high)
    for place, one in enumerate(dots):
        colour = COLOURS[0]
        if one.low is not None or one.high is not None:
            start = float(one.low) if one.low is not None and _fits(one.low, form.factors) else low
            end = float(one.high) if one.high is not None and _fits(one.high, form.factors) else high
            axes.plot([start, end], [place, place], color=colour, linewidth=2, solid_capstyle="butt")
            axes.plot([start], [place], "<" if start == low else "|", color=colour, clip_on=False)
            axes.plot([end], [place], ">" if end == high else "|", color=colour, clip_on=False)
        if one.value is not None and _fits(one.value, form.factors):
            axes.plot([one.value], [place], "o", color=colour, markersize=6)
    if form.level is not None:
        axes.axvline(form.level, color=INK, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(dots)), [_said(one.name) for one in dots])
    axes.set_ylim(len(dots) - 0.5, -0.5)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_xlabel(_said(form.x) + _left(len(dots), len(form.dots), "lines"))


def _bars(axes: "Axes", form: Bars) -> None:
    """A histogram, with its intervals."""
    for (start, end), value, low, high in zip(pairwise(form.edges), form.values, form.low, form.high, strict=True):
        middle = (start + end) / 2
        axes.bar(start, value or 0.0, end - start, align="edge", color=COLOURS[0], edgecolor="white", linewidth=0.8)
        if low is not None and high is not None and low != high:
            axes.plot([middle, middle], [low, high], color=INK, linewidth=1.2)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.set_xlabel(_said(form.x))
    axes.set_ylabel(_said(form.y))


def _boxes(axes: "Axes", form: Boxes) -> None:
    """Quartiles as boxes, and how far lines reach beyond."""
    axes.use_sticky_edges = False  # else a box would begin at the axis
    for place, one in enumerate(form.boxes):
        if one.low is not None and one.high is not None:
            axes.plot([one.low, one.high], [place, place], color=INK, linewidth=1, zorder=1)
        if one.q1 is not None and one.q3 is not None:
            axes.barh(place, one.q3 - one.q1, 0.5, one.q1, color=COLOURS[5], edgecolor=INK, linewidth=1, zorder=2)
        if one.median is not None:
            axes.plot([one.median, one.median], [place - 0.25, place + 0.25], color=COLOURS[1], linewidth=2.5, zorder=3)
    axes.set_yticks(range(len(form.boxes)), [_said(one.name) for one in form.boxes])
    axes.set_ylim(len(form.boxes) - 0.5, -0.5)
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.set_xlabel(_said(form.x))


def _curves(axes: "Axes", form: Curves) -> None:
    """Curves with their bands; how many are still there stands beneath."""
    from matplotlib.ticker import MaxNLocator

    drawn = [one for one in form.curves if one.x][: len(COLOURS)]
    for place, one in enumerate(drawn):
        colour, few = COLOURS[place], len(one.x) <= 30 and not form.steps
        y, step = _numbers(one.y), "steps-post" if form.steps else "default"
        mark = MARKS[place] if few else ""
        axes.plot(one.x, y, color=colour, linestyle=STROKES[place], marker=mark, markersize=3.5, linewidth=1.8,
                  drawstyle=step, label=_said(one.name) or "_", clip_on=False)  # fmt: skip
        if one.low and one.high:
            both = (_numbers(one.low), _numbers(one.high))
            axes.fill_between(one.x, *both, step="post" if form.steps else None, color=colour, alpha=0.15, linewidth=0)
    if all(x == round(x) for one in drawn for x in one.x):  # rounds, days
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_xlabel(_said(form.x))
    axes.set_ylabel(_said(form.y))
    if len(drawn) > 1:
        axes.legend(frameon=False, fontsize=8)
    if form.beneath and any(one.counts for one in drawn):
        _beneath(axes, form.beneath, drawn)
    axes.set_xlabel(axes.get_xlabel() + _left(len(drawn), len(form.curves), "curves"))


def _beneath(axes: "Axes", of: str, drawn: Sequence[Curve]) -> None:
    """How many are still there at each tick: a line a curve, between the axis and what it is."""
    low, high = min(one.x[0] for one in drawn), max(one.x[-1] for one in drawn)
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    axes.set_xticks(ticks)
    rows = []
    for one in drawn:
        at = [next((place for place, x in enumerate(one.x) if x >= tick), len(one.x) - 1) for tick in ticks]
        rows.append([one.counts[place] if place < len(one.counts) else None for place in at])
    labels = []
    for place, tick in enumerate(ticks):
        counts = [words.fixed(row[place], 0) for row in rows]
        labels.append("\n".join([f"{tick:g}", *counts]))
    axes.set_xticklabels(labels)
    names = " / ".join(_said(one.name) for one in drawn if one.name)
    axes.set_xlabel(f"{axes.get_xlabel()}\nbeneath: {_said(of)}{f', {names}' if names else ''}")


def _grid(axes: "Axes", form: Grid) -> None:
    """A table whose cells are darker the larger their numbers are."""
    numbers = [[math.nan if cell is None else float(cell) for cell in row] for row in form.values]
    known = [abs(cell) for row in numbers for cell in row if math.isfinite(cell)]
    top = form.deepest or max(known, default=0.0) or 1.0
    below = form.deepest is not None
    axes.imshow(numbers, cmap="PuOr" if below else "Blues", vmin=-top if below else 0.0, vmax=top, aspect="auto")
    decimals = words.places([*known, *([0.1] if form.deepest else [])])
    small = max(len(form.rows), len(form.columns)) <= CELLS
    for i, row in enumerate(numbers):
        for j, value in enumerate(row):
            said = words.fixed(value, decimals)
            low, high = (form.low[i][j], form.high[i][j]) if form.low and form.high and small else (None, None)
            if low is not None and high is not None and low != high:
                said += f"\n{words.fixed(low, decimals)} to {words.fixed(high, decimals)}"
            dark = math.isfinite(value) and abs(value) > 0.6 * top
            axes.text(j, i, said, ha="center", va="center", fontsize=8 if small else 6, color="white" if dark else INK)
    axes.set_yticks(range(len(form.rows)), [_said(name, 18) for name in form.rows])
    axes.set_xticks(range(len(form.columns)), [_said(name, 18) for name in form.columns])
    if len(form.columns) > 4:
        axes.tick_params(axis="x", labelrotation=45)
    axes.set_ylabel(_said(form.down))
    axes.set_xlabel(_said(form.across))


def _left(drawn: int, there: int, what: str) -> str:
    """Where not all are drawn, that the report has the others."""
    return f"\n{drawn} of {there} {what}; the report has all" if drawn < there else ""


def _said(text: str, most: int = LONGEST) -> str:
    """Text that is no formula, without what nobody sees. Long names are cut in the middle: what tells them apart stands
    at their ends, as `=yes` does."""
    clean = " ".join(words.clean(text).split())
    if len(clean) > most:
        clean = f"{clean[: most - most // 2 - 1]}…{clean[-(most // 2) :]}"
    return clean.replace("$", r"\$")


def _numbers(values: Sequence[Number]) -> list[float]:
    return [math.nan if one is None else float(one) for one in values]


def _fits(value: Number, factors: bool) -> bool:
    """Whether an axis has a place for it."""
    return value is not None and math.isfinite(value) and (value > 0 or not factors)


def _range(values: Sequence[float], factors: bool) -> tuple[float, float]:
    """The ends of an axis that has all of them within."""
    if not values:
        return (0.5, 2.0) if factors else (0.0, 1.0)
    turned = [math.log10(one) for one in values] if factors else list(values)
    low, high = min(turned), max(turned)
    pad = 0.06 * (high - low) or 0.05 * abs(low) or 0.5
    return (10 ** (low - pad), 10 ** (high + pad)) if factors else (low - pad, high + pad)
