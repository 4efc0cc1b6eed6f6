"""A party's participation in sums: a site's rows, or a compute party's engine."""

from potluck.core.party import Role
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.core.steps import recorded
from potluck.learning.data.tally_words import for_owner
from potluck.learning.loops import build
from potluck.learning.models.graphs import follow, on_card
from potluck.members.home import SiteHome
from potluck.mpc.engine import Engine
from potluck.mpc.share import protection as share
from potluck.owner.judge import rows_allowed
from potluck.owner.policy import Policy
from potluck.owner.source import open_source
from potluck.tasks.participation import HalfOf, Participation, computing, demanded
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
    rows_allowed(rules, least_summed(plan, rows.tally))
    tie = of_table(rows, key_of(home.ties), by_order(plan))

    def half(round_: RoundId, seat: Credentials) -> Half[None]:
        joined = join(RoundContext(plan, task, protection, round_), rows, seat)
        return recorded(tie.record(round_.run), round_, joined, later=True)

    return Participation(plan, half, tie=tie, told=told)


def _computes(plan: Plan, home: SiteHome, engine: Engine) -> HalfOf:
    task, protection = build(plan), share.build(plan)
    protection.engines[home.me] = engine
    return lambda round_, me: aid(RoundContext(plan, task, protection, round_), me)
