"""`potluck.audit`: would the mechanism that sites run keep what a plan's noise promises?"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from potluck.api.local.progress import in_words
from potluck.api.plan.plan import Plan, opened
from potluck.api.proof import kept
from potluck.audits.extraction.canaries import without_noise
from potluck.audits.promises import on_shares
from potluck.audits.promises.audits import Looked, audited
from potluck.audits.promises.promise import WRONG, Bound, Check, Effort, Finding
from potluck.audits.resumed import Resumed, resumed, subject
from potluck.core.errors import UsageError
from potluck.core.plan import Plan as Spec
from potluck.core.schema import readable
from potluck.core.visible import visible
from potluck.dp.odds import odds
from potluck.learning.data.declared import resolve
from potluck.learning.data.source import Source, limits_of
from potluck.learning.data.source import opened as source_of
from potluck.learning.data.table import Table, header, read
from potluck.learning.training.slots import ready
from potluck.owner import source as _source  # noqa: F401  kinds of source that owners have
from potluck.report.outcome import read as read_run
from potluck.report.proof.kept import Audits

SITE = "rows"
NOTHING = "the plan has no noise: no epsilon is promised, and there is nothing to audit"
ELSEWHERE = "that engines add the noise of those who compute to clipped slopes is not audited here"


WORDS = {True: "held", False: "BROKEN", None: "says nothing"}
"""Of a promise: what an audit came to."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What audits of one plan found. audits: bounds of epsilon; checks: whatever else; kept: the file that holds it;
    resumed: the one whose answers were taken over, if any."""

    plan: str
    hash: str
    audits: Sequence[Bound]
    checks: Sequence[Check]
    kept: Path | None = None
    resumed: Resumed[Looked] | None = None

    def warnings(self) -> list[str]:
        """What makes less of the result."""
        return self.resumed.warnings() if self.resumed else []

    @property
    def all(self) -> Sequence[Finding]:
        """Bounds first."""
        return [*self.audits, *self.checks]

    @property
    def held(self) -> bool | None:
        """Whether no audit found a promise broken; None: none looked at one."""
        said = {one.held for one in self.all}
        return None if said == {None} else False not in said

    def lines(self) -> list[tuple[bool | None, str]]:
        """Whether each held, and what it found in words; a bound of epsilon as people understand it best: how often a
        guess is right, of 100."""
        return [(one.held, f"{one.name}: {_odds(one)}{one.words}") for one in self.all]

    def __str__(self) -> str:
        said = [f"{WORDS[held]} {line}" for held, line in self.lines()]
        return "\n".join(map(visible, [*said, *self.warnings()]))

    __repr__ = __str__  # what a prompt and a notebook show

    def document(self) -> dict[str, object]:
        """The JSON of `potluck audit --json`."""
        return {
            "plan": {"name": self.plan, "hash": self.hash},
            "held": self.held,
            "audits": [one.document() for one in self.audits],
            "checks": [one.document() for one in self.checks],
            "taken": list(self.resumed.taken) if self.resumed else [],
        }


def audit(
    plan: Plan | str | Path,
    data: Source | None = None,
    *,
    run: str | Path | None = None,
    minutes: float = 5.0,
    seed: int = 0,
    resume: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    quiet: bool = False,
) -> Audited:
    """Whether a plan's noise hides what it promises, by experiments on made-up rows, or on an owner's own.

    Args:
        plan: a plan, or the TOML file of one.
        data: an owner's own rows. Whoever reads the result learns how far they move sums.
        run: the folder of a run of this plan, beside which the result is kept for its report.
        minutes: what all audits take, about.
        seed: of rows, noise and coins; public, so that an audit can be repeated.
        resume: a file that keeps what is finished, so that an interrupted call goes on when it is called again; made
            where there is none.
        progress: is told what is looked at. Without it a notebook shows a line that says so.
        quiet: a notebook shows no such line.

    Returns:
        Of each audit the epsilon that is claimed, the lower bound that was found, and whether the claim held.

    Raises:
        PlanError: the plan is wrong.
        DataError: rows do not fit the plan.
        UsageError: no such run, or a time that cannot be.

    Examples:
        >>> import potluck
        >>> plan = potluck.Plan(
        ...     name="people", purpose="How many rows there are", task="statistics",
        ...     federation={"sites": ["north", "south"], "server": "curious"}, protect={"with": "clear"},
        ...     privacy={"noise": "site", "unit": "row", "epsilon": 0.5, "delta": 1e-6},
        ...     data={"columns": {"age": {"kind": "number", "low": 0, "high": 120}}},
        ...     statistics=[{"name": "rows", "kind": "count"}],
        ... )
        >>> found = potluck.audit(plan, minutes=0.05)
        >>> [one.name for one in found.audits if one.held is False]
        []
    """
    if not 0 < minutes <= 24 * 60:
        raise UsageError(f"{minutes:g} minutes are not possible", where="--minutes", hint="e.g. 5")
    plan = opened(plan)
    plan.require()
    if resume is not None and data is not None:
        raise UsageError("nothing is kept of an owner's own rows", where="--resume", hint="leave it out, or --data")
    about = subject("audit", plan=plan.hash, seed=seed, minutes=minutes)
    going = None if resume is None else resumed(Path(resume), about, Looked)
    if run is not None:
        _fits(Path(run), plan, data)
    audits, checks = list[Bound](), [Check("promise", None, NOTHING)]
    with in_words("audit", progress, quiet=quiet) as tell:
        if not plan.spec.noisy:
            checks += without_noise(plan.spec, seed, Effort(WRONG, time.monotonic() + 60 * minutes, tell=tell))
        elif not plan.spec.traits.sums:
            shares = on_shares.findings(plan.spec, seed, Effort(WRONG, tell=tell))
            checks = [*shares, Check("program", None, ELSEWHERE)]
        else:
            spec, table = (plan.spec, None) if data is None else _rows(plan, data)
            ready(spec)
            audits, checks = audited(spec, seed=seed, seconds=60 * minutes, table=table, tell=tell, resumed=going)
    found = Audited(plan.spec.name, plan.hash, audits, checks, resumed=going)
    if run is None:
        return found
    looked = [going.done[name] for name in going.taken] if going else list[Looked]()
    taken = {one.name for each in looked for some in (each.bounds, each.checks) for one in some}
    marked = {
        "audits": [one.document() | {"taken": one.name in taken} for one in audits],
        "checks": [one.document() | {"taken": one.name in taken} for one in checks],
    }
    head = {"plan_hash": plan.hash, "minutes": minutes, "seed": seed, "when": kept.now()}
    whole = found.document() | marked | head
    return replace(found, kept=kept.audited(Path(run), msgspec.convert(whole, readable(Audits))))


def _odds(one: Finding) -> str:
    if not isinstance(one, Bound) or one.held is None:
        return ""
    claimed, proved = math.ceil(odds(one.claimed)), math.floor(odds(max(0.0, one.lower_bound)))
    said = f"of 100 guesses who was there at most {claimed} can be right, the plan says"
    return f"{said}, and it was proved that this limit is {proved} or higher; "


def _fits(run: Path, plan: Plan, data: Source | None) -> None:
    """Raises UsageError: the result cannot be kept beside this run."""
    if data is not None:
        what = "a result about an owner's own rows is for that owner alone, and a run's report is passed on"
        raise UsageError(what, where="--run", hint="leave out --run or --data")
    if read_run(run)[1].plan_hash != plan.hash:
        raise UsageError("ran another plan", where=str(run), hint="give the plan as it ran, with what was --set")
    kept.ready(run, plan.hash)


def _rows(plan: Plan, data: Source) -> tuple[Spec, Table]:
    """The plan with its column patterns resolved, and the rows."""
    source = source_of(data, SITE, limits_of(plan.spec.data))
    spec = resolve(plan.spec, {SITE: header(source, plan.spec, SITE)})
    plan.fits(spec)
    return spec, read(source, spec, SITE)
