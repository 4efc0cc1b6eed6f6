"""An intersection in words, for an owner."""

from __future__ import annotations

from potluck.core.plan import Plan

EXACT = "no epsilon: what it shows is exact; whoever puts in keys that it made up learns which of them all have"


def learnt(plan: Plan, me: str) -> str:
    """Who learns what of whose keys."""
    spec = plan.align
    assert spec is not None
    to = [name for name in plan.federation.sites if not spec.to or name in spec.to]
    what = "how many keys all have in common" if spec.reveal == "size" else "which of their own keys all others have"
    mine = "" if me in to else "; this site learns nothing but how many keys each has"
    twice = " A key that is there twice counts once." if spec.duplicates == "first" else ""
    texts = [repr(text) for text in plan.data.missing if text]
    missing = f" Taken as no value: {', '.join(texts)}." if texts else ""
    return f"{', '.join(to)} learn {what}, by the columns {', '.join(spec.keys)}{mine}.{twice}{missing}"
