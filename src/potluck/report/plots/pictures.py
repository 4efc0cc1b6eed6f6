"""Which pictures a run has, by name: each a few forms, as statistics have them, whatever its task.

They say what the run's folder holds, and no more: an interval is drawn where the run has one, and where noise leaves
no value its interval alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.core import prose
from potluck.core.errors import UsageError
from potluck.learning.models.model import Model
from potluck.learning.models.summary import Summary
from potluck.learning.statistics.forms import Bars, Boxes, Curve, Curves, Dot, Dots, Frame, Grid
from potluck.report import comparison, confusion, curves, words
from potluck.report.comparison import BARS, BOTH, NOISE, POPULATION, TITLES, TOGETHER, ordered
from potluck.report.details import Budget, Details, Question, Score
from potluck.report.outcome import METRICS, Largest, ModelFile, Outcome, read, scores
from potluck.tasks.trained import MODEL

Form = Dots | Bars | Boxes | Curves | Grid
"""The forms that are pictures."""
LARGEST = "Those that count most."
HELD_OUT = "held-out rows"


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. note: what its intervals are, and what to mind; empty: nothing."""

    title: str
    form: Form
    note: str = ""


Pictures = Mapping[str, Sequence[Panel]]


def pictures(folder: Path) -> Pictures:
    """By name, in the order of the report. Raises UsageError: there is no run in the folder."""
    outcome, details = read(folder)
    found: dict[str, Sequence[Panel]] = {
        "metrics": tuple(_metrics(scores(outcome, details), confusion.largest(outcome))),
        "history": tuple(_history(outcome)),
        "confusion": tuple(_confusion(outcome)),
    }
    noise = outcome.privacy is not None and outcome.privacy.noise not in ("", "none")
    asked = {question.name: tuple(_question(question, noise)) for question in details.questions}
    found |= asked
    for panel in (one for panels in asked.values() for one in panels):
        if panel.form.title:  # such as "ROC": of several the first
            found.setdefault(panel.form.title.casefold(), (panel,))
    found.setdefault("coefficients", tuple(_coefficients(outcome, folder, noise)))
    found.setdefault("importances", tuple(_importances(outcome.model)))
    found.setdefault("columns", tuple(_columns(outcome.model)))
    found.setdefault("epsilon", tuple(_epsilon(details)))
    return {name: panels for name, panels in found.items() if panels}


def chosen(folder: Path, name: str | None) -> tuple[Panel, ...]:
    """The panels of one picture; without a name each panel of the run once. Raises UsageError: there is none."""
    found = pictures(folder)
    if not found:
        raise UsageError("nothing of this run can be drawn", where=folder.name, hint="run.report() writes its report")
    if name is None:
        return tuple(dict.fromkeys(panel for panels in found.values() for panel in panels))
    key = name if name in found else name.casefold()
    if key not in found:
        raise UsageError(f"there is no picture {name!r}", where=folder.name, hint=f"there are: {', '.join(found)}")
    return tuple(found[key])


def _metrics(found: Sequence[Score], most: Largest | None) -> Iterator[Panel]:
    several = len(comparison.labels(found)) > 1
    for name in METRICS:
        those = [one for one in found if one.metric == name]
        if not those:
            continue
        dots, whose = [], dict[str, list[str]]()
        for one in those:
            (low, high), of = _ends(one)
            said = f"{one.site or 'all'}: {one.label}" if several else one.site or TOGETHER
            dots.append(Dot(name=said, value=one.value, low=low, high=high))
            if of:
                whose.setdefault(of, []).append(one.label)
        kinds = [f"{of}" if len(whose) == 1 else f"{of} ({', '.join(dict.fromkeys(n))})" for of, n in whose.items()]
        note = f"Lines: 95 %, {'; '.join(kinds)}." if kinds else ""
        level = {"auc": 0.5, "r2": 0.0, "accuracy": most.share if most else None}.get(name)
        if name == "accuracy" and most:
            note += f"{' ' if note else ''}Dashed: that of “{most.label}”, said of every row."
        unit = " (the target's unit)" if name == "rmse" else ""
        form = Dots(dots=tuple(dots), x=f"{TITLES[name]}{unit}", level=level)
        yield Panel(f"{TITLES[name]} on {HELD_OUT}", form, note)


def _ends(one: Score) -> tuple[tuple[float | None, float | None], str]:
    """The widest interval that is known, and of what it is."""
    if one.population is not None:
        return one.population, BOTH if one.noised else POPULATION
    if one.noised:
        return (one.low, one.high), NOISE
    return (one.low, one.high), POPULATION if one.low is not None else ""


def _history(outcome: Outcome) -> Iterator[Panel]:
    looks, kept = outcome.history, outcome.model.round if outcome.model else 0
    for name in curves.NAMES:
        known = [(one.round, value) for one in looks if (value := getattr(one, name)) is not None]
        if known:
            title = TITLES.get(name, "Loss")
            line = Curve(name="", x=tuple(float(at) for at, _ in known), y=tuple(value for _, value in known))
            note = f"The model after round {kept} is kept." if kept else ""
            yield Panel(f"{title} on validation rows", Curves(x="round", y=title, curves=(line,)), note)


def _confusion(outcome: Outcome) -> Iterator[Panel]:
    found = confusion.grid(outcome)
    if found is not None:
        across = "what the model says" if confusion.paired(outcome) else "whether the model says so"
        form = msgspec.structs.replace(found, down="what rows are", across=across)
        note = " ".join(filter(None, (f"95 %, {NOISE}." if form.low else "", confusion.guess(outcome))))
        yield Panel(f"Right and wrong on {HELD_OUT}", form, note)


def _question(question: Question, noise: bool) -> Iterator[Panel]:
    said = next((form.note for form in question.forms if isinstance(form, Frame) and form.note), "")
    said = said or (f"95 %, {NOISE}." if noise else "")
    for form in question.forms:
        if isinstance(form, Frame):
            continue
        of = f"{question.name}: {form.title or question.asks or question.name}"
        if isinstance(form, Dots) and not form.x:
            form = msgspec.structs.replace(form, x=question.unit)
        yield Panel(of, form, said)


def _coefficients(outcome: Outcome, folder: Path, noise: bool) -> Iterator[Panel]:
    known = outcome.model.coefficients if outcome.model else None
    if not known:
        return
    summed = _summary(folder)
    errors = summed is not None and any(term.se is not None for term in summed.terms.values())
    if summed is None or not errors:
        found = ordered(known)
        note = "A number runs from -1 to 1 over its declared range, a category is 0 or 1."
        note += " Noise is in each, and how much of it cannot be said: there are no intervals." if noise else ""
        form = Dots(
            dots=tuple(Dot(name=n, value=v) for n, v in found[:BARS]), x="coefficient of an encoded column", level=0
        )
        yield Panel("Coefficients", form, note + (f" {LARGEST}" if len(found) > BARS else ""))
        return
    odds = any(term.ratio is not None for term in summed.terms.values())
    dots = []
    for name, term in list(summed.terms.items())[1 : BARS + 1]:  # the intercept is on another scale
        of = f" (per {term.unit})" if term.unit else f" (against {term.against})" if term.against else ""
        ends = (term.ratio, term.ratio_low, term.ratio_high) if odds else (term.value, term.low, term.high)
        dots.append(Dot(name=name + of, value=ends[0], low=ends[1], high=ends[2]))
    form = Dots(
        dots=tuple(dots),
        x="odds ratio" if odds else "coefficient, in the units of the data",
        level=1 if odds else 0,
        factors=odds,
    )
    yield Panel(f"{'Odds ratios' if odds else 'Coefficients'} of {summed.target}", form, f"Lines: 95 %, {POPULATION}.")


def _summary(folder: Path) -> Summary | None:
    """Of the model in the folder; None: its file is gone, or it has none."""
    try:
        found = Model.read(folder / MODEL).summary()
    except UsageError:
        return None
    return found if isinstance(found, Summary) else None


def _importances(model: ModelFile | None) -> Iterator[Panel]:
    if model is not None and model.importances:
        ranked = sorted(model.importances.items(), key=lambda one: -one[1])[:BARS]
        x = "share of what all cuts gained" if not model.curves else "mean change of what the model says"
        form = Dots(dots=tuple(Dot(name=name, value=value) for name, value in ranked), x=x, level=0)
        yield Panel("Importances of columns", form, LARGEST if len(model.importances) > BARS else "")


def _columns(model: ModelFile | None) -> Iterator[Panel]:
    """What an additive model of one output is made of."""
    steps = model.curves if model is not None else {}
    ranked = sorted(steps, key=lambda name: -(model.importances.get(name, 0.0) if model else 0.0))
    for name in ranked:
        if all(len(step.adds) == 1 for step in steps[name]):
            dots = tuple(Dot(name=step.of, value=step.adds[0]) for step in steps[name])
            yield Panel(f"What {name} adds", Dots(dots=dots, x="added to what the model says", level=0))


def _epsilon(details: Details) -> Iterator[Panel]:
    spent = [one for one in details.budget if one.run_epsilon is not None]
    if not spent:
        return
    first = max(spent, key=lambda one: one.run_epsilon or 0.0)
    unit = words.WHO.get(first.unit, "one unit")
    odds = words.hundred(first.run_epsilon or 0.0, first.delta)
    hidden = words.secret(first.unit, first.neighbours)
    this = f"At δ = {first.delta:g}. Of 100 guesses {hidden} at most {odds} are right by this run"
    note, whole = f"{this}; of a coin 50.", f"{this}{_all(spent)}; of a coin 50."
    dots = [Dot(name=f"{one.site}: this run", value=one.run_epsilon) for one in spent]
    dots += [Dot(name=f"{one.site}: all runs", value=one.composed) for one in spent if one.composed is not None]
    yield Panel(f"What was spent of {unit}'s privacy", Dots(dots=tuple(dots), x="ε", level=0), whole)
    courses: dict[tuple[tuple[int, float], ...], list[str]] = {}
    for one in spent:
        if len(one.course) > 1:
            courses.setdefault(one.course, []).append(one.site)
    drawn = tuple(
        Curve(name=prose.listed(names), x=(0.0, *(float(n) for n, _ in course)), y=(0.0, *(e for _, e in course)))
        for course, names in courses.items()
    )
    if drawn:
        yield Panel("What this run had spent", Curves(x="sums", y="ε", curves=drawn), note)


def _all(spent: Sequence[Budget]) -> str:
    """What guesses reach by all runs together, at the owner who spent most; nothing where ledgers do not say it."""
    known = [(one.composed, one.composed_delta or 0.0) for one in spent if one.composed is not None]
    if not known:
        return ""
    worst, delta = max(known)
    return f", at most {words.hundred(worst, delta)} by all runs (ε = {words.epsilon(worst)} at δ = {delta:g})"
