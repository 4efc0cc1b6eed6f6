"""What is told of a treatment's effect: the means of both arms, their difference, and how far the arms overlap."""

from collections.abc import Iterator

import msgspec

from potluck.core.plan import Plan, Statistic
from potluck.learning.statistics.forms import AnyForm, Curve, Curves, Dot, Dots, Frame, refusal
from potluck.learning.statistics.regressions.coefficients import Coefficient
from potluck.learning.statistics.result import Result, axis

MANY, HARDLY = 0.05, 0.02
"""A warning is of more than MANY of the rows. In a bin of propensities an arm has hardly any rows where the share of it
that lies there is at most HARDLY times the other arm's."""


class Overlap(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by propensity. edges: of bins; clipped: rows whose propensity was beyond what is allowed."""

    edges: tuple[float, ...]
    treated: tuple[int, ...]
    untreated: tuple[int, ...]
    clipped: int


class Effect(Result, frozen=True, kw_only=True, omit_defaults=True):
    """ate: the mean if all were treated less the mean if none were; None: `refused` says why. n, n_treated: rows."""

    ate: Coefficient | None
    treated: Coefficient | None = None
    untreated: Coefficient | None = None
    overlap: Overlap | None = None
    n: int = 0
    n_treated: int = 0
    rounds: int
    refused: str | None = None

    def warnings(self, one: Statistic) -> Iterator[str]:
        """Where the effect rests on the models more than on rows, or on `clip`."""
        if self.overlap is None:
            return
        pairs = [*zip(self.overlap.treated, self.overlap.untreated, strict=True)]
        arms = [max(1, sum(arm)) for arm in (self.overlap.treated, self.overlap.untreated)]
        parts = [sorted(count / arm for count, arm in zip(pair, arms, strict=True)) for pair in pairs]
        alone = sum(sum(pair) for pair, (less, more) in zip(pairs, parts, strict=True) if less <= HARDLY * more)
        if alone > MANY * self.n:
            what = f"{alone} of {self.n} rows have a propensity that hardly a row of the other arm has"
            yield f"{one.name}: {what}, so that the effect there is the models' guess. hint: data.where, or say so"
        if self.overlap.clipped > MANY * self.n:
            what = f"{self.overlap.clipped} of {self.n} rows have a propensity beyond clip ({one.clip:g})"
            yield f"{one.name}: {what}, and weights that are not their own. hint: a smaller clip, or fewer features"

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """The effect, both means, and who could have been in either arm."""
        if self.ate is None:
            return refusal(self.refused)
        named = {"effect": self.ate, "treated": self.treated, "untreated": self.untreated}
        each = {name: coefficient for name, coefficient in named.items() if coefficient is not None}
        head = ("what", "value", "se", "low", "high", "p")
        rows = tuple((name, *(getattr(found, key) for key in head[1:])) for name, found in each.items())
        effect, *means = (Dot(name=name, value=mean.value, low=mean.low, high=mean.high) for name, mean in each.items())
        found: list[AnyForm] = [
            Dots(title="effect, 95 %", dots=(effect,), level=0.0),
            Dots(title="means, 95 %", x=axis(plan, one.outcome), dots=tuple(means)),
            Frame(head=head, rows=rows, note="95 % intervals of rows like these"),
        ]
        if self.overlap is not None:
            lines = (("treated", self.overlap.treated), ("untreated", self.overlap.untreated))
            curves = tuple(Curve(name=name, x=self.overlap.edges, y=(*counts, counts[-1])) for name, counts in lines)
            found.append(_rows(self, self.overlap))
            found.append(Curves(title="overlap", x="propensity", y="rows", curves=curves, steps=True))
            found.append(_bins(self.overlap))
        return tuple(found)


def _rows(effect: Effect, overlap: Overlap) -> Frame:
    counts = (("all", effect.n), ("treated", effect.n_treated), ("clipped", overlap.clipped))
    return Frame(name="rows", title="rows", head=("what", "rows"), rows=counts)


def _bins(overlap: Overlap) -> Frame:
    bins = zip(overlap.edges, overlap.edges[1:], overlap.treated, overlap.untreated, strict=False)
    head = ("from", "to", "treated", "untreated")
    return Frame(name="overlap", title="overlap", long=True, head=head, rows=tuple(bins))
