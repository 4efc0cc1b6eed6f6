"""What a trained model leaves in a run's folder, and what the run's document says of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.core import private
from potluck.core.plan import Plan
from potluck.learning.data.target import SIDES, Goal, Side
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.evaluation.validation import Look
from potluck.learning.models.basis import FILE as SUMMARY
from potluck.learning.models.boosted.told import told
from potluck.learning.training.trained import Trained
from potluck.tasks.here import Beside, Json, Outcome
from potluck.tasks.shown import Measured

MODEL = "model.json"
"""A run's model, in its folder."""
SIMULATED = "simulated-model.json"
"""That of a simulation, in a folder that is no run's."""
NOT_PRIVATE = "not private: all rows are in one process here"


@dataclass(frozen=True)
class Comparison:
    """Exact metrics on the same held-out rows of all sites; by_site, alone_at_home: on each site's own.

    None where there is no model: a site with one class only, or whose few rows do not determine a fit.
    """

    federated: Metrics
    by_site: Mapping[str, Metrics]
    no_noise: Metrics | None
    alone: Mapping[str, Metrics | None]
    alone_at_home: Mapping[str, Metrics | None]
    pooled: Metrics | None


def leave(outcome: Outcome, folder: Path) -> None:
    """The model, and what stands beside it, where they are here."""
    if not isinstance(outcome, Trained):
        return
    outcome.model.write(folder / MODEL)
    if outcome.basis is not None:
        private.write(folder / SUMMARY, outcome.basis.dump())


def seal(outcome: Outcome) -> bytes:
    """The model's digest."""
    return bytes.fromhex(outcome.model.digest().removeprefix("sha256:")) if isinstance(outcome, Trained) else b""


def document(outcome: Outcome, plan: Plan, folder: Path, beside: Beside) -> Json:
    """What is said of a model and its metrics; null where they are somewhere else."""
    if not isinstance(outcome, Trained):
        return {"model": None, "metrics": {"federated": None}}
    model = outcome.model
    said: Json = {
        "kind": model.kind,
        "file": str(folder / MODEL),
        "digest": model.digest(),
        "coefficients": dict(model.coefficients) if model.coefficients else None,
    }
    if model.encoding.fills:
        said["fills"] = model.encoding.fills
    if plan.sums_a_round > 1:
        said["sums_a_round"] = plan.sums_a_round
    if model.boosted:
        made = told(model.digest(), (model.kind, model.encoding, model.target), model.boosted, outcome.basis).document()
        said |= {name: made[name] for name in ("importances", "first", "curves") if made[name]}
    found: Json = {"model": said, "metrics": metrics(outcome, beside), "held_out": plan.data.split is not None}
    if plan.validated:
        found["judged_by"] = "validation rows"
    if outcome.history:
        said["round"] = outcome.kept
        found["history"] = [_look(one) for one in outcome.history]
    if outcome.votes:
        found["votes"] = [{"round": one.round, "against": list(one.against), "of": one.of} for one in outcome.votes]
    if outcome.back is not None:
        vote = outcome.back.vote
        said["round"] = outcome.kept
        found["rolled_back"] = {"round": vote.round, "against": list(vote.against), "of": vote.of}
    if outcome.clips:
        found["clips"] = list(outcome.clips)
    return found


def _look(one: Look) -> Json:
    """A look at validation rows: its round, and what the target has of loss, AUC, accuracy and RMSE."""
    told = {name: getattr(one, name) for name in ("loss", "auc", "accuracy", "rmse")}
    return {"round": one.round, **{name: value for name, value in told.items() if value is not None}}


MEASURES: Mapping[Side, tuple[str, ...]] = {
    "binary": ("auc", "accuracy"),
    "classes": ("auc", "accuracy"),
    "number": ("r2", "rmse"),
    "labels": ("auc", "accuracy"),
    "tokens": ("loss", "perplexity", "accuracy"),
}
"""What is told of a model that predicts such a target."""


def scores(metrics: Metrics | None, goal: Goal) -> Json:
    """One model's metrics; null where nothing may be shown or the noise leaves nothing to show. Of several labels these
    are the means of each one's, which stand beside them."""
    shown = metrics or Metrics(None)
    found: Json = {}
    for name in (*MEASURES[goal.side], "rows"):
        found[name] = getattr(shown, name)
        if name in shown.intervals:
            found[f"{name}_low"], found[f"{name}_high"] = map(_end, shown.intervals[name])
        if name in shown.beyond:
            found[f"{name}_beyond"] = shown.beyond[name]
        if name in shown.population:
            found[f"{name}_population"] = [_end(end) for end in shown.population[name]]
    if shown.labels:
        each = {one.column: one for one in goal.each}
        found["labels"] = {name: scores(one, each[name]) | _confusion(SIDES, one) for name, one in shown.labels.items()}
    return found


def _confusion(labels: Sequence[str], metrics: Metrics | None) -> Json:
    """Rows by what they are and what the model says, where that may be shown."""
    one = metrics.confusion if metrics else None
    return {"confusion": one.document(labels)} if one else {}


def _end(value: float) -> float | None:
    """An end of an interval; None where there is none."""
    return value if math.isfinite(value) else None


def metrics(outcome: Trained, beside: Beside) -> Json:
    """Metrics as released, and exact ones beside them where one process holds all rows."""
    goal = outcome.model.target
    released = scores(outcome.metrics, goal) | _confusion(goal.classes or SIDES, outcome.metrics)
    if isinstance(beside, Comparison):
        return compared(released, beside, goal)
    found: Json = {"federated": released}
    return found | {"pooled": scores(beside, goal)} if isinstance(beside, Metrics) else found


def compared(released: Json, comparison: Comparison, goal: Goal) -> Json:
    """Exact metrics beside what was released."""

    def told(metrics: Metrics | None) -> Json:
        return scores(metrics, goal)

    sides = _confusion(goal.classes or SIDES, comparison.federated)
    by_site = {name: told(one) for name, one in comparison.by_site.items()}
    return {
        "federated": told(comparison.federated) | sides | {"by_site": by_site},
        "federated_released": released,
        "federated_no_noise": told(comparison.no_noise),
        "alone": {name: told(one) for name, one in comparison.alone.items()},
        "pooled": told(comparison.pooled),
    }


def measured(plan: Plan, beside: Beside) -> list[Measured]:
    """The comparison as the report shows it."""
    if not isinstance(beside, Comparison):
        return []
    rows = [Measured("federated", None, beside.federated)]
    if beside.pooled:
        rows.append(Measured("pooled", None, beside.pooled))
    if plan.noisy and beside.no_noise:
        rows.append(Measured("federated, no noise", None, beside.no_noise))
    rows += [Measured("alone", name, one) for name, one in beside.alone_at_home.items() if one]
    return [*rows, *(Measured("federated", name, one) for name, one in beside.by_site.items())]
