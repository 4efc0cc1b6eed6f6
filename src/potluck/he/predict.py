"""Private prediction under CKKS: the client's rows are encrypted, the owner scores them unseen, the server carries.

(Being built: the signatures below stand, the bodies follow.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from potluck.core.party import Party
from potluck.core.predicting import Meeting, Net, Scored
from potluck.core.rounds import Rounds, Seat
from potluck.core.stages import Floats
from potluck.core.views import View
from potluck.he.circuit import Forecast, Outline

if TYPE_CHECKING:
    from potluck.engines.worker import Worker

SCORED = "scored/"
"""Prefix of the owner's `Record`, written with the letter that carries the scores: key "scored/<run>/<number>",
value: how many rows, in decimal ASCII."""


class Predicting:
    """`core.predicting.Predict` under CKKS. Each party has an engine of its own, started when it is first needed.

    workers: engines to use instead (tests). Close it when the run ends: keys and models are gone then.
    """

    def __init__(self, workers: Mapping[Party, Worker] | None = None) -> None:
        raise NotImplementedError

    def query(self, meeting: Meeting, me: Seat, features: Floats) -> Rounds[Scored]:
        """The client's half. features [n, inputs], each within the owner's `low` and `high`; 1 <= n <= meeting.rows."""
        raise NotImplementedError

    def respond(self, meeting: Meeting, me: Seat, net: Net) -> Rounds[None]:
        """The owner's half. Raises PlanError: a model that no parameter set carries (weights, depth, size)."""
        raise NotImplementedError

    def relay(self, meeting: Meeting, me: Seat) -> Rounds[None]:
        """The server's half."""
        raise NotImplementedError

    def close(self) -> None:
        """End the engines."""
        raise NotImplementedError


def problems(outline: Outline) -> list[str]:
    """What keeps such a model from being scored under CKKS; each line "what. hint: what to do". No keys, no engine."""
    raise NotImplementedError


def forecast(outline: Outline) -> Forecast:
    """What a run will use and send: needs no keys and no engine. Raises PlanError: see `problems`."""
    raise NotImplementedError


def views(owner: Party, client: Party, rows: int) -> list[View]:
    """Who sees what: client of "the model", owner and server of "<client>'s rows" and "<client>'s scores", and so on.

    rows: [predict] max_rows.
    """
    raise NotImplementedError
