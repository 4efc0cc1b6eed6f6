"""What a journal tells of a round, beside its numbers: as JSON, and back."""

from collections.abc import Mapping
from typing import Any

from potluck.core.asks import Ask, Votes
from potluck.core.party import site
from potluck.core.rounds import Cause
from potluck.drivers.attempt import Attempt
from potluck.drivers.sums import Round
from potluck.drivers.transcript import Traffic


def round_of(ask: Ask, number: int, ended: float, known: Mapping[str, Any]) -> Round:
    """The finished round of an ask, from what was told of it."""
    dropped = {name: Cause(cause) for name, cause in known["lost"].items()}
    steps = {step: (size, letters) for step, (size, letters) in known["steps"].items()}
    return Round(ask, number, dropped, known["seconds"], Traffic(known["up"], known["down"], steps), ended)


def entry_of(lost: Mapping[Any, Cause], attempt: Attempt, seconds: float) -> dict[str, Any]:
    """What is told of a round: who was missing and why, its traffic, seconds, and who paid."""
    return {
        "lost": {str(party): cause.value for party, cause in lost.items()},
        "up": attempt.traffic.up,
        "down": attempt.traffic.down,
        "steps": attempt.traffic.steps,
        "seconds": seconds,
        "paid": sorted(party.name for party in attempt.paid),
    }


def of_votes(votes: Votes | None) -> dict[str, Any]:
    """What is told of a round's votes, where there were any."""
    if votes is None:
        return {}
    return {"voted": sorted(one.name for one in votes.voted), "against": sorted(one.name for one in votes.against)}


def votes_of(known: Mapping[str, Any]) -> Votes | None:
    """A round's votes, from what was told of them."""
    if "voted" not in known:
        return None
    return Votes(frozenset(map(site, known["voted"])), frozenset(map(site, known["against"])))
