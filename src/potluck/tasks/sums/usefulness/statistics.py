"""How useful statistics will be beside their noise: how wide each one's interval is (`learning.forecast`) beside what
it says, such as a mean's range, or the rows that a cell of a table has if all are alike.

It needs to know how many rows count, so the rows have to be at hand. It does NOT judge tests, regressions and the like:
their forecast says from how many rows on they say anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from potluck.core.plan import Plan, required
from potluck.core.prose import listed
from potluck.learning.forecast import Forecast
from potluck.learning.statistics.kinds import kind_of
from potluck.learning.statistics.parts import parted
from potluck.tasks.here import Json
from potluck.tasks.sums.usefulness.advice import EPSILON, EPSILONS, setting
from potluck.tasks.sums.usefulness.verdict import worded

LITTLE, USEFUL, POOR = 0.02, 0.1, 0.3
"""Half an interval beside what a statistic says: up to which noise costs little, it is useful, and it is poor."""


@dataclass(frozen=True, slots=True)
class OfStatistics:
    """parts: half an interval beside what it says, by statistic. now: epsilon; enough: the smallest of a few with which
    all are useful, where some are not; None: none of these."""

    parts: Mapping[str, float]
    now: float
    enough: float | None = None

    def document(self) -> Json:
        """As JSON has it."""
        each = [{"name": name, "part": part, "verdict": _word(part)} for name, part in self.parts.items()]
        return {"statistics": each} | ({} if self.enough is None else {"epsilon_needed": self.enough})

    def advice(self) -> Sequence[Json]:
        """An epsilon."""
        if self.enough is None:
            return ()
        why = "the smallest of some with which all of these statistics would be useful"
        return ({"key": EPSILON, "now": self.now, "better": self.enough, "why": why},)

    def words(self) -> Sequence[str]:
        """Lines: which are how useful, and what would be better."""
        by = dict[str, list[str]]()
        for name, part in self.parts.items():
            by.setdefault(_word(part), []).append(name)
        found = [f"how useful: {'; '.join(f'{listed(names)}: {word}' for word, names in by.items())}"]
        if self.enough is not None:
            found.append(
                f"advice: {EPSILON} = {self.enough:g}, or fewer statistics; with it all of these would be useful"
            )
        return found

    def warnings(self) -> Sequence[str]:
        """Of those that are of no use."""
        bad = [name for name, part in self.parts.items() if part > POOR]
        if not bad:
            return ()
        hint = "many more rows, or fewer statistics" if self.enough is None else f"{EPSILON} = {self.enough:g}"
        what = f"noise leaves {listed(bad)} of no use: it is more than a third of what they say"
        return (f"{EPSILON}: {what}. hint: {hint}",)


def of_statistics(spec: Plan, found: Forecast, again: Callable[[Plan], Forecast | None]) -> OfStatistics | None:
    """again: the same forecast of a plan with another epsilon. None: rows are not known, or there is nothing to say."""
    parts, now = _parts(spec, found), required(spec.privacy.epsilon)
    if not parts:
        return None
    if max(parts.values()) <= USEFUL:
        return OfStatistics(parts, now)
    for one in EPSILONS:
        other = again(setting(spec, EPSILON, one)) if one > now else None
        if other is not None and max(_parts(spec, other).values()) <= USEFUL:
            return OfStatistics(parts, now, one)
    return OfStatistics(parts, now)


def _parts(spec: Plan, found: Forecast) -> dict[str, float]:
    if not found.rows:
        return {}
    known = {}
    for one in parted(spec):
        half, scale = found.noise.get(one.name), kind_of(one).scale
        if half is not None and scale is not None:
            known[one.name] = half / scale(spec, one, found.rows)
    return known


def _word(part: float) -> str:
    return worded(part <= LITTLE, part <= USEFUL, part <= POOR)
