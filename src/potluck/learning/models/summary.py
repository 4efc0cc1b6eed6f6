"""Coefficients of a linear or logistic model in the data's own units, with what the run's sums say of their errors.

The encoding is undone: a coefficient is told per unit of its column (per year, not per half of the declared range), a
value of a category against its reference. Errors are from the inverse of the Gram matrix at the fitted model, z of a
logistic model, t of a linear one, whose variance is the squared errors over rows less coefficients: what statsmodels'
Logit and OLS print. It does NOT promise coverage where a ridge shrank the coefficients, nor where rows depend on one
another (several of one person). Reference: Agresti, "Categorical Data Analysis", sections 5.1 and 5.5.
"""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from potluck.core.plan import required
from potluck.core.stages import Floats
from potluck.core.visible import visible
from potluck.learning.data.column import COLUMNS, Field
from potluck.learning.data.encode import Encoding
from potluck.learning.data.target import Goal
from potluck.learning.models import uncertainty
from potluck.learning.models.basis import Basis
from potluck.learning.models.kind import MODELS

SEVERAL = (
    "each class has coefficients of its own, which add up to 0 over the classes: to compare two, take the difference "
    "of their coefficients, or the quotient of their ratios",
    "of several classes there are no standard errors",
)
LEVEL = 0.975
"""Two-sided 95 %."""


@dataclass(frozen=True, slots=True)
class Term:
    """One coefficient, in the data's units. unit: of its column as the plan names it; against: what a 0 of such
    a feature stands for, "" where that is nothing by itself. The rest is None where it is not known, or not finite."""

    value: float
    unit: str = ""
    against: str = ""
    se: float | None = None
    low: float | None = None
    high: float | None = None
    statistic: float | None = None
    p: float | None = None
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """A model's coefficients by feature, the intercept first; of several classes by "class: feature".

    n, events: rows trained on, and positive ones among them; l2: the ridge, None where it is not known; dispersion: of
    a linear model the variance of its errors in the target's units, on `df` degrees of freedom; notes: what to mind.
    """

    model: str
    kind: str
    target: str
    terms: Mapping[str, Term]
    n: int | None
    events: int | None
    l2: float | None
    converged: bool | None
    dispersion: float | None
    df: int | None
    notes: tuple[str, ...]

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        head = {name: value for name, value in asdict(self).items() if name not in ("terms", "notes")}
        terms = {name: _document(term) for name, term in self.terms.items()}
        return head | {"coefficients": terms, "notes": list(self.notes)}

    def __str__(self) -> str:
        logistic = any(term.ratio is not None for term in self.terms.values())
        test = "t" if required(MODELS.of(self.kind).link).squares else "z"
        numbers = ("odds ratio", "low", "high", "coefficient") if logistic else ("coefficient", "low", "high")
        head = ("", *numbers, "se", test, "p")
        rows = [head, *(self._row(name, term, logistic) for name, term in self.terms.items())]
        widths = [max(len(row[place]) for row in rows) for place in range(len(head))]
        lines = [f"{self.kind} model of '{visible(self.target)}'" + self._counts()]
        lines += ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in rows]
        return "\n".join([*lines, *(f"note: {visible(note)}" for note in self.notes)])

    def _row(self, name: str, term: Term, logistic: bool) -> tuple[str, ...]:
        of = f" (per {term.unit})" if term.unit else f" (against {term.against})" if term.against else ""
        plain = (term.value, term.low, term.high)
        numbers = (term.ratio, term.ratio_low, term.ratio_high, term.value) if logistic else plain
        return (visible(name + of), *map(_short, (*numbers, term.se, term.statistic)), _chance(term.p))

    def _counts(self) -> str:
        if self.n is None:
            return ""
        events = "" if self.events is None else f", {self.events} of them positive"
        spread = "" if self.dispersion is None else f", variance of errors {self.dispersion:.6g} on {self.df} degrees"
        return f": {self.n} rows{events}{spread}"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"


def _document(term: Term) -> dict[str, object]:
    return asdict(term) | {"unit": term.unit or None, "against": term.against or None}


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.5g}"


def _chance(p: float | None) -> str:
    return "-" if p is None else "< .0001" if p < 1e-4 else f"{p:.4f}"


def summary(digest: str, kind: str, weights: Floats, how: Encoding, goal: Goal, known: Basis | None) -> Summary:
    """The summary of a model that is linear in its features, with these weights [p + 1], of classes [K (p + 1)]. known:
    what stands beside it."""
    by = required(MODELS.of(kind).link)
    notes: list[str] = []
    if known is not None and known.model != digest:
        notes.append(f"the summary.json beside the model is of another one ({known.model[:19]})")
        known = None
    sums, turn, several = known.sums if known else None, _turn(how, goal), goal.side == "classes"
    if sums is not None and (several or len(sums.gram) != len(weights)):
        sums = None
        notes.append("the sums beside the model do not fit it")
    values = weights.reshape(goal.outputs, -1) @ turn.T
    if goal.side == "number":
        values[0, 0] += goal.low + (goal.high - goal.low) / 2
    strength, terms = known.l2 if known else None, dict[str, Term]()
    for which, row in zip(goal.scores, values, strict=True):
        names = [f"{which}: {name}" if several else name for name in ("intercept", *how.names)]
        terms |= zip(names, _plain(how, goal, known, row), strict=True)
    df = dispersion = errors = None
    why = ""
    if sums is not None:
        df = sums.rows - len(weights) if by.squares else None
        why = uncertainty.unsure(sums, df)
        if not why:
            dispersion = None if df is None else uncertainty.dispersion(sums, df, goal)
            errors, why = uncertainty.errors(sums, strength or 0.0, turn, df)
    if errors is not None:
        found = zip(terms.items(), errors.tolist(), strict=True)
        terms = {name: _judged(term, error, by.odds, df) for (name, term), error in found}
    elif by.odds:
        terms = {name: replace(term, ratio=_exp(term.value)) for name, term in terms.items()}
    return Summary(
        model=digest, kind=kind, target=goal.column, terms=terms,
        n=sums.rows if sums else None, events=sums.events if sums else None, l2=strength,
        converged=known.converged if known else None, dispersion=dispersion, df=df,
        notes=(*notes, *(SEVERAL if several else ()), *_notes(how, known, errors is not None, why, several=several)),
    )  # fmt: skip


def _turn(how: Encoding, goal: Goal) -> Floats:
    """[d, d] such that turn @ weights are the coefficients in the data's units, but for where a number's scale begins.

    An encoded number is (2 x - low - high) / (high - low), so the intercept takes what its middle adds; a target's unit
    is half its declared range.
    """
    turn, place = np.eye(1 + len(how.names)), 1
    for one in how.fields:
        if one.measured:
            turn[place, place] = 2 / (one.high - one.low)
            turn[0, place] = -(one.high + one.low) / (one.high - one.low)
        place += len(one.features)
    return turn if goal.side == "binary" else turn * (goal.high - goal.low) / 2


def _plain(how: Encoding, goal: Goal, known: Basis | None, values: Floats) -> list[Term]:
    """Terms without errors, the intercept first."""
    units = known.units if known else {}
    found, place = [Term(float(values[0]))], 1
    for one in how.fields:
        for name in one.features:
            unit, against = _unit_and_base(one, name, units, known)
            found.append(Term(float(values[place]), unit, against))
            place += 1
    return found


def _unit_and_base(one: Field, name: str, units: Mapping[str, str], known: Basis | None) -> tuple[str, str]:
    """(unit, against) of a feature of this column."""
    if name == f"{one.name}?" and one.missing == "flag":
        return "", "the middle of its range" if one.measured else "its reference" if one.reference else ""
    if one.measured:
        return units.get(one.name, ""), ""
    if one.reference:
        return "", one.reference
    return "", "values not declared" if known is not None and known.l2 == 0 else ""


def _judged(term: Term, error: float, odds: bool, df: int | None) -> Term:
    """With its interval, its statistic and its p."""
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    reach = float(ndtri(LEVEL) if df is None else stdtrit(df, LEVEL)) * error
    low, high = term.value - reach, term.value + reach
    statistic = term.value / error if error > 0 else None
    p = None
    if statistic is not None:
        p = float(2 * (ndtr(-abs(statistic)) if df is None else stdtr(df, -abs(statistic))))
    found = replace(term, se=error, low=low, high=high, statistic=statistic, p=p)
    if not odds:
        return found
    return replace(found, ratio=_exp(term.value), ratio_low=_exp(low), ratio_high=_exp(high))


def _exp(value: float) -> float | None:
    try:
        return math.exp(value)
    except OverflowError:
        return None


def _about_sums(known: Basis) -> Iterator[str]:
    """Whether the fit had arrived, and why its sums say nothing of errors."""
    if known.sums is None and not known.converged:
        yield (
            f"{known.method} stops after training.rounds and does not check that it has arrived: coefficients may be "
            "nearer to 0 than the fit's, and ratios to 1"
        )
    if known.noise != "none":
        yield "the run had noise, of which there are no standard errors here: only its coefficients are known"
    elif known.sums is None:
        yield f'{known.method} opens no Gram matrix, so there are no standard errors. hint: method = "newton"'
    elif not known.converged:
        yield "all numbers are of the last step of a fit that has not converged"


def _notes(how: Encoding, known: Basis | None, judged: bool, why: str, *, several: bool) -> Sequence[str]:
    if known is None:
        return [
            "there is no summary.json of its run beside the model: standard errors, and whether a ridge or too few "
            "rounds shrank the coefficients, are not known here (a fit over columns leaves none). hint: keep the two "
            "files together"
        ]
    found = []
    if known.l2 > 0:
        usual = "; errors, intervals and p are of the shrunk coefficients and not the usual ones" if judged else ""
        found.append(
            f"l2 = {known.l2:g} shrinks all coefficients toward 0, and ratios toward 1{usual}. hint: model.l2 = 0, "
            "with a reference for every category, gives the plain fit"
        )
        open_ = [one.name for one in how.fields if not COLUMNS.of(one.kind).spread and not one.reference]
        if open_:
            found.append(
                f"without a reference a value of {', '.join(open_)} is compared with no other value: take the "
                "difference of two coefficients, or the quotient of two ratios"
            )
    found.extend((*known.warnings, *known.notes))
    if known.iterates == "averaged":
        found.append("coefficients are the mean of those after each of the last half of the rounds")
    found.extend(_about_sums(known) if not several else ())
    if why:
        found.append(f"there are no standard errors: {why}")
    means = [f"{name} ({value:.6g})" for name, value in how.fills.items()]
    if means:
        named = ", ".join(means)
        found.append(f"gaps are filled with the mean over the training rows, as if it had been measured: {named}")
    if any(one.missing == "flag" for one in how.fields):
        also = [one.name for one in how.fields if one.missing == "flag" and one.referred]
        more = (
            f"; beside a reference ({', '.join(also)}) also of rows with a value that is not declared" if also else ""
        )
        found.append(f"a name that ends in ? is of rows without a value{more}")
    return found
