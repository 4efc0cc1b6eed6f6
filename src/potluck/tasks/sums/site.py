"""A party's participation in sums: a site's rows, or a compute party's engine."""

from dataclasses import replace
from functools import cache
from pathlib import Path

from potluck.core.errors import unwritable
from potluck.core.party import Role
from potluck.core.plan import Plan, digest
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.core.steps import recorded
from potluck.learning.data.table import Table
from potluck.learning.data.tally_words import for_owner
from potluck.learning.loops import build
from potluck.learning.models.graphs import follow, on_card
from potluck.learning.training.local import keeps
from potluck.learning.training.own import own_of
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.mpc.engine import Engine
from potluck.mpc.share import protection as share
from potluck.owner.judge import rows_allowed
from potluck.owner.policy import Policy
from potluck.owner.source import open_source
from potluck.tasks import own
from potluck.tasks.participation import HalfOf, Participation, computing, demanded, kept_of
from potluck.tasks.sums.costs import calibrate
from potluck.tasks.sums.halves import RoundContext, aid, join
from potluck.tasks.sums.protections import across
from potluck.tasks.sums.rows import least_summed, rows_of
from potluck.tasks.tie import by_order, key_of, of_table


def part(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """As its policy allows it. Raises PotluckError: the rows; Denied: the policy says no."""
    if home.me.role is Role.COMPUTE:
        calibrate(plan)  # first: where it cannot be, no engine is started
        return computing(plan, rules, home, lambda engine: _computes(plan, home, engine))
    return _gives(plan, rules, home)


def _gives(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    demand = demanded(plan, rules, home)
    protection = across(plan, demand)  # first: where it cannot be had, no row is read
    plan = on_card(plan, rules.models.gpu)
    task = build(plan)
    calibrate(plan)
    follow(plan)
    source = open_source(rules.source, home.folder, plan.data, home.name)
    rows = rows_of(source, plan, home.name)
    told = for_owner(plan, rows.tally, home.name)
    rows_allowed(rules, least_summed(plan, rows))
    tie = of_table(rows, key_of(home.ties), by_order(plan))

    @cache
    def of_run(run: str) -> Table:
        return replace(rows, kept=kept_of(home).of(run, digest(plan))) if keeps(plan) else rows

    def half(round_: RoundId, seat: Credentials) -> Half[None]:
        joined = join(RoundContext(plan, task, protection, round_), of_run(round_.run), seat)
        return recorded(tie.record(round_.run), round_, joined, later=True)

    def over(run: str) -> tuple[str, ...]:
        """The site's own model goes into its home, where it has one."""
        found = own_of(plan, of_run(run))
        if found is None:
            return ()
        place = Path(own.FOLDER, file_name(run))
        try:
            own.write(found, home.folder / place)
        except OSError as error:
            raise unwritable(error, home.folder / place, "make room, and stop and start the site") from None
        return own.for_owner(found, str(place / own.MODEL))

    return Participation(plan, half, over=over, tie=tie, told=told)


def _computes(plan: Plan, home: SiteHome, engine: Engine) -> HalfOf:
    task, protection = build(plan), share.build(plan)
    protection.engines[home.me] = engine
    return lambda round_, me: aid(RoundContext(plan, task, protection, round_), me)
