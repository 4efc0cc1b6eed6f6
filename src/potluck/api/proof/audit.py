"""`potluck.audit`: would the mechanism that sites run keep what a plan's noise promises?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.api.plan.plan import Plan, opened
from potluck.audits.promises.audits import audited
from potluck.audits.promises.promise import Bound, Check, Finding
from potluck.core.errors import UsageError
from potluck.core.plan import Plan as Spec
from potluck.learning.data.declared import resolve
from potluck.learning.data.source import Source, limits_of
from potluck.learning.data.source import opened as source_of
from potluck.learning.data.table import Table, header, read
from potluck.learning.training.slots import ready
from potluck.owner import source as _source  # noqa: F401  kinds of source that owners have

SITE = "rows"
NOTHING = "the plan has no noise: no epsilon is promised, and there is nothing to audit"
ELSEWHERE = "the noise is added among those who compute, in their engines, and that is not audited yet"


@dataclass(frozen=True, slots=True)
class Audited:
    """What audits of one plan found. audits: bounds of epsilon; checks: whatever else."""

    plan: str
    hash: str
    audits: Sequence[Bound]
    checks: Sequence[Check]

    @property
    def all(self) -> Sequence[Finding]:
        """Bounds first."""
        return [*self.audits, *self.checks]

    @property
    def held(self) -> bool | None:
        """Whether no audit found a promise broken; None: none looked at one."""
        said = {one.held for one in self.all}
        return None if said == {None} else False not in said

    def document(self) -> dict[str, object]:
        """The JSON of `potluck audit --json`."""
        return {
            "plan": {"name": self.plan, "hash": self.hash},
            "held": self.held,
            "audits": [one.document() for one in self.audits],
            "checks": [one.document() for one in self.checks],
        }


def audit(
    plan: Plan | str | Path,
    data: Source | None = None,
    *,
    minutes: float = 5.0,
    seed: int = 0,
    progress: Callable[[str], None] = lambda words: None,
) -> Audited:
    """Audit `plan` (or the one in a file) on made-up rows of its schema, or on an owner's own: `data`.

    minutes: what all audits take, about; seed: public, of rows, noise and coins, so that an audit can be repeated.
    progress: is told what is looked at. Reveals: of `data`, to whoever reads the result, how far its rows move sums.
    Raises PlanError, DataError, UsageError.
    """
    if not 0 < minutes <= 24 * 60:
        raise UsageError(f"{minutes:g} minutes are not possible", where="--minutes", hint="e.g. 5")
    plan = opened(plan)
    plan.require()
    audits, checks = list[Bound](), [Check("promise", None, NOTHING)]
    if plan.spec.noisy and not plan.spec.traits.sums:
        checks = [Check("promise", None, ELSEWHERE)]
    elif plan.spec.noisy:
        spec, table = (plan.spec, None) if data is None else _rows(plan, data)
        ready(spec)
        audits, checks = audited(spec, seed=seed, seconds=60 * minutes, table=table, tell=progress)
    return Audited(plan.spec.name, plan.hash, audits, checks)


def _rows(plan: Plan, data: Source) -> tuple[Spec, Table]:
    """The plan with its column patterns resolved, and the rows."""
    source = source_of(data, SITE, limits_of(plan.spec.data))
    spec = resolve(plan.spec, {SITE: header(source, plan.spec, SITE)})
    plan.fits(spec)
    return spec, read(source, spec, SITE)
