"""Private prediction in an attested enclave: the model and the rows meet there, and nowhere else.

Owner and client verify the server's enclave, each under its own policy, and seal to it; the enclave scores in float64
as plain scoring does, and seals the scores to the client. The host carries ciphertexts. It does NOT hide anything from
who opens the machine or breaks the vendor's key, nor what scores tell of the model; a simulated enclave hides nothing,
nor does one that a TPM speaks for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from potluck.core.plan import Plan, required
from potluck.core.predicting import Columns, Meeting, Net, Predict, Scored, Trees
from potluck.core.rounds import Credentials, Half
from potluck.core.stages import Floats
from potluck.engines.worker import PATIENCE
from potluck.tee.attestation.demand import Demand, judge_of
from potluck.tee.attestation.judge import Judge
from potluck.tee.host import program
from potluck.tee.predict import client, owner, server
from potluck.tee.predict.check import problems, traffic, whole_problems, whole_traffic
from potluck.tee.predict.server import Scoring
from potluck.tee.predict.views import views

__all__ = ["Predicting", "build", "problems", "traffic", "views", "whole_problems", "whole_traffic"]


@dataclass(slots=True, eq=False)
class Predicting(Predict):
    """`core.predicting.Predict` in an enclave.

    judge: what a site judges evidence with; command: how the host starts its enclave, by default here and simulated;
    patience: seconds that it may take for one answer.
    """

    judge: Judge
    command: Sequence[str] | None = None
    _enclave: Scoring | None = field(default=None, repr=False)
    patience: float = PATIENCE

    def query(self, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
        """The client's half. features [n, inputs], each within [-1, 1]; 1 <= n <= meeting.rows.

        Reveals: its rows, to the enclave that this site's policy allows; to owner and server, how many they are.
        """
        return client.query(self.judge, meeting, me, features)

    def respond(self, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
        """The owner's half. Reveals: its model, to the enclave that this site's policy allows, for the rows of one
        parcel."""
        return owner.respond(self.judge, meeting, me, net)

    def query_graph(self, meeting: Meeting, me: Credentials, columns: Columns) -> Half[Scored]:
        """The client's half where the model is a graph. Reveals: as `query`."""
        return client.query_graph(self.judge, meeting, me, columns)

    def respond_graph(self, meeting: Meeting, me: Credentials, graph: bytes) -> Half[None]:
        """The owner's half where the model is a graph. Reveals: as `respond`; to the server, how long its file is."""
        return owner.respond_graph(self.judge, meeting, me, graph)

    def respond_trees(self, meeting: Meeting, me: Credentials, trees: Trees) -> Half[None]:
        """The owner's half where the model is trees. Reveals: as `respond`."""
        return owner.respond_trees(self.judge, meeting, me, trees)

    def relay(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """The server's half. Reveals: sizes, and how many rows are scored."""
        if self._enclave is None:
            self._enclave = Scoring(self.command, self.patience)
        return server.relay(self._enclave, meeting, me)

    def close(self) -> None:
        """End the enclave; its keys are gone."""
        if self._enclave is not None:
            self._enclave.close()


def build(plan: Plan, demand: Demand | None = None) -> Predicting:
    """The protection for a plan that `check` finds nothing wrong with; its enclave starts when the server relays.

    demand: as `tee.sum.protection.build`. Raises Refused: it will never believe what the plan names.
    """
    word, graphs = plan.protect.enclave, required(plan.predict).mode == "graph"
    patience = max(PATIENCE, server.HOPS * plan.federation.patience)
    return Predicting(judge_of(word, demand), program(word, graphs=graphs), patience=patience)
