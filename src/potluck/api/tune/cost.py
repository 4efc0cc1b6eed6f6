"""What a tuning costs, said before anything runs: each candidate is a training and a judgement, and releases both.

Runs are composed as ledgers compose them, event by event (decision 0031). Private selection (Liu and Talwar 2019,
Papernot and Steinke 2022) would charge little more than one training for the best of many, but only where nothing of
the others is released. Here whoever opens the sums of a candidate sees them, so each is paid for.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.api.local.ledgers import folder_of, ledger_file
from potluck.api.network.composed import Composed, composed, would
from potluck.api.plan.plan import Plan
from potluck.api.tune.candidates import Candidate
from potluck.core import prose
from potluck.core.errors import Refused
from potluck.dp.account import NEIGHBOURS, promise


@dataclass(frozen=True)
class Cost:
    """trainings: how many; done: how many more were run before, and cost nothing more; epsilon: of the trainings at
    each owner, composed at `delta`, None without noise; added: the plans' own epsilons, added up; owners: by name what
    their ledgers come to, now and then; share: of all rows that judge, with `usual` where the plan does not say it;
    metric: that chooses; apart: by about how much it has to differ for two candidates to be told apart in spite of the
    noise, None where nobody knows; seconds: of all sums, None where nobody knows; bytes: that all sites send."""

    trainings: int
    done: int
    epsilon: float | None
    added: float | None
    delta: float
    unit: str | None
    owners: Mapping[str, Composed]
    share: float
    usual: bool
    metric: str
    apart: float | None
    seconds: float | None
    bytes: int

    @property
    def noisy(self) -> bool:
        """Whether it charges anything."""
        return self.epsilon is not None

    def document(self) -> dict[str, object]:
        """The JSON."""
        return {
            "trainings": self.trainings,
            "trained_before": self.done,
            "epsilon": self.epsilon,
            "epsilon_added_up": self.added,
            "delta": self.delta if self.noisy else None,
            "unit": self.unit if self.noisy else None,
            "neighbours": NEIGHBOURS if self.noisy else None,
            "owners": {name: {"composed": one.now, "would_compose": one.then} for name, one in self.owners.items()},
            "validation": self.share,
            "told_apart_from": self.apart,
            "seconds": self.seconds,
            "bytes_up": self.bytes,
        }

    def lines(self) -> list[str]:
        """The same in words."""
        if not self.trainings:
            return [f"all {self.done} candidates were judged before: nothing is trained, and nothing more is charged"]
        pace = "" if self.seconds is None else f", about {self.seconds:.2g} s for their sums alone here"
        found = [f"{self.trainings} trainings, each judged by validation rows: {self.bytes:,} bytes up in all{pace}"]
        of = f"{self.share:.4g} of all rows are validation rows, which train no candidate"
        found.append(
            f"{of}{': a fifth of those that are not test rows' if self.usual else ''}; test rows are in nothing"
        )
        if self.done:
            said = prose.agree(
                self.done, "candidate was judged before, and costs", "candidates were judged before, and cost"
            )
            found.append(f"{self.done} {said} nothing again")
        if self.epsilon is None or self.added is None:
            return [*found, "no noise: each candidate opens exact sums over the same rows, and no ledger is charged"]
        each = self.added / self.trainings
        whole = f"epsilon {self.epsilon:.4g} at each owner for all of it, composed at delta {self.delta:g}"
        found.append(f"{whole} ({self.trainings} x {each:.4g} added up; unit {self.unit}, {NEIGHBOURS})")
        before = {name: one for name, one in self.owners.items() if one.now}
        if self.apart is not None:
            what = f"candidates whose {self.metric} differs by less than about {self.apart:.2g}"
            found.append(f"noise: {what} cannot be told apart, on ordinary rows (potluck check says which)")
        found += [
            f"{name}: {one.now:.4g} is spent already, {one.then or one.now:.4g} with all of it"
            for name, one in before.items()
        ]
        return [*found, "the best plan is then trained anew, which costs its own epsilon once more"]


def cost(plan: Plan, every: Sequence[Candidate], done: Collection[int], metric: str, ledger: Path | None) -> Cost:
    """Of these candidates. plan: as its author wrote it; done: the numbers of those that were run before; metric: that
    chooses; ledger: where ledgers lie. Raises UsageError, Refused: a ledger cannot be read."""
    rest = [one for one in every if one.number not in done]
    specs, any_one = [one.plan.spec for one in rest], every[0].plan.spec
    alone = would(None, specs)
    promised = [promise(spec) or 0.0 for spec in specs]
    folder = folder_of(plan, ledger)
    sites, noisy = any_one.federation.sites, any_one.noisy
    split, own = any_one.data.split, plan.spec.data.split
    paces = [one.verdict.seconds * (one.verdict.rounds or 1) for one in rest if one.verdict.seconds is not None]
    return Cost(
        trainings=len(rest),
        done=len(every) - len(rest),
        epsilon=(alone.then or 0.0) if noisy else None,
        added=sum(promised) if noisy else None,
        delta=alone.delta,
        unit=any_one.privacy.unit,
        owners={name: composed(ledger_file(folder, name), specs) for name in sites} if noisy else {},
        share=(split.validation if split else None) or 0.0,
        usual=own is not None and own.validation is None,
        metric=metric,
        apart=_apart(every, metric),
        seconds=sum(paces) if len(paces) == len(rest) else None,
        bytes=len(sites) * sum(one.verdict.bytes_all for one in rest),
    )


def _apart(every: Sequence[Candidate], metric: str) -> float | None:
    """Twice half an interval: ends that just meet. None where a forecast is missing, or has no end."""
    halves = [(one.verdict.forecast or {}).get(metric) for one in every]
    known = [float(half) for half in halves if isinstance(half, int | float)]
    return 2 * max(known) if len(known) == len(every) else None


def affordable(found: Cost, cap: float | None) -> None:
    """Raises Refused: an owner's ledger would come to more than the cap."""
    for name, one in found.owners.items():
        if cap is not None and one.then is not None and not one.then <= cap * (1 + 1e-9):
            what = f"{name}: {found.trainings} trainings would come to epsilon {one.then:.4g}, above the cap of {cap:g}"
            spent = f" ({one.now:.4g} is spent already)" if one.now else ""
            raise Refused(
                f"{what}{spent}; nothing was run", hint="a smaller grid, a smaller privacy.epsilon, or a larger cap"
            )
