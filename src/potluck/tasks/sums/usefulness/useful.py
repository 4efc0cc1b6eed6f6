"""What `check` says of how useful a plan's model will be: as JSON, in words, and what to write instead."""

import math
from dataclasses import dataclass

from potluck.core.plan import Plan, required
from potluck.core.prose import listed
from potluck.learning.data.target import goal_of
from potluck.learning.models.fitted import training
from potluck.tasks.here import Json
from potluck.tasks.sums.signal import Outlook
from potluck.tasks.sums.usefulness.advice import (
    EPSILON,
    RATE,
    Change,
    Rehearsals,
    Score,
    changed,
    improved,
    with_epsilon,
)
from potluck.tasks.sums.usefulness.curve import ByCurve, curved
from potluck.tasks.sums.usefulness.rehearsal import METRIC, obstacle
from potluck.tasks.sums.usefulness.verdict import POOR, USEFUL, Unknown, verdict

TITLES = {"auc": "AUC", "accuracy": "accuracy", "r2": "r2"}


@dataclass(frozen=True, slots=True)
class Useful:
    """metric, rows: of which, and of how many training rows. now: the plan as it stands, at this epsilon. changes,
    then: what does better, all together, and what comes of it; epsilon is among them where nothing else is of use.
    enough: the smallest epsilon that was found with which the model would be useful, where it is not. beyond: where
    settings alone do better, but are not enough, those that go with that epsilon."""

    metric: str
    rows: int
    epsilon: float
    now: Score
    changes: tuple[Change, ...] = ()
    then: Score | None = None
    enough: float | None = None
    beyond: tuple[Change, ...] = ()

    @property
    def more(self) -> int | None:
        """About how many rows would do in place of that epsilon."""
        return None if self.enough is None else math.ceil(self.rows * self.enough / self.epsilon)

    def document(self) -> Json:
        """As JSON has it."""
        found: Json = {"metric": self.metric, "rows": self.rows, "tables": self.now.tables, **_figures(self.now)}
        if self.then:
            found["advised"] = _figures(self.then)
        if self.enough is not None:
            found |= {"epsilon_needed": self.enough, "rows_needed": self.more}
        return found

    def advice(self) -> list[Json]:
        """Keys, what they have and what does better, as JSON has it."""
        if not self.then:
            return []
        why = f"on made-up rows all of it together has {self._title} {_by_share(self.then)}"
        return [
            {"key": one.key, "now": one.now, "better": one.better, "why": f"{why}; now it has {_by_share(self.now)}"}
            for one in self.changes
        ]

    def words(self) -> list[str]:
        """Lines: what to expect, and what would be better."""
        now, on = self.now, f"rehearsed on {self.now.tables} made-up tables of {self.rows:,} training rows"
        best = f"whose best models have {self._title} {now.best:.2f}"
        has = f"this plan's have {_by_share(now)} (from {now.low:.2f} to {now.high:.2f})"
        found = [f"how useful: {on}, {best}, {has}: {verdict(now.kept)}, {self._such}"]
        if self.then:
            then = f"{self._title} {_by_share(self.then)}, and scores that fit better"
            word = f"{verdict(self.then.kept)}, {self._such}"
            found.append(f"advice: {_pasted(self.changes)}; on the same tables these have {then}: {word}")
        if self.beyond:
            ways = f"{_pasted(self.beyond)}, or about {self.more:,} training rows"
            found.append(f"advice: {ways}, would make it useful, {self._such}")
        return found

    def warnings(self) -> list[str]:
        """Where a model is of no use, and what would do."""
        if self.now.kept >= POOR:
            return []
        known = f"a guess {self.now.guess:.2f}, the best model {self.now.best:.2f}"
        has = f"on made-up rows it has {self._title} {_by_share(self.now)}, {known}"
        what = f"with {self.rows:,} training rows and this noise the model is of no use as it stands: {has}"
        ways = [_pasted(self.changes)] if self.changes else []
        ways += [] if self.enough is None else [f"about {self.more:,} training rows"]
        hint = ", or ".join(ways) or "many more rows, fewer columns, or statistics in place of a model"
        key = EPSILON if self.enough is not None or not self.changes else self.changes[0].key
        return [f"{key}: {what}. hint: {hint}"]

    @property
    def rate(self) -> float | None:
        """The rate that is advised; None: the plan's own does."""
        found = next((one.better for one in self.changes if one.key == RATE), None)
        return None if found is None else float(found)

    @property
    def _such(self) -> str:
        """Of which rows a word of usefulness is: nobody's own."""
        return f"on rows whose best {self._title} is {self.now.best:.2f}"

    @property
    def _title(self) -> str:
        return TITLES[self.metric]


def useful(spec: Plan, ahead: Outlook | None) -> Useful | ByCurve | Unknown:
    """Of a plan that trains with noise. ahead: its signal to noise."""
    if ahead is not None and curved(spec):
        return ByCurve(ahead.now.run)
    if why := obstacle(spec):
        return Unknown(why)
    by = Rehearsals(training(spec).expected_rows or 0)
    now = by.score(spec)
    if now is None:
        return Unknown("its noise cannot be rehearsed")
    best = improved(spec, by)
    kept = by.kept(best)
    larger = with_epsilon(best, by, USEFUL) if kept < USEFUL else None
    # Settings alone that are of no use, or none, go with a larger epsilon.
    alone = best if kept >= POOR and best != spec else larger or spec
    changes, beyond = changed(spec, alone), () if larger is None or alone == larger else changed(spec, larger)
    then, enough = by.score(alone) if changes else None, None if larger is None else _epsilon(larger)
    return Useful(METRIC[goal_of(spec).side], by.rows, _epsilon(spec), now, changes, then, enough, beyond)


def _epsilon(spec: Plan) -> float:
    return required(spec.privacy.epsilon)


def _figures(one: Score) -> Json:
    return {
        "value": one.value,
        "low": one.low,
        "high": one.high,
        "best": one.best,
        "guess": one.guess,
        "kept": one.kept,
        "verdict": verdict(one.kept),
        "by_share": [{"positive": share, "value": value} for share, value in one.shares.items() if len(one.shares) > 1],
    }


def _by_share(one: Score) -> str:
    """The metric, by how many rows are positive where that is not known."""
    if len(one.shares) == 1:
        return f"{one.value:.2f}"
    return listed([f"{value:.2f} if {100 * share:g} of 100 rows are positive" for share, value in one.shares.items()])


def _pasted(changes: tuple[Change, ...]) -> str:
    """As a plan has them."""
    return listed([f"{one.key} = {'true' if one.better is True else f'{one.better:g}'}" for one in changes])
