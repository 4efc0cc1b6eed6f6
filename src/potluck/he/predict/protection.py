"""Private prediction under CKKS: the client's rows are encrypted, the owner scores them unseen, the server carries.

Reference: Cheon, Kim, Kim, Song, ASIACRYPT 2017 (eprint 2016/421); `circuit` says what is computed, `margins` how far
it can be off. Every letter is sealed to keys of the round and signed by long-term keys.

Owner and client are trusted to follow the protocol. Replies are re-randomised, not circuit-private; a lying owner can
answer anything; a client that packs its ciphertexts or makes its keys otherwise than told reads more numbers a row than
its scores. The server may do anything, and can only keep letters back.
"""

from collections.abc import Mapping

from potluck.core.party import Party
from potluck.core.predicting import Meeting, Net, Predict, Scored
from potluck.core.rounds import Credentials, Half
from potluck.core.stages import Floats
from potluck.engines.worker import Worker
from potluck.he.predict import client, owner, server
from potluck.he.predict.circuit import Forecast, Outline, forecast, problems
from potluck.he.predict.views import views

__all__ = ["Forecast", "Outline", "Predicting", "forecast", "problems", "views"]


class Predicting(Predict):
    """`core.predicting.Predict` under CKKS. Each party has an engine of its own, started when it is first needed.

    workers: engines to use instead (tests). Close it when the run ends: keys and models are gone then.
    """

    def __init__(self, workers: Mapping[Party, Worker] | None = None) -> None:
        self._workers: dict[Party, Worker] = dict(workers or {})

    def query(self, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
        """The client's half. features [n, inputs], each within the owner's `low` and `high`; 1 <= n <= meeting.rows.

        Reveals: to the owner and the server, how many rows; to the client, their scores and the network's shape.
        """
        return client.query(self._engine(me.party), meeting, me, features)

    def respond(self, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
        """The owner's half. Raises PlanError: a model that no parameter set carries (weights, depth, size)."""
        return owner.respond(self._engine(me.party), meeting, me, net)

    def relay(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """The server's half. Reveals: sizes, and for how many rows the client asks."""
        return server.relay(meeting, me)

    def close(self) -> None:
        """End the engines."""
        for worker in self._workers.values():
            worker.close()

    def _engine(self, party: Party) -> Worker:
        if party not in self._workers:
            self._workers[party] = Worker("he")
        return self._workers[party]
