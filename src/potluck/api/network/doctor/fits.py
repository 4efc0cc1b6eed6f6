"""Whether a site's rows are as a plan asks for them: read as its run would read them, for the owner's own screen.

Nothing is summed up, charged or sent. Plans whose rounds are no sums are not looked at here: what they bring is read by
their run.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from potluck.api.network.doctor.finding import Finding
from potluck.api.network.inbox import note_rows, one_request
from potluck.core.errors import PotluckError, Refused
from potluck.core.party import Role
from potluck.core.plan import Plan
from potluck.core.visible import visible
from potluck.learning.data.source import Rows
from potluck.learning.data.table import Table
from potluck.learning.data.tally_words import required, whole
from potluck.learning.models.sent import lacks
from potluck.learning.training.slots import ready
from potluck.members.home import SiteHome
from potluck.owner.policy import Policy
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Request, Requests, State
from potluck.owner.source import open_source
from potluck.parties.admission import graphs
from potluck.parties.admission.proposal import read_of
from potluck.tasks.sums.disclosure import known_by
from potluck.tasks.sums.rows import rows_of

MOST = 8
"""Plans whose rows are read, the newest."""
YOURS = (
    "what the rows or source.* of the policy say is yours to put right; data.* and missing stand in the plan, which "
)
YOURS += "the coordinator alone can change: tell it"
ANYWAY = "--anyway says yes all the same, and a run of it is turned away here until the rows fit"


class Unfit(Refused):
    """The rows here do not fit a plan that somebody is about to approve."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """Rows that a plan can be carried out with. known: columns by which they are known again."""

    source: Rows
    known: tuple[str, ...]
    table: Table


def fitting(plan: Plan, home: SiteHome, rules: Policy) -> Fitting:
    """The site's rows, as this plan reads them. Raises PotluckError: they cannot be read, or do not fit."""
    ready(plan)
    source = open_source(rules.source, home.folder, plan.data, home.name)
    known = known_by(source, plan, rules)
    rows = rows_of(source, plan, home.name, known)
    required(rows.tally, home.name)
    return Fitting(source, known, rows)


def whole_plan(plan: Plan, home: SiteHome) -> Plan:
    """With the graph or weights that it names, where this home keeps them."""
    return (graphs.kept(home.folder, plan, graphs.models_of(home)) or plan) if plan.sent else plan


def require_fitting(folder: Path, which: str, person: str = "") -> bool:
    """Before a person says yes to the plan whose hash begins with `which`: its rows are read, where no preview did that
    yet. A line of the access log has what was counted. Gives whether they were: not where nobody asked for it yet.

    Raises Unfit: they do not fit, and why. UsageError: no such plan.
    """
    home = SiteHome.at(folder)
    with closing(Requests(home.requests)) as requests:
        found = requests.find(which)
    if not found or home.me.role is Role.COMPUTE:
        return False
    asked = one_request(folder, found[-1].hash)
    plan = whole_plan(asked.plan, home)
    if asked.unreadable or not _read_here(plan) or asked.counted is not None:
        return False
    try:
        rows = fitting(plan, home, read_policy(home.policy))
    except PotluckError as error:
        where, hint = error.where, "; ".join([*filter(None, [error.hint]), YOURS, ANYWAY])
        raise Unfit(f"the rows here do not fit this plan: {error.what}", where=where, hint=hint) from None
    note_rows(home, found[-1], plan.name, whole(rows.table.tally), person)
    return True


def of_plans(home: SiteHome, rules: Policy) -> Iterator[Finding]:
    """Plans that wait here, or go on, and that the rows do not fit."""
    for one, plan in _plans(home):
        try:
            fitting(whole_plan(plan, home), home, rules)
        except PotluckError as error:
            said = visible(f"they do not fit {plan.name} of {one.asker}, {one.hash[:16]}: {error.what}")
            yield Finding("rows", "look", said, f"{error.hint}; {YOURS}" if error.hint else YOURS)


def _plans(home: SiteHome) -> Iterator[tuple[Request, Plan]]:
    if not home.requests.exists():
        return
    with closing(Requests(home.requests)) as requests:
        every = requests.every()
    going = [one for one in reversed(every) if one.state in (State.PENDING, State.APPROVED)]
    for one in list({one.hash: one for one in going}.values())[:MOST]:
        plan = read_of(one)
        if plan is not None and _read_here(whole_plan(plan, home)):
            yield one, plan


def _read_here(plan: Plan) -> bool:
    return plan.traits.sums and not lacks(plan)
