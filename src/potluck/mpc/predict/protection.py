"""Private prediction under `share`: model and rows meet as secret shares at two or three parties, and open to nobody.

Reference: among three ABY3's replicated shares and comparisons (Mohassel, Rindal, ABY3, CCS 2018), between two those of
Cheetah (Huang and others, USENIX Security 2022), by the engine `mpc`; all in whole numbers (`predict.scale`,
`engines.spu.layers`): a margin's error is bounded by the model's shape and norms.

It is for parties that follow the protocol: any two who compute together read model, rows and scores, and one that
departs can change a score. It does NOT hide what scores tell of the model, nor how many rows there are.
"""

from dataclasses import dataclass, field

from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.predicting import Meeting, Net, Predict, Scored
from potluck.core.rounds import Credentials, Half
from potluck.core.stages import Floats
from potluck.mpc.coordination import Place
from potluck.mpc.engine import Engine
from potluck.mpc.predict import client, compute, owner, server
from potluck.mpc.predict.check import check, problems, traffic, warnings
from potluck.mpc.predict.views import views
from potluck.mpc.spu import AMONG

__all__ = ["Predicting", "build", "check", "problems", "traffic", "views", "warnings"]


@dataclass(slots=True, eq=False)
class Predicting(Predict):
    """`core.predicting.Predict` on shares. Each compute party of this process has an engine of its own."""

    ranks: tuple[Party, ...]
    patience: float = 30.0
    engines: dict[Party, Engine] = field(default_factory=dict, repr=False)

    def helpers(self) -> tuple[Party, ...]:
        """The compute parties, by rank."""
        return self.ranks

    def query(self, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
        """The client's half. features [n, inputs], each within [-1, 1]; 1 <= n <= meeting.rows.

        Reveals: two of three parts of its rows, or one of two, to each compute party, which say nothing; to them and
        the owner, how many rows; to the client, their scores, the network's shape and its norms.
        """
        return client.query(self.ranks, meeting, me, features)

    def respond(self, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
        """The owner's half. Reveals: two of three parts of its weights, or one of two, to each compute party; shape
        and norms to all but the server. Raises PlanError: weights that numbers of 64 bits do not carry."""
        return owner.respond(self.ranks, meeting, me, net)

    def relay(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """The server's half: it hears when the compute parties are done."""
        return server.relay(self.ranks, meeting, me)

    def assist(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """A compute party's half. Reveals: to the compute parties, whether rows and weights keep their bounds."""
        engine = self.engines.get(me.party)
        if engine is None:
            engine = self.engines[me.party] = Engine(self.patience, protocol=AMONG[len(self.ranks)])
            engine.warm()
        return compute.assist(Place(self.ranks, me.party, engine), meeting, me)

    def close(self) -> None:
        """End the engines of this process."""
        for engine in self.engines.values():
            engine.close()


def build(plan: Plan) -> Predicting:
    """The protection for a plan that `check` finds nothing wrong with."""
    return Predicting(plan.compute, plan.federation.patience)
