"""Votes of sites on the model of a round, and what comes of them: training ends, and an earlier model is kept.

Before a site adds anything at an announced model it says one bit: whether the model's mean loss over its own validation
rows (where the plan has none, its training rows; never its test rows) exceeds the least that it has seen of earlier
models of this run by more than `training.vote.tolerance`. It measures against the best model rather than the last one,
so that a liar who makes the model worse a little each round gets no further than one who does it at once. If at least
half of those who voted are against, nothing is added, and the run's model is the last one that nobody voted against:
the ones since then may have been on their way down. What is announced for the first round is the plan's own and is not
voted on; after the last round there is one more vote, on its model.
What travels, and how sites check it: `tasks.sums.votes`.

It does NOT show harm to fewer than half of the sites, or to rows that no site holds, such as rows with a mark that one
site taught. A site that is started again in the middle of a run remembers no earlier loss, and votes by later ones.
Reference: Andreina et al. 2021, "BaFFLe: Backdoor Detection via Feedback-based Federated Learning", arXiv 2011.02167
(clients judge the global model on their own rows, the server counts).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from potluck.core.asks import Answer, Ask, Kind
from potluck.core.asks import Votes as Said
from potluck.core.plan import Plan, required
from potluck.core.prose import agree
from potluck.core.stages import Floats
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index, batches
from potluck.learning.evaluation import tokens
from potluck.learning.evaluation.validation import row_losses
from potluck.learning.models.fitted import Fitted, training
from potluck.learning.models.losses import MOST_LOSS
from potluck.learning.models.model import Model, model
from potluck.learning.training.method import method_of
from potluck.learning.training.trained import RolledBack, Vote, outvoted_words


class VotedDown(Exception):
    """Training ends here. See `Votes.back`."""


@dataclass(slots=True)
class Votes:
    """The votes so far, as the server counts them. accepted: the last model that nobody voted against, weights [d];
    kept: its round."""

    plan: Plan
    accepted: Floats | None = field(default=None, repr=False)
    kept: int = 0
    cast: list[Vote] = field(default_factory=list)
    back: RolledBack | None = None

    def stood(self, number: int, weights: Floats, answer: Answer) -> Answer:
        """The answer of the sum at these weights, of the model after so many rounds. Raises VotedDown."""
        said = answer.votes
        if said is not None:
            self.cast.append(vote_of(number, said))
            if said.down:
                self.back = RolledBack(self.cast[-1], self.kept)
                raise VotedDown
        if wanted(self.plan) and (self.accepted is None if said is None else not said.against):
            self.accepted, self.kept = weights, number
        return answer

    def fitted(self, warnings: tuple[str, ...] = ()) -> Fitted:
        """What training comes to that was voted down."""
        return Fitted(required(self.accepted), (*warnings, required(self.back).words))


def wanted(plan: Plan) -> bool:
    """Whether sites vote at all."""
    return plan.traits.labelled and plan.training is not None and plan.training.vote is not None


def due(plan: Plan, step: int) -> bool:
    """Whether sites vote on the model that is announced for this step of training: the first of a round, or the last
    of all."""
    return wanted(plan) and step > 0 and step % required(plan.model).sums == 0


def remembers(plan: Plan, ask: Ask) -> bool:
    """Whether sites judge the model that is announced: they vote on it, or it is the first, to compare others with."""
    return wanted(plan) and ask.kind is Kind.TRAIN and (ask.votes or ask.step == 0)


def announced(plan: Plan, ask: Ask) -> Floats:
    """[d] the model's weights among what was announced."""
    weights = np.frombuffer(ask.state, dtype="<f8").astype(np.float64, copy=False)
    if ask.kind is not Kind.TRAIN or ask.step == plan.sums:
        return weights
    return method_of(plan).modelled(plan, weights)


def against(plan: Plan, ask: Ask, rows: Table) -> bool:
    """A site's vote on what is announced. It remembers the loss, by step; False where it has no rows to judge by, or no
    earlier loss to compare with."""
    known = rows.losses
    before = [loss for step, loss in known.items() if step < ask.step]
    found = mean_loss(model(plan, announced(plan, ask)), rows, judges(plan, rows))
    if found is None:
        return False
    known[ask.step] = found
    return bool(before) and found > min(before) + required(training(plan).vote).tolerance


def for_owner(plan: Plan, rows: Table) -> tuple[str, ...]:
    """What a run with votes came to, for the screen and log of the owner of these rows: who was against models, as far
    as this process heard, and how the loss of the owner's own rows went."""
    if not rows.votes:
        return ()
    each = required(plan.model).sums
    votes = [vote_of(step // each, said) for step, said in sorted(rows.votes.items())]
    down = [f"{', '.join(one.against)} voted down that of round {one.round}" for one in votes if one.down]
    said = "; ".join(filter(None, [outvoted_words(votes), *down])) or "nobody was against a model"
    found = [f"in {len(votes)} {agree(len(votes), 'vote', 'votes')} {said}"]
    if rows.losses:
        losses = [loss for _, loss in sorted(rows.losses.items())]
        ends = f"{losses[0]:.3f} at first, {losses[-1]:.3f} at last, {min(losses):.3f} at best"
        found.append(f"the models' mean loss over rows of yours: {ends}")
    return tuple(found)


def vote_of(number: int, said: Said) -> Vote:
    """Of the model after so many rounds."""
    return Vote(number, tuple(sorted(one.name for one in said.against)), len(said.voted))


def judges(plan: Plan, rows: Table) -> Index:
    """The rows by which a site votes."""
    split = plan.data.split
    looks = split is not None and split.validation is not None
    return np.flatnonzero(rows.validation if looks else rows.train)


def mean_loss(found: Model, rows: Table, index: Index) -> float | None:
    """The model's mean loss over these rows: the log-loss, of next tokens by token, or half the squared error on the
    target's scale of [-1, 1]. A row counts for at most MOST_LOSS. None: there are no rows."""
    total = count = 0.0
    for some in batches(index, rows.features.shape[1] + 1):
        losses, many = _losses(found, rows, some)
        total, count = total + float(losses.sum()), count + many
    return total / count if count else None


def _losses(found: Model, rows: Table, some: Index) -> tuple[Floats, float]:
    if not found.target.apart:
        each = tokens.told(found, rows, some)
        return each[:, 1], float(each[:, 0].sum())
    margins, target = found.margins(rows.inputs[some]), rows.target[some]
    if found.target.side != "number":
        return row_losses(found, margins, target), float(len(some))
    off = np.nan_to_num(margins[:, 0]) - target
    return np.minimum(off**2 / 2, MOST_LOSS), float(len(some))


def check(plan: Plan) -> Iterator[str]:
    """What votes need. Lines as `check` makes them."""
    spec = plan.training
    if spec is None or spec.vote is None:
        return
    if plan.noisy:
        what = "each vote tells of a site's rows, and the plan's epsilon does not pay for it"
        yield f'training.vote: {what}. hint: leave it out with noise, or privacy.noise = "none"'
    if plan.model is not None and plan.model.local:
        what = "nobody holds a whole model to vote on, since some weights stay at the sites"
        yield f"training.vote: {what}. hint: leave out training.vote or model.local"


def pauses(plan: Plan) -> Iterator[str]:
    """What of it runs, but should give pause."""
    spec, sites = plan.training, len(plan.federation.sites)
    if spec is None or spec.vote is None:
        return
    if sites == 2:
        what = "of two sites one is half, so that either can end the training alone"
        yield f"training.vote: {what}. hint: more sites"
    elif 2 * plan.federation.corrupt >= sites - plan.federation.dropouts:
        what = f"{plan.federation.corrupt} sites that lie may be half of those who vote, and decide alone"
        yield f"training.vote: {what}. hint: more sites, or fewer federation.dropouts"


def told(plan: Plan) -> str:
    """What a site's votes tell of its rows, in words, of a plan with votes."""
    split, tolerance = plan.data.split, required(training(plan).vote).tolerance
    rows = "validation" if split is not None and split.validation is not None else "training"
    return (
        f"one bit in the clear: whether the model's mean loss over the site's {rows} rows exceeds the least that the "
        f"site has seen in the run by more than {tolerance:g}"
    )
