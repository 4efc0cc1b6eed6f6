"""What each owner has spent, in plain odds."""

from collections.abc import Sequence
from dataclasses import dataclass

from potluck.core import prose
from potluck.report import curves, symbols, words
from potluck.report.details import Budget, Details, Spend
from potluck.report.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner's line: epsilon and odds of this run, of everything so far, and what is left. added: the runs' own
    epsilons added up, where `spent` is what they come to composed."""

    name: str
    run: str
    run_odds: str
    spent: str
    spent_odds: str
    added: str
    left: str
    history: tuple[Spend, ...]


@dataclass(frozen=True, slots=True)
class Owners:
    """The budget section. ledgers: they are known, and so what other runs cost; together: the delta at which all runs
    are composed, where they are; reach: guesses right out of 100, at most, for this run; epsilon: the cost it follows
    from; course: how it grew, at the owner who spent most, and `grown` its picture."""

    secret: str
    question: str
    covers: str
    neighbours: str
    unit: str
    delta: str
    epsilon: str
    reach: int
    odds: str
    picture: str
    ledgers: bool
    rows: tuple[Owner, ...]
    alike: bool
    together: str = ""
    course: tuple[tuple[int, float], ...] = ()
    grown: str = ""


QUESTIONS = {
    "row": "was this one row among the rows that were used, or not?",
    "person": "were this one person's rows among those that were used, or not?",
    "site": "did this one site take part with its rows, or not?",
}
REPLACED = {
    "row": "which of two values did this one row hold?",
    "person": "which of two sets of rows did this one person have?",
    "site": "which of two sets of rows did this one site have?",
}
COVERS = {
    "row": "one row: somebody with several rows is asked about several times",
    "person": "all rows of one person together",
    "site": "everything that one site contributed",
}

BY = ": a person is whatever the column “{}” says"


def budgets(outcome: Outcome, details: Details) -> tuple[Budget, ...]:
    """What the ledgers say, or else what the run says it spent."""
    if details.budget or outcome.privacy is None:
        return details.budget
    privacy = outcome.privacy
    spent = {site: cost for site, cost in (privacy.epsilon or {}).items() if cost is not None}
    unit, neighbours, delta = privacy.unit or "row", privacy.neighbours or "add-or-remove-one", privacy.delta or 0.0
    return tuple(
        Budget(site=site, spent=cost, delta=delta, unit=unit, neighbours=neighbours, run_epsilon=cost)
        for site, cost in spent.items()
    )


def owners(found: Sequence[Budget], *, ledgers: bool, person: str | None = None) -> Owners | None:
    """The section, ready to print; `None` where nothing was spent because no noise was owed.

    ledgers: whether `found` is what ledgers say; if not, what other runs have spent is not known. person: the column
    that says who a person is, where that is the unit.
    """
    if not found:
        return None
    worst = max(found, key=_cost)
    first = found[0]
    reach = words.hundred(_cost(worst), worst.delta)
    odds = words.odds(_cost(worst), worst.delta)
    course = worst.course if len(worst.course) > 1 else ()
    desc = f"50 squares are filled: what a coin gets right. {reach - 50} more are hatched, up to {odds}."
    return Owners(
        secret=words.secret(first.unit, first.neighbours),
        question=question(first.unit, first.neighbours),
        covers=COVERS.get(first.unit, first.unit) + ("" if person is None else BY.format(person)),
        neighbours=first.neighbours,
        unit=first.unit,
        delta=prose.number(first.delta, 2),
        epsilon=words.epsilon(_cost(worst)),
        reach=reach,
        odds=odds,
        picture=symbols.hundred("odds", f"Right guesses out of 100: at most {odds}", desc, 50, reach),
        ledgers=ledgers,
        rows=tuple(map(_owner, found)),
        alike=len({(one.run_epsilon, one.delta) for one in found}) == 1,
        together=prose.number(first.composed_delta, 2) if ledgers and first.composed is not None else "",
        course=course,
        grown=curves.spending(course) if course else "",
    )


def question(unit: str, neighbours: str) -> str:
    """What a guesser is asked, whom an epsilon is the bound for."""
    asked = QUESTIONS if neighbours.startswith("add") else REPLACED
    return asked.get(unit, asked["row"])


def _cost(one: Budget) -> float:
    return one.spent if one.run_epsilon is None else one.run_epsilon


def _owner(one: Budget) -> Owner:
    spent, delta, added = one.spent, one.delta if one.spent_delta is None else one.spent_delta, ""
    if one.composed is not None:
        spent, delta, added = one.composed, one.composed_delta or 0.0, words.epsilon(one.spent)
    return Owner(
        name=one.site,
        run=words.epsilon(one.run_epsilon),
        run_odds="–" if one.run_epsilon is None else words.odds(one.run_epsilon, one.delta),
        spent=words.epsilon(spent),
        spent_odds=words.odds(spent, delta),
        added=added,
        left="no cap",
        history=one.history,
    )
