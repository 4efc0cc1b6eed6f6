"""Private prediction in an attested enclave: the model and the rows meet there, and nowhere else.

Owner and client verify the server's enclave, each under its own policy, and seal to it; the enclave scores in float64
as plain scoring does, and seals the scores to the client. The host carries ciphertexts. It does NOT hide anything from
who opens the machine or breaks the vendor's key, nor what scores tell of the model; a simulated enclave hides nothing,
nor does one that a TPM speaks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.predicting import Meeting, Net, Scored
from potluck.core.rounds import Credentials, Half
from potluck.core.stages import Floats
from potluck.tee import predict_site
from potluck.tee.demand import Demand, judge_of
from potluck.tee.enclave.host import program
from potluck.tee.predict_server import Scoring, relay_through
from potluck.tee.predict_site import SCORED
from potluck.tee.predict_views import views
from potluck.tee.site import Judge

__all__ = ["SCORED", "Predicting", "build", "problems", "traffic", "views"]

LETTER = 240 << 20
"""Bytes of a parcel: what a mailbox takes of one letter, less what seals it."""
NUMBERS = 1 << 27
"""Numbers in one layer of all rows: the enclave holds a few such tables."""
EVIDENCE = 16 << 10
"""Bytes of an enclave's evidence with keys and endorsements, about, where it is real hardware's."""


@dataclass(slots=True, eq=False)
class Predicting:
    """`core.predicting.Predict` in an enclave.

    judge: what a site judges evidence with; command: how the host starts its enclave, by default here and simulated.
    """

    judge: Judge
    command: Sequence[str] | None = None
    _enclave: Scoring | None = field(default=None, repr=False)

    def helpers(self) -> tuple[Party, ...]:
        """None."""
        return ()

    def query(self, meeting: Meeting, me: Credentials, features: Floats) -> Half[Scored]:
        """The client's half. features [n, inputs], each within [-1, 1]; 1 <= n <= meeting.rows.

        Reveals: its rows, to the enclave that this site's policy allows; to owner and server, how many they are.
        """
        return predict_site.query(self.judge, meeting, me, features)

    def respond(self, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
        """The owner's half. Reveals: its model, to the enclave that this site's policy allows, for the rows of one
        parcel."""
        return predict_site.respond(self.judge, meeting, me, net)

    def relay(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """The server's half. Reveals: sizes, and how many rows are scored."""
        if self._enclave is None:
            self._enclave = Scoring(self.command)
        return relay_through(self._enclave, meeting, me)

    def assist(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """Nobody assists."""
        yield from ()

    def close(self) -> None:
        """End the enclave; its keys are gone."""
        if self._enclave is not None:
            self._enclave.close()


def build(plan: Plan, demand: Demand | None = None) -> Predicting:
    """The protection for a plan that `check` finds nothing wrong with; its enclave starts when the server relays.

    demand: as `sum.build`. Raises Refused: it will never believe what the plan names.
    """
    word = plan.protect.enclave
    return Predicting(judge_of(word, demand), program(word))


def traffic(widths: Sequence[int], rows: int) -> tuple[int, int, int]:
    """Bytes of (keys and evidence with the model, rows, scores), about. widths: inputs, hidden units, outputs."""
    model = 8 * sum((before + 1) * after for before, after in pairwise(widths))
    return 2 * EVIDENCE + model, 8 * rows * widths[0], 8 * rows * widths[-1]


def problems(widths: Sequence[int], rows: int) -> list[str]:
    """What keeps such a model from being scored; each line says what, then ". hint: " and what to do."""
    model, asked, scores = traffic(widths, rows)
    wrong = []
    if max(asked, scores) > LETTER or rows * max(widths) > NUMBERS:
        most = min(LETTER // (8 * max(widths[0], widths[-1])), NUMBERS // max(widths))
        wrong.append(f"{rows} rows are more than one letter and the enclave take. hint: predict.max_rows = {most}")
    if model > LETTER:
        wrong.append(f"the model has {model >> 20} MB, more than one letter takes. hint: train a smaller network")
    return wrong
