"""A party's participation in a fit: an owner's columns, or a compute party's engine."""

import math
from collections.abc import Mapping
from pathlib import Path

import msgspec

from potluck.core.party import Role
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.core.steps import recorded
from potluck.learning.data import columns
from potluck.learning.data.tally_words import for_owner
from potluck.learning.evaluation.evaluate import Metrics
from potluck.learning.models.model import Model
from potluck.learning.training.trained import Trained
from potluck.members.home import SiteHome
from potluck.mpc.engine import Engine
from potluck.owner.judge import rows_allowed
from potluck.owner.policy import Policy
from potluck.owner.source import open_source
from potluck.tasks.announcement import RoundContext
from potluck.tasks.fit.halves import Brought, assist, bring
from potluck.tasks.matching.alignment import read_keys
from potluck.tasks.participation import HalfOf, Participation, computing, ending, own_tools, reached
from potluck.tasks.results import Results
from potluck.tasks.tie import key_of, of_columns


class Known(msgspec.Struct, frozen=True):
    """Metrics of held-out rows (None: there are none), and what to mind. population: as `Metrics` has it, but
    None for an infinite end, which JSON has no word for."""

    rows: int | None
    auc: float | None
    accuracy: float | None
    r2: float | None
    rmse: float | None
    warnings: tuple[str, ...]
    measured: bool
    population: Mapping[str, tuple[float | None, float | None]] = {}


FITTED = Results("models", Known, "the model's reader kept no model", (".json", ".metrics.json"))


def keep(home: Path, run: str, found: Trained) -> None:
    """What a reader of the model keeps. Raises UsageError: it cannot be written."""
    one = found.metrics or Metrics(None)
    rows = None if one.rows is None else round(one.rows)
    measured, population = found.metrics is not None, one.population
    known = Known(rows, one.auc, one.accuracy, one.r2, one.rmse, found.warnings, measured, population)
    FITTED.keep(home, run, known, found.model.files()[0])


def kept(home: Path, run: str) -> Trained:
    """What was kept of a run. Raises UsageError: nothing, or a model that cannot be read."""
    path, known = FITTED.read(home, run)
    ends = {
        name: (-math.inf if low is None else low, math.inf if high is None else high)
        for name, (low, high) in known.population.items()
    }
    one = Metrics(known.rows, known.auc, known.accuracy, known.r2, known.rmse, population=ends)
    return Trained(Model.read(path), one if known.measured else None, known.warnings)


def part(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """As its policy allows it. Raises PotluckError: the rows; Denied: the policy says no."""
    if home.me.role is Role.COMPUTE:
        return computing(plan, rules, home, lambda engine: _computes(plan, engine))
    return _brings(plan, rules, home)


def _computes(plan: Plan, engine: Engine) -> HalfOf:
    return lambda round_, me: assist(RoundContext(plan, round_), engine, me)


def _brings(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    here = reached(plan, rules, home)
    source = open_source(rules.source, home.folder, plan.data, home.name)
    keys, own = read_keys(source, plan, home.name), columns.read(source, plan, home.name)
    told = for_owner(plan, own.tally, home.name)
    tie = of_columns(keys, own, key_of(home.ties))
    using = own_tools(plan, home, here)
    brought = Brought(keys, own, using, lambda rows: rows_allowed(rules, rows))

    def half(round_: RoundId, seat: Credentials) -> Half[Trained | None]:
        return recorded(tie.record(round_.run), round_, bring(RoundContext(plan, round_), brought, seat))

    def done(run: str, result: object) -> None:
        if isinstance(result, Trained):
            keep(home.folder, run, result)

    return ending(Participation(plan, half, done, using.close, using.close, tie, told), here)
