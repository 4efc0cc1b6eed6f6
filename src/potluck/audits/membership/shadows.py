"""Models that an attacker trains by itself, as the run's was, each on some of the candidates: what chance alone does.

All of the plan holds of them too: method, rounds, bounds, noise (`simulation`). In each eight of them every candidate
is in as many as the plan's share of rows that train, to an eighth, so that each has models with it and without it.
Sites whose rows are not here are not in them.
Reference: Carlini et al. 2022, arXiv 2112.03570; all candidates at once, each in half: section IV-A.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from potluck.audits.attack import Over, Until
from potluck.audits.membership.scored import Short
from potluck.audits.membership.signals import surer
from potluck.audits.seen import Candidates, Mask, Seen, Shadow
from potluck.core.asks import Kind
from potluck.core.errors import PotluckError
from potluck.core.plan import Plan, required
from potluck.core.rounds import Abort
from potluck.core.seeded import Generator, generator
from potluck.learning.models.fitted import training
from potluck.learning.models.model import Model, model
from potluck.learning.training.drawn import band
from potluck.learning.voting import announced
from potluck.simulation.rounds import peopled, simulate
from potluck.simulation.wanted import Wanted
from potluck.simulation.ways import Cohorts

BLOCK = 8
LEAST, MOST = 2 * BLOCK, 4 * BLOCK
"""Models: fewer say too little of how what is said of a row varies."""


def unasked(seen: Seen) -> str | None:
    """Why members cannot be told from others by a model here. None: they can be."""
    why = strangers(seen)
    return "no trained model was announced" if why is None and released(seen) is None else why


def strangers(seen: Seen) -> str | None:
    """Why there is nobody to ask about. None: there is."""
    plan = seen.plan
    if plan.model is not None and plan.model.local:
        return "a part of the model stays at each site"
    if seen.candidates is None:
        what = "no rows are here of which a hash held some out, to ask which trained"
        split = plan.data.split
        hashed = split is not None and (split.test or split.validation)
        return f"{what}: {'--data says where rows lie' if hashed else 'the plan has no data.split.test'}"
    return None


def obstacle(seen: Seen) -> str | None:
    """Why none can be trained. None: they can."""
    spec = training(seen.plan)
    if spec.aggregation != "mean" or band(seen.plan) is not None:
        return "models like this one are trained by plain sums alone, without training.aggregation and training.band"
    return None


def grown(seen: Seen, until: Until) -> Sequence[Shadow]:
    """Those of these candidates, in whole blocks: as many as there is time for, at most MOST."""
    asked, made = required(seen.candidates), required(seen.candidates).shadows
    if asked.seed is None:
        asked.seed = int(until.rng.integers(1 << 62))
    while len(made) < MOST and not until.over:
        block, place = divmod(len(made), BLOCK)
        inside = _insides(asked, generator(asked.seed, "shadows", block))[place]
        try:
            made.append(_trained(seen, inside, generator(asked.seed, "shadow", len(made)), until))
        except (Over, Abort, PotluckError):  # or a draw of rows with which this plan does not train
            break
    return made[: len(made) // BLOCK * BLOCK]


def short(asked: Candidates, shadows: Sequence[Shadow]) -> Short:
    """There was no time for enough of them."""
    what = f"it trained {len(shadows)} models of the {LEAST} that it takes at least"
    return Short(asked.of, f"{what}, or this plan does not train on a part of these rows")


def released(seen: Seen) -> Model | None:
    """The last model that was announced to the coalition, if it was ever trained."""
    last = seen.last
    if last is None or not seen.plan.traits.learns or (last.kind is Kind.TRAIN and last.step == 0):
        return None
    return model(seen.plan, announced(seen.plan, last))


def _insides(asked: Candidates, rng: Generator) -> list[Mask]:
    """A block of them: the candidates [n] of each."""
    units, many = int(asked.unit.max()) + 1, min(BLOCK - 1, max(1, round(asked.share * BLOCK)))
    order = rng.permuted(np.tile(np.arange(BLOCK), (units, 1)), axis=1)
    return [(order[:, place] < many)[asked.unit] for place in range(BLOCK)]


def _trained(seen: Seen, inside: Mask, rng: Generator, until: Until) -> Shadow:
    asked = required(seen.candidates)
    chosen = np.append(inside, np.ones(asked.rows.rows - asked.count, np.bool_))
    homes = asked.pool.sites
    clients = [np.flatnonzero(chosen & (homes == home)) for home in range(int(homes.max()) + 1)]
    clients = [one for one in clients if len(one)]
    plan = peopled(_ending(seen), len(clients))
    cohorts = Cohorts(plan, asked.pool, clients)
    found = simulate(cohorts, Wanted(seed=int(rng.integers(1 << 62))), until.before, here=True)
    return Shadow(inside, surer(found.trained.model, asked.rows)[: asked.count])


def _ending(seen: Seen) -> Plan:
    """The plan without looks and votes, and with as many rounds as the run had."""
    spec, last = training(seen.plan), seen.last
    rounds = spec.rounds
    if (spec.stop is not None or spec.vote is not None) and last is not None:
        rounds = min(rounds, max((one.ask.step + 1 for one in seen.training()), default=rounds))
    spec = msgspec.structs.replace(spec, rounds=rounds, stop=None, evaluate_every=None, vote=None)
    return msgspec.structs.replace(seen.plan, training=spec)
