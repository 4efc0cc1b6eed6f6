"""How useful a network will be, by its signal to noise: a curve that was measured on made-up rows.

A network takes too long to be rehearsed for each plan. So networks of one layer of 8 and of 32 units were once, on
made-up tables of 8 numbers and 3 categories, of 1,000 to 16,000 rows, at epsilon .1 to 8, in 60 rounds of `sgd` at a
rate of 1 and of `adam` at .02. What they kept of the way from a guess to the best model follows from
the signal to noise of all rounds together (`signal`), whatever rows, epsilon and weights it came from. CURVE has the
least and the most of what was seen near each figure; `tests/tasks/sums/usefulness/test_curve.py` measures it again.

It does NOT know whether rate, rounds and layers suit the task: a network that learns nothing without noise learns
nothing with it. Pictures and texts were not measured.
"""

from dataclasses import dataclass

import numpy as np

from potluck.core.plan import Plan
from potluck.learning.data.encode import encoding, tensors
from potluck.learning.data.target import goal_of
from potluck.learning.models.kinds import kind_of
from potluck.learning.training.method import method_of
from potluck.tasks.here import Json
from potluck.tasks.sums.usefulness.verdict import POOR, USEFUL, verdict

CURVE = ((1.0, -0.3, 0.4), (2.0, -0.3, 0.6), (4.0, 0.5, 0.8), (8.0, 0.63, 0.88), (16.0, 0.78, 0.9), (32.0, 0.8, 0.95))
"""Signal to noise, and the least and the most that was kept."""


@dataclass(frozen=True, slots=True)
class ByCurve:
    """run: signal to noise of all rounds together, at most."""

    run: float

    @property
    def kept(self) -> tuple[float, float]:
        """Between the points of the curve, on a logarithmic scale."""
        at, low, high = (np.array(one) for one in zip(*CURVE, strict=True))
        x = np.log(max(self.run, 1e-9))
        return float(np.interp(x, np.log(at), low)), float(np.interp(x, np.log(at), high))

    @property
    def _middle(self) -> float:
        return sum(self.kept) / 2

    def document(self) -> Json:
        """As JSON has it."""
        low, high = self.kept
        return {"verdict": verdict(self._middle), "kept_low": low, "kept_high": high}

    def advice(self) -> list[Json]:
        """None: what of batch and rounds does better, signal to noise says."""
        return []

    def words(self) -> list[str]:
        """A line."""
        low, high = (max(0.0, 100 * one) for one in self.kept)
        said = "how useful: of networks on made-up rows noise left about"
        far = f"{low:.0f} to {high:.0f} of 100 parts of the way from a guess to the best model"
        suits = "if layers, rate and rounds suit the task"
        return [f"{said} {far} at this signal to noise: {verdict(self._middle)}, {suits}"]

    def warnings(self) -> list[str]:
        """Where it is of no use, and how much more it takes."""
        if self._middle >= POOR:
            return []
        at, low, high = (np.array(one) for one in zip(*CURVE, strict=True))
        enough = float(np.exp(np.interp(USEFUL, (low + high) / 2, np.log(at))))
        what = f"at a signal to noise of {self.run:.2g} over all rounds networks on made-up rows were of no use"
        times = enough / max(self.run, 1e-9)
        hint = f"about {times:.2g} times as many rows, as large an epsilon, or fewer weights that train"
        return [f"privacy.epsilon: {what}. hint: {hint}"]


def curved(spec: Plan) -> bool:
    """Whether the curve is of such plans: a network of declared columns, whose rows or persons are clipped."""
    by_rows = method_of(spec).follows(spec) and spec.privacy.unit != "site"
    return by_rows and kind_of(spec).deep and goal_of(spec).apart and not tensors(encoding(spec))
