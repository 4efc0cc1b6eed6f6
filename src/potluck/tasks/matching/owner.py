"""What an owner matches keys with: kept alignments, secrets of runs, and where engines are needed one of its own."""

from __future__ import annotations

from potluck.core.plan import Plan
from potluck.members.home import SiteHome
from potluck.mpc.local import Port
from potluck.owner.policy import Policy
from potluck.tasks.matching.alignment import Tools, needs_engine, tools
from potluck.tasks.participation import engine_address, kept_in, secrets_of


def reached(plan: Plan, rules: Policy, home: SiteHome) -> Port | None:
    """Where the others reach this owner's engine; None where nobody has one. Raises Denied: the policy names none."""
    return engine_address(rules, home.policy.name) if needs_engine(plan) else None


def own_tools(plan: Plan, home: SiteHome, here: Port | None) -> Tools:
    """This owner's tools, in a folder of its own. Raises UsageError: the engine is not installed."""
    return tools(plan, kept_in(home), here, secrets_of(home))
