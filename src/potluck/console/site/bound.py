"""What a decision binds to: a digest for each part of what a request's page said.

A yes rests on all that the page said, but not on how much of the budget other runs have spent by the minute: only on
whether the yearly cap still bears this run. A no, or a revocation, can only protect: numbers that moved do not stop it,
nor what other persons decided meanwhile. It binds to the plan and to its newest run.
"""

import hashlib

from potluck.api.network.asked import Asked
from potluck.api.network.history import Earlier
from potluck.core.visible import json_text

_MOVES = ("cost", "spent", "composed", "would_compose", "learnt", "risks")
"""Parts of the JSON that the ledger or the number of earlier runs moves. The plan itself stays among the settings."""
_PARTS = {
    "run": "the plan was asked again, as a new run",
    "decisions": "somebody else decided, or its state is another now",
    "budget": "whether the yearly cap bears this run",
    "rows": "the rows were counted",
    "before": "another plan of this asker was let in",
    "policy": "the policy",
    "asked": "what is known of the request itself",
}
"""By part, what to say if it changed."""


def parts(asked: Asked, before: Earlier | None, policy: bytes) -> str:
    """Of what a page says, a digest by part, in one text. policy: by which the request is judged."""
    document = asked.document()
    decisions = {one: document.pop(one) for one in ("state", "codes", "missing")}
    rows, run = document.pop("rows"), document.pop("run")
    for one in _MOVES:
        document.pop(one, None)
    year = asked.year.then if asked.year.then is not None else asked.year.now
    found: dict[str, object] = {
        "run": run,
        "decisions": decisions,
        "budget": asked.cap is None or year <= asked.cap,
        "rows": rows,
        "before": before.request.run if before else None,
        "policy": policy.hex(),
        "asked": document,
    }
    return ";".join(f"{key}={hashlib.sha256(json_text(value).encode()).hexdigest()}" for key, value in found.items())


def changed(word: str, shown: str, now: str) -> str:
    """Why a decision, `word`, cannot rest on what was shown, in words; empty: it can."""
    old, new = (dict(one.split("=", 1) for one in text.split(";") if "=" in one) for text in (shown, now))
    binds = tuple(_PARTS) if word == "approve" else ("run",)
    return "; ".join(_PARTS[one] for one in binds if old.get(one) != new.get(one))
