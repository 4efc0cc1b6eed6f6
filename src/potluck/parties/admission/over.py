"""The end of a run at a site that kept something between its rounds, whichever process of the site ends it."""

from contextlib import suppress

from potluck.core.errors import PotluckError
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Record
from potluck.members.home import SiteHome
from potluck.owner.access import read as read_log
from potluck.owner.budget import Budget
from potluck.owner.reading import read as read_policy
from potluck.parties.admission.graphs import with_graph
from potluck.tasks.catalog import task_of
from potluck.tasks.participation import Denied, Participation, forget, holds, kept_of

RECENT = 4 << 20
"""Bytes of the access log, its newest, in which is looked."""
MODEL = "model/"
"""Prefix of the ledger's record of a model's digest."""


def remember_model(ledger: Budget, run: str, model: bytes) -> None:
    """What the server says is the digest of the run's model, for the owner's papers. model: empty where there is none.
    The first word on it stands."""
    if model:
        with suppress(Abort):
            ledger.write(Record(f"{MODEL}{run}", model))


def lasts(home: SiteHome) -> bool:
    """Whether a yes is for every run of a plan, by the policy as it is now; not where that cannot be read."""
    try:
        return read_policy(home.policy).approve.rule == "hash"
    except PotluckError:
        return False


def outlived(home: SiteHome, run: str, policy: str) -> bool:
    """Whether a run ended for now after persons had approved it under another policy than this (its words' digest): one
    that is asked for again waits for them again. By the newest part of the access log."""
    lines = [one for one in read_log(home.access, last=RECENT).entries if one.run == run]
    said = {one.person: (place, one.policy) for place, one in enumerate(lines) if one.event == "approve"}
    ended = max((place for place, one in enumerate(lines) if one.event == "end"), default=-1)
    return any(by != policy for _, by in said.values()) and max(place for place, _ in said.values()) < ended


def over(home: SiteHome, run: str, plan: Plan | None, part: Participation | None) -> tuple[str, ...]:
    """Lines for the owner. What was kept for the run's rounds goes, unless what the owner should have could not be made
    of it. part: of this process; None: another process of the site took part, and the rows are read again where
    anything is kept of it.

    Raises UsageError: what was kept cannot be removed.
    """
    if plan is None or not (part or holds(home, run)):
        forget(home, run)
        return ()
    mine = None
    try:
        mine = part or task_of(plan).part(with_graph(home, plan, None), read_policy(home.policy), home)
        lines = mine.over(run)
    except (PotluckError, Denied, Abort) as error:
        return (f"what the run left here could not be made: {error}", f"its numbers stay in {kept_of(home).at(run)}")
    finally:
        if mine is not None and part is None:
            mine.close()
    forget(home, run)
    return lines
