"""Private prediction under `share`: model and rows meet as secret shares at two or three parties, and open to nobody.

Reference: among three ABY3's replicated shares and comparisons (Mohassel, Rindal, ABY3, CCS 2018), between two those of
Cheetah (Huang and others, USENIX Security 2022), by the engine `mpc`; all in whole numbers (`predict.scale`,
`engines.spu.layers`): a margin's error is bounded by the model's shape and norms.

It is for parties that follow the protocol: any two who compute together read model, rows and scores, and one that
departs can change a score. It does NOT hide what scores tell of the model, nor how many rows there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.predicting import Meeting, Net, Scored
from potluck.core.rounds import Credentials, Half
from potluck.core.stages import Floats
from potluck.mpc.coordination import Place
from potluck.mpc.engine import Engine
from potluck.mpc.predict import compute as predict_compute
from potluck.mpc.predict import ends as predict_ends
from potluck.mpc.predict.ends import SCORED
from potluck.mpc.predict.scale import DEEPEST, WIDEST
from potluck.mpc.predict.views import views
from potluck.mpc.replicated import PARTIES, TWO, width
from potluck.mpc.share.sum import who_computes

__all__ = ["SCORED", "Predicting", "build", "check", "problems", "traffic", "views", "warnings"]

NUMBERS = 1 << 24
"""The most numbers of all rows together, or of their scores: 128 MB in a letter."""
WEIGHTS = 1 << 22
"""The most numbers of a model, which are all compared in secret."""
LETTERS = 28 << 10
"""Bytes of keys, promises and certificates, about."""


@dataclass(slots=True, eq=False)
class Predicting:
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
        return predict_ends.query(self.ranks, meeting, me, features)

    def respond(self, meeting: Meeting, me: Credentials, net: Net) -> Half[None]:
        """The owner's half. Reveals: two of three parts of its weights, or one of two, to each compute party; shape
        and norms to all but the server. Raises PlanError: weights that numbers of 64 bits do not carry."""
        return predict_ends.respond(self.ranks, meeting, me, net)

    def relay(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """The server's half: it hears when the compute parties are done."""
        return predict_ends.relay(self.ranks, meeting, me)

    def assist(self, meeting: Meeting, me: Credentials) -> Half[None]:
        """A compute party's half. Reveals: to the compute parties, whether rows and weights keep their bounds."""
        engine = self.engines.get(me.party)
        if engine is None:
            engine = self.engines[me.party] = Engine(self.patience, count=len(self.ranks))
            engine.warm()
        return predict_compute.assist(Place(self.ranks, me.party, engine), meeting, me)

    def close(self) -> None:
        """End the engines of this process."""
        for engine in self.engines.values():
            engine.close()


def build(plan: Plan) -> Predicting:
    """The protection for a plan that `check` finds nothing wrong with."""
    return Predicting(plan.compute, plan.federation.patience)


def check(plan: Plan) -> list[str]:
    """What of the plan `share` cannot keep; each line says what is wrong, then ". hint: " and what to do."""
    if plan.federation.server == "lying":
        what = "share needs parties that follow the protocol, the coordinator among them"
        return [f'{what}. hint: protect.with = "he", or trust the server: federation.server = "curious"']
    return who_computes(plan, (PARTIES, TWO))


def warnings(plan: Plan) -> Iterator[str]:
    """What to mind of who computes."""
    if len(plan.compute) == TWO:
        yield (
            "protect.compute: two compute parties take up to ten times as long as three (CHEETAH in place of ABY3). "
            "hint: name a third, where there is one"
        )


def problems(widths: Sequence[int], rows: int) -> list[str]:
    """What keeps such a model from being scored; each line says what, then ". hint: " and what to do."""
    wrong = []
    if max(widths) > WIDEST or len(widths) > DEEPEST + 1:
        wrong.append(f"a layer of over {WIDEST} numbers, or over {DEEPEST} layers. hint: train a smaller network")
    if _weights(widths) > WEIGHTS:
        wrong.append(f"{_weights(widths)} weights, share carries {WEIGHTS}. hint: train a smaller network")
    if rows * max(widths) > NUMBERS:
        what = f"{rows} rows are {rows * max(widths)} numbers, share carries {NUMBERS} in a run"
        wrong.append(f"{what}. hint: predict.max_rows = {max(1, NUMBERS // max(widths))}")
    return wrong


def traffic(widths: Sequence[int], rows: int, count: int = PARTIES) -> tuple[int, int, int]:
    """Bytes of (the model and all keys, rows, scores), about, where `count` compute. The part that is no seed travels
    to each who holds it: of three twice.

    What crosses the engines' own link is not in it: see docs/concepts/prediction-share.md.
    """
    word = width(count)
    return LETTERS + word * _weights(widths), word * rows * widths[0], count * word * rows * widths[-1]


def _weights(widths: Sequence[int]) -> int:
    return sum((before + 1) * after for before, after in pairwise(widths))
