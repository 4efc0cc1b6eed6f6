"""What sites answer and how runs stand, in words: the codes of docs/reference/exit-codes.md for who reads no codes."""

from datetime import UTC, datetime

from potluck.api.network.status import Live
from potluck.core.prose import sentence
from potluck.report.words import duration, moment

GOING = ("waiting", "queued", "open", "summed")
"""States of a run that has not ended."""
STATES = {
    "waiting": "waits for sites",
    "queued": "waits for its turn",
    "open": "running",
    "summed": "is ending",
    "finished": "finished",
    "failed": "stopped",
    "cancelled": "cancelled",
    "given up": "started anew",
}
VERDICTS = {
    "granted": "approved",
    "pending": "waits for its owner, or for the second of two persons there",
    "denied": "refused",
    "unable": "cannot take part",
    "lacking": "is being sent the network",
    "silent": "not heard yet",
    "not heard": "was not heard",
}
KINDS = ("Refused", "Abort", "Unreachable", "UsageError", "PlanError", "DataError")
"""Of errors, at the beginning of a line."""
_POLICY = (
    "who", "tasks", "models", "columns", "tables", "protect", "intersect", "readers", "compute", "attestation",
    "server", "noise", "units", "person", "epsilon_per_plan", "epsilon_per_year", "min_rows", "min_sites",
    "min_corrupt", "looks", "hours", "memory",
)  # fmt: skip
CODES = {
    **{code: f"its policy does not allow it (allow.{code})" for code in _POLICY},
    "epsilon_per_plan": "its policy lets no plan spend so much epsilon",
    "epsilon_per_year": "its budget of epsilon for the year does not reach",
    "who": "its policy does not let this coordinator ask",
    "hours": "its policy lets nobody ask at this hour",
    "memory": "training this network may take more memory than it lets",
    "tables": "it has no table of the name that the plan joins",
    "denied": "a person there said no",
    "revoked": "a person there took the approval back",
    "federation": "it goes by another federation file: let it join the newest",
    "expired": "its federation file has expired",
    "version": "it runs another version of the program",
    "ledger": "its ledger was put back, or lost",
    "plan": "it cannot carry the plan out as it came",
    "initial": "the first model is not the plan's",
    "graph": "the network that it got is not the plan's",
    "base": "it lacks the frozen weights of the plan's network",
    "finished": "the run is over there: start the plan anew",
    "policy": "its policy cannot be read as it is now",
    "engine": "the engine that the plan needs is not ready there",
    "disk": "its disk is full, or cannot be written",
    "data": "its rows or files do not fit: its own screen says how",
    "rows_changed": "its rows changed since the run began",
    "repeats": "its owner is asked again: a step was repeated too often",
    "members": "a person there must first agree to a new member of this federation that the plan names",
    "near": "its owner is asked again: beside another plan, a few rows could be told apart",
    "permit": "the permit in the plan is not in force there",
}
"""By code, why a site takes no part. A code that is not here is shown as it is."""


EVENTS = {
    "submitted": "handed in",
    "proposed": "the plan was sent to its sites",
    "answer": "answer",
    "resumed": "it goes on after a stop",
    "waiting": "it waits for its sites",
    "queued": "it waits for its turn",
    "open": "its turn has come",
    "finished": "it is finished",
    "failed": "it ended",
    "cancelled": "it was cancelled",
    "file": "the federation file changed",
    "unreachable": "not reached",
    "discarded": "a letter was not taken",
    "restarted": "started anew",
    "behind": "too far behind",
}
"""By word of a run's own log, what it says."""


def state(run: Live) -> str:
    """How a run stands."""
    if run.ending:
        return "is being cancelled"
    return "refused" if refused(run) else STATES.get(run.state, run.state)


def stopped_by_persons(run: Live) -> bool:
    """Whether somebody at a site said no: that counts for every later run of the plan, too."""
    return any({"denied", "revoked"} & set(one.codes) for one in (*run.sites, *run.computes))


def times(run: Live, now: float) -> str:
    """How long it waited for sites and owners, and how long it has been in rounds."""
    end = run.ended or now
    waited = max(0.0, (run.first or end) - run.began)
    if run.first is None:
        return f"waiting for {duration(waited)}" if run.state in GOING else f"{duration(waited)}, without a round"
    return f"{duration(max(0.0, end - run.first))} since its first round; before, it waited {duration(waited)}"


def cancelled(why: str) -> tuple[str, str]:
    """By whom, and why, of the one line that a run keeps of it. Until it does, that line is why it had stopped."""
    who, _, reason = why.partition("; ")
    if not who.startswith("cancelled"):
        return "It is being given up", ""
    return sentence(who).rstrip("."), reason


def refused(run: Live) -> bool:
    """Whether a run stopped because somebody said no, or cannot take part."""
    return run.state == "failed" and any(one.verdict in ("denied", "unable") for one in (*run.sites, *run.computes))


def verdict(word: str, going: bool = True) -> str:
    """What a site said. going: the run has not ended, so that more may come."""
    return "not all who decide there had" if word == "pending" and not going else VERDICTS.get(word, word)


def keys(found: tuple[str, ...]) -> tuple[str, ...]:
    """The keys of its policy that say no, where the words do not name them."""
    return tuple(f"allow.{code}" for code in found if code in _POLICY and f"allow.{code}" not in CODES[code])


def codes(found: tuple[str, ...]) -> tuple[str, ...]:
    """Why, a sentence's part each."""
    return tuple(CODES.get(code, code) for code in found)


def said(line: str) -> str:
    """A line of what is said of a plan as a sentence. A key at its beginning stays as it is written."""
    first = line.split(" ", 1)[0]
    return f"{line}." if "." in first.rstrip(".") or "_" in first else sentence(line)


def told(event: str, text: str) -> str:
    """A word about a run for who reads no codes: what a site answered, and what happened, in words."""
    name, colon, rest = text.partition(": ")
    said, semicolon, more = rest.partition("; ")
    first, *causes = said.split(" ")
    if event == "answer" and colon and first in VERDICTS:
        because = f" ({'; '.join(codes(tuple(causes)))})" if causes else ""
        return f"{name}: {verdict(first)}{because}{semicolon}{more}"
    text = why(text)[0] if event == "failed" else text
    return f"{EVENTS.get(event, event)}{': ' if text else ''}{text}"


def why(text: str, plan: str = "") -> tuple[str, str]:
    """Why a run ended, and what to do, of a line that says both: without the kind of error, the plan's name, and a hint
    that is for a terminal alone."""
    what, _, hint = text.partition(" hint: ")
    kind, colon, rest = what.partition(": ")
    if colon and kind in KINDS:
        what = rest
    what = what.removeprefix(f"{plan}: ") if plan else what
    return what.rstrip("."), "" if "potluck " in hint else hint


def ago(seconds: float | None) -> str:
    """How long since somebody was heard; empty where nobody was."""
    if seconds is None:
        return ""
    for size, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now" if seconds < 5 else f"{seconds:.0f} seconds ago"


def when(seconds: float) -> str:
    """A time as people write it."""
    return moment(datetime.fromtimestamp(seconds, UTC).isoformat())
