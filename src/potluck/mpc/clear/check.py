"""What of a plan `clear` cannot keep."""

from __future__ import annotations

from potluck.core.plan import Plan


def check(plan: Plan) -> list[str]:
    """Nothing, since it promises nothing."""
    return []
