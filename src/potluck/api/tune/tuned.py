"""What a tuning leaves: a folder with a run for each candidate and the best plan, and its object in Python."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from potluck.api.plan.plan import Plan
from potluck.api.results.outcome import Run
from potluck.api.tune.candidates import LOWER, Candidate
from potluck.core import prose
from potluck.core.errors import UsageError
from potluck.core.visible import visible

if TYPE_CHECKING:
    from pandas import DataFrame

BEST, FILE = "best.toml", "tune.json"
CHOSEN = "the best of many is partly luck: its metric here is rather too good, and test rows say how good it is"


@dataclass(frozen=True)
class Result:
    """One candidate that was run. metric: that chooses; failed: why nothing could be trained, else empty; ends: 95 % of
    the metric on these rows, by the noise alone; like: on rows like these."""

    candidate: Candidate
    run: Run | None
    metric: str
    failed: str = ""

    @property
    def scores(self) -> Mapping[str, object]:
        """What validation rows say of its model."""
        found = self.run.document.get("metrics") if self.run else None
        scores = found.get("federated") if isinstance(found, Mapping) else None
        return scores if isinstance(scores, Mapping) else {}

    @property
    def value(self) -> float | None:
        """Of the metric. Where noise makes it impossible, such as an AUC above 1, the end beyond which it is stands for
        it, else the middle of what it may be: to leave such a candidate out would leave out the best as well as the
        worst."""
        found = self.scores.get(self.metric)
        if found is None:
            found = self.scores.get(f"{self.metric}_beyond")
        if found is None and self.ends is not None and all(map(math.isfinite, self.ends)):
            found = sum(self.ends) / 2
        return float(found) if isinstance(found, int | float) else None

    @property
    def guessed(self) -> bool:
        """Whether it is such an end or middle."""
        return self.value is not None and self.scores.get(self.metric) is None

    @property
    def ends(self) -> tuple[float, float] | None:
        if f"{self.metric}_low" not in self.scores:
            return None
        return _end(self.scores[f"{self.metric}_low"], -1), _end(self.scores[f"{self.metric}_high"], 1)

    @property
    def like(self) -> tuple[float, float] | None:
        found = self.scores.get(f"{self.metric}_population")
        return (_end(found[0], -1), _end(found[1], 1)) if isinstance(found, Sequence) else None

    def document(self, best: "Result | None") -> dict[str, object]:
        """One candidate in the JSON."""
        return {
            "number": self.candidate.number,
            "settings": dict(self.candidate.settings),
            "plan": self.candidate.plan.hash,
            "run": str(self.run.folder) if self.run else None,
            "value": self.value,
            "guessed": self.guessed,
            "metrics": dict(self.scores),
            "told_apart": told_apart(self, best),
            "epsilon": self.run.spent if self.run else None,
            "failed": self.failed or None,
        }


def best_of(results: Sequence[Result]) -> Result | None:
    """The one whose metric is best, the first of equals; None where none has one."""
    known = [one for one in results if one.value is not None]
    sign = -1 if results and results[0].metric in LOWER else 1
    return max(known, key=lambda one: sign * (one.value or 0.0), default=None)


def told_apart(one: Result, best: Result | None) -> bool | None:
    """Whether noise leaves no doubt that `best` is better on these rows: their intervals share nothing. None without
    noise, of the best itself, and where there is nothing to compare."""
    if best is None or one is best or one.ends is None or best.ends is None:
        return None
    return one.ends[1] < best.ends[0] or best.ends[1] < one.ends[0]


def judged(results: Sequence[Result], best: Result | None) -> list[str]:
    """What is to be minded of the choice, a line each."""
    if best is None:
        return ["no candidate has the metric: nothing is chosen. hint: more validation rows, or a larger epsilon"]
    others = [one for one in results if one is not best and one.value is not None]
    found = list[str]()
    alike = [one for one in others if told_apart(one, best) is False]
    if alike:
        named = prose.listed([str(one.candidate.number) for one in alike])
        verb = prose.agree(len(alike), "candidate", "candidates")
        found.append(f"{verb} {named} cannot be told apart from the best: noise alone explains the difference")
    like = best.like
    near = [one for one in others if like and one.value is not None and like[0] <= one.value <= like[1]]
    if near:
        all_ = "all others lie" if len(others) > 1 else "the other one lies"
        some = f"{len(near)} of the others {prose.agree(len(near), 'lies', 'lie')}"
        which = all_ if len(near) == len(others) else some
        found.append(f"{which} within the best one's 95 % interval on rows like these: other rows may choose otherwise")
    if len(results) > 1:
        found.append(CHOSEN)
    return found


def _end(value: object, side: int) -> float:
    return float(value) if isinstance(value, int | float) else side * float("inf")


@dataclass(frozen=True)
class Tuned:
    """A finished tuning.

    Attributes:
        folder: where it is: a run's folder for each candidate (`01`, `02`, ...), `best.toml` and `tune.json`.
        document: the JSON of `potluck tune --json`.
    """

    folder: Path
    document: Mapping[str, object] = field(repr=False)

    @classmethod
    def read(cls, folder: str | Path) -> "Tuned":
        """A tuning from its folder.

        Raises:
            UsageError: there is none.
        """
        try:
            return cls(Path(folder), json.loads((Path(folder) / FILE).read_text(encoding="utf-8")))
        except (OSError, ValueError):
            hint = "give the folder that `potluck tune` printed"
            raise UsageError("is no tuning", where=str(folder), hint=hint) from None

    @property
    def best(self) -> Plan:
        """The plan with the best settings, to be run: its test rows judge it then.

        Raises:
            UsageError: no candidate could be judged.
        """
        if self.document.get("best") is None:
            raise UsageError("no candidate could be judged", where=str(self.folder), hint="see its warnings")
        return Plan.read(self.folder / BEST)

    @property
    def settings(self) -> Mapping[str, object]:
        """The best settings, by key; empty where no candidate could be judged."""
        found = self.document.get("best")
        settings = found.get("settings") if isinstance(found, Mapping) else None
        return settings if isinstance(settings, Mapping) else {}

    @property
    def table(self) -> "DataFrame":
        """A line a candidate: its number, its settings, its metrics with the ends of their intervals, `told_apart`."""
        from pandas import DataFrame

        return DataFrame([_flat(one) for one in self._candidates()])

    @property
    def notes(self) -> list[str]:
        """What may be said of the choice."""
        return self._lines("notes")

    @property
    def warnings(self) -> list[str]:
        """What to mind of the plans."""
        return self._lines("warnings")

    def _lines(self, key: str) -> list[str]:
        found = self.document.get(key)
        return [str(one) for one in found] if isinstance(found, list) else []

    def _candidates(self) -> list[Mapping[str, object]]:
        found = self.document["candidates"]
        return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(visible(line))}</li>" for line in [*self.notes, *self.warnings])
        shown = self.table.to_html(index=False, na_rep="", float_format="{:.4g}".format)
        return f"<p>best settings: {escape(visible(str(dict(self.settings))))}</p>{shown}<ul>{lines}</ul>"


def _flat(one: Mapping[str, object]) -> dict[str, object]:
    settings, metrics = one.get("settings"), one.get("metrics")
    found: dict[str, object] = {"number": one.get("number")}
    found |= dict(settings) if isinstance(settings, Mapping) else {}
    numbers = (
        {name: value for name, value in metrics.items() if isinstance(value, int | float)}
        if isinstance(metrics, Mapping)
        else {}
    )
    return found | numbers | {"told_apart": one.get("told_apart"), "failed": one.get("failed")}
