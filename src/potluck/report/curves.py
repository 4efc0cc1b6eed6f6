"""What grew or fell over a run: what validation rows said of the model while it was trained, a curve a metric, with the
round whose model is kept; and what its noised sums had cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from potluck.core import prose
from potluck.report.charts import shape
from potluck.report.comparison import MEANS, TITLES
from potluck.report.drawing import ACCENT, RULE, line, svg, text
from potluck.report.outcome import Look, Outcome
from potluck.report.scales import ticks

POINTS = 120
"""Most looks that are drawn, and that the table holds."""
MOST_CLIPS = 6
NAMES = ("loss", "auc", "accuracy", "rmse")
LOSS = "What training brings down. Smaller is better."
TOP, TALL, LEFT, RIGHT = 20.0, 150.0, 13.0, 98.0


@dataclass(frozen=True, slots=True)
class Curve:
    """One metric over the rounds, ready to print."""

    title: str
    means: str
    chart: str


@dataclass(frozen=True, slots=True)
class History:
    """The looks of a run. table: (round, a cell a metric); kept: whose model the run keeps; every: of how many looks
    one is shown."""

    curves: tuple[Curve, ...]
    head: tuple[str, ...]
    table: tuple[tuple[str, tuple[str, ...]], ...]
    kept: int
    looks: int
    every: int


def history(outcome: Outcome) -> History | None:
    """Of a run that looked at validation rows."""
    looks, kept = outcome.history, outcome.model.round if outcome.model else 0
    if not looks:
        return None
    every = -(-len(looks) // POINTS)
    last = looks[-1].round
    shown = [one for place, one in enumerate(looks) if place % every == 0 or one.round in (kept, last)]
    names = [name for name in NAMES if any(getattr(one, name) is not None for one in shown)]
    curves = tuple(Curve(TITLES.get(name, "Loss"), MEANS.get(name, LOSS), _chart(name, shown, kept)) for name in names)
    table = tuple((f"{one.round}", tuple(prose.number(getattr(one, name)) for name in names)) for one in shown)
    return History(curves, tuple(TITLES.get(name, "Loss") for name in names), table, kept, len(looks), every)


def clips(outcome: Outcome) -> tuple[str, ...]:
    """Of clips that followed what was opened some, evenly, the first and the last among them."""
    last = len(outcome.clips) - 1
    places = sorted({round(last * part / MOST_CLIPS) for part in range(MOST_CLIPS + 1)}) if last > 0 else []
    return tuple(prose.number(outcome.clips[place]) for place in places)


def spending(course: Sequence[tuple[int, float]]) -> str:
    """What a run had cost: (after so many sums, epsilon), in order. It begins at nothing."""
    return curve("epsilon-course", "ε by sums", [(0, 0.0), *course], of="sum")


def _chart(name: str, looks: Sequence[Look], kept: int) -> str:
    points = [(one.round, float(value)) for one in looks if (value := getattr(one, name)) is not None]
    return curve(f"curve-{name}", f"{TITLES.get(name, 'Loss')} on validation rows", points, kept)


def curve(ident: str, title: str, points: Sequence[tuple[float, float]], kept: int = -1, *, of: str = "round") -> str:
    """Values by round, or by what `of` says, in order, at least one. kept: the round whose model is kept; -1: it is not
    said."""
    low, high = min(value for _, value in points), max(value for _, value in points)
    pad = 0.06 * (high - low) or 0.05 * abs(low) or 0.5
    low, high = low - pad, high + pad
    first, last = points[0][0], points[-1][0]

    def place(number: float, value: float) -> tuple[float, float]:
        share = (number - first) / (last - first) if last > first else 0.5
        return LEFT + share * (RIGHT - LEFT), TOP + TALL * (high - value) / (high - low)

    parts = []
    for tick, said in ticks(low, high):
        y = place(first, tick)[1]
        parts.append(line(LEFT, y, RIGHT, y, RULE))
        parts.append(text(f"{LEFT - 1.5}%", y + 4, said, anchor="end", muted=True))
    at = [place(*point) for point in points]
    parts += [line(*one, *two, ACCENT, width=2) for one, two in pairwise(at)]
    parts += [shape("dot", x=x, y=y) for (number, _), (x, y) in zip(points, at, strict=True) if number == kept]
    for number, anchor in dict.fromkeys(((first, "start"), (last, "end"))):
        if anchor == "start" or last > first:
            parts.append(
                text(f"{place(number, low)[0]:.2f}%", TOP + TALL + 20, _after(of, number), anchor=anchor, muted=True)
            )
    begun, ended = (f"{prose.number(value)} after {_after(of, number)}" for number, value in (points[0], points[-1]))
    best = next(
        (f"; {prose.number(value)} after {of} {kept}, whose model is kept" for n, value in points if n == kept), ""
    )
    return svg(ident, title, f"{begun}, {ended}{best}.", TOP + TALL + 28, parts)


def _after(of: str, number: float) -> str:
    """A round by its number, an epsilon as any number."""
    return f"{of} {number:,}" if isinstance(number, int) else f"{of} {prose.number(number)}"
