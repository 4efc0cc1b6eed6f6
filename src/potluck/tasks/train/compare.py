"""What no owner could do alone: each site on its own, everybody pooled, federated without noise; all on the same rows.

Exact values, for a demonstration or a rehearsal where one process holds all rows: not private, and printed as such.
"""

from collections.abc import Mapping

import msgspec

from potluck.core.errors import DataError
from potluck.core.party import Party
from potluck.core.plan import Plan as Spec
from potluck.core.plan import digest, required
from potluck.core.rounds import Abort
from potluck.drivers.memory import Memory
from potluck.learning.data.table import Table
from potluck.learning.evaluation.evaluate import Metrics, exact
from potluck.learning.loops import TrainTask
from potluck.learning.models.kinds import kind_of
from potluck.learning.models.model import Model
from potluck.learning.training.methods import METHODS
from potluck.learning.training.trained import Trained
from potluck.tasks.here import Outcome
from potluck.tasks.sources import without_noise
from potluck.tasks.sums.together import by_hand
from potluck.tasks.trained import Comparison


def compared(spec: Spec, tables: Mapping[Party, Table], outcome: Outcome) -> Comparison | None:
    """Compare the outcome's model with what each could have had otherwise; None: it is no model by itself, since some
    of its weights stay at the sites."""
    assert isinstance(outcome, Trained)
    if required(spec.model).local:
        return None
    plain = without_noise(spec)
    every = list(tables.values())
    memory = Memory(spec.sites, digest(spec))

    def fitted(plan: Spec, chosen: Mapping[Party, Table]) -> Model | None:
        try:
            return by_hand(plan, TrainTask(plan, evaluated=False), chosen, memory).model
        except (DataError, Abort):
            return None

    def judged(model: Model | None, held: list[Table]) -> Metrics | None:
        return exact(model, held) if model else None

    best = _converged(plain)
    alone = {site: fitted(best, {site: table}) for site, table in tables.items()}
    return Comparison(
        federated=exact(outcome.model, every),
        by_site={str(site): exact(outcome.model, [table]) for site, table in tables.items()},
        no_noise=judged(fitted(plain, tables) if spec.noisy else outcome.model, every),
        alone={str(site): judged(model, every) for site, model in alone.items()},
        alone_at_home={str(site): judged(model, [tables[site]]) for site, model in alone.items()},
        pooled=judged(fitted(best, tables), every),
    )


def _converged(plan: Spec) -> Spec:
    """The plan as somebody with all its rows at hand would run it: to convergence, where the method may matter and
    another has the same objective."""
    training = required(plan.training)
    if kind_of(plan).link is None or training.class_weights:
        return plan
    method, rounds = next((word, one.settled) for word, one in METHODS.entries.items() if one.settled)
    training = msgspec.structs.replace(training, method=method, rounds=rounds, evaluate_every=None, stop=None)
    return msgspec.structs.replace(plan, training=training)
