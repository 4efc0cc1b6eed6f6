"""An owner's participation in an intersection: its keys, and, where the plan's way has engines, one of its own."""

import msgspec

from potluck.core.plan import Plan, required
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.core.steps import recorded
from potluck.members.home import SiteHome
from potluck.owner.judge import rows_allowed
from potluck.owner.policy import Policy
from potluck.owner.source import open_source
from potluck.tasks.announcement import RoundContext
from potluck.tasks.intersect.halves import learnt, match, text_of
from potluck.tasks.matching.alignment import Common, read_keys
from potluck.tasks.participation import Participation, ending, own_tools, reached
from potluck.tasks.results import Results
from potluck.tasks.tie import key_of, of_keys


class Known(msgspec.Struct, frozen=True):
    """What is known of common keys, beside them."""

    size: int
    reused: bool


COMMON = Results("intersections", Known, "the site kept no result")


def part(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """As its policy allows it. Raises PotluckError: the rows; Denied: the policy says no."""
    here = reached(plan, rules, home)
    written = msgspec.structs.replace(rules.source, decimal=None)  # keys are texts, and compared as they are
    source = open_source(written, home.folder, plan.data, home.name)
    keys = read_keys(source, plan, home.name)
    rows_allowed(rules, len(keys.rows))
    tie = of_keys(keys, key_of(home.ties))
    using = own_tools(plan, home, here)

    def half(round_: RoundId, seat: Credentials) -> Half[Common]:
        return recorded(tie.record(round_.run), round_, match(RoundContext(plan, round_), keys, using, seat))

    def done(run: str, result: object) -> None:
        assert isinstance(result, Common)
        if result.size is not None:
            found = learnt(required(plan.align).keys, keys, result)
            members = None if found.members is None else text_of(found).encode()
            COMMON.keep(home.folder, run, Known(result.size, result.reused), members)

    return ending(Participation(plan, half, done, using.close, using.close, tie), here)
