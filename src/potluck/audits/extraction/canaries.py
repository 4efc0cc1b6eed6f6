"""Canary extraction: whether a released model gives away secret rows that it was trained on, more than epsilon allows.

A few secret rows are all that a made-up federation has. The plan's own loop over sums trains a model on them, noise and
all, with no protocol between the sites, which hides nothing of what is released. Whoever has the model, and nothing
else, ranks every secret by its loss among thousands of others that are like it (`exposure`). The control is the same
without noise: where it gives nothing away either, this says nothing of the plan.
It is weaker than `paired`, which sees every sum. What it says is what a reader of the model can do.
References: Carlini et al. 2019, arXiv 1802.08232; Thakkar et al. 2020, arXiv 2006.07490 (language models that are
trained by a federation).
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

import msgspec
import numpy as np

from potluck.audits.attack import Over
from potluck.audits.control import bare
from potluck.audits.extraction.exposure import Exposed, chance, place
from potluck.audits.extraction.secrets import Secrets, secrets
from potluck.audits.promises.promise import SAID, SURE, WRONG, Bound, Check, Effort, Finding, verdict
from potluck.audits.promises.scene import Scene
from potluck.core.asks import Ask, Kind
from potluck.core.errors import PotluckError
from potluck.core.party import Draw, Party
from potluck.core.plan import Plan, digest, required
from potluck.core.rounds import Abort, Words
from potluck.core.seeded import Generator, generator
from potluck.core.stages import Floats
from potluck.dp.calibration import target
from potluck.dp.mechanism import Bound as Bounded
from potluck.drivers.memory import Memory
from potluck.learning.data.encode import encoding, worded
from potluck.learning.data.units import Index
from potluck.learning.evaluation.validation import row_losses
from potluck.learning.loops import TrainTask
from potluck.learning.models.graphs import follow, patterned
from potluck.learning.models.model import Model
from potluck.tasks.sums.together import added, by_hand

F = TypeVar("F", bound=Finding)
NAME = "extraction"
FEWEST, RUNS, EXACT_RUNS = 4, 10, 2
"""Secrets of a run, at least; runs with noise, at most; and without."""
ROUNDS = 200
"""Of the control, at most."""
SHORTER = 1 / 16
"""Of the plan's rate, where the control's steps lead out of range."""
LEAST = 48
"""Rows that a plan's columns have to allow, for a secret to be one of them."""
FROM = "secrets are made-up rows, each number at an end of its range and each category one of its values"
SOME = 4_096
"""Rows that a model looks at together."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of the model that a plan with noise releases."""
    if why := _why_not(scene):
        yield Check(NAME, None, why)
        return
    effort.tell("secrets in the released model")
    yield from _or_why_not(_noised(scene, effort))


def without_noise(plan: Plan, seed: int, effort: Effort) -> Iterator[Check]:
    """Of texts, which have no noise in this version: how much of a secret text the plan's model gives away. Nothing of
    other plans, whose sums give rows away sooner than their models do."""
    if plan.traits.trains and not patterned(plan) and worded(encoding(plan)):
        effort.tell("secrets in the released model")
        yield from _or_why_not(_of_texts(plan, seed, effort))


def _or_why_not(found: Iterator[F]) -> Iterator[F | Check]:
    """The same, or why no model came of made-up rows."""
    try:
        yield from found
    except Over:
        yield Check(NAME, None, "no run of the plan's rounds was over in the time")
    except (Abort, PotluckError) as error:
        said = error.what if isinstance(error, PotluckError) else error
        yield Check(NAME, None, f"training on made-up rows ended: {said}")


def _noised(scene: Scene, effort: Effort) -> Iterator[Finding]:
    plan, rng = scene.plan, scene.public(NAME)
    some = secrets(plan, rng)
    if some.many < LEAST:
        yield Check(NAME, None, f"{FROM}: that makes {some.many}, too few to hide one of them among ({LEAST} at least)")
        return
    exact = _exact(plan, some, scene.draw, rng, replace(effort.part(4), trials=EXACT_RUNS))
    if not exact.told:
        yield Check(NAME, None, f"does not work here: {_gives(exact)}, without any noise")
        return
    found = exposed(plan, some, scene.draw, rng, replace(effort, trials=min(RUNS, effort.trials)))
    claimed, delta = target(plan, Kind.TRAIN)
    lower = found.epsilon(delta, effort.level)
    held = verdict(lower <= claimed, lower)
    words = (
        f"claimed epsilon {claimed:g}; of {sum(map(len, found.ranks))} secret rows in {len(found.ranks)} released "
        f"models {found.among(1):.0%} came first among {found.many:,} like them: {_gives(found)}, and without noise "
        f"{exact.bits:.1f}; which proves {f'at least {lower:.3g} ({SURE}){SAID[held]}' if lower else 'no epsilon'}"
    )
    yield Bound(NAME, claimed, lower, 1 - WRONG, held, words)


def _of_texts(plan: Plan, seed: int, effort: Effort) -> Iterator[Check]:
    rng = generator(seed, "audit", NAME)
    training = msgspec.structs.replace(required(plan.training), evaluate_every=None, stop=None)
    quiet = msgspec.structs.replace(plan, training=training)
    follow(quiet)
    found = exposed(quiet, secrets(plan, rng), rng.bytes, rng, replace(effort, trials=EXACT_RUNS))
    words = f"of texts nothing is promised: {_gives(found)}, by its loss, where it was trained on few others"
    yield Check(NAME, None, words, chance(found.many), found.bits)


def _exact(plan: Plan, some: Secrets, draw: Draw, rng: Generator, effort: Effort) -> Exposed:
    """Of the plan without noise, trained as long as it says, within bounds; in shorter steps, where its own are too
    long for so few rows."""
    spec, said = bare(plan), required(plan.training)
    steps = msgspec.structs.replace(required(spec.training), rounds=min(ROUNDS, said.rounds))
    try:
        return exposed(msgspec.structs.replace(spec, training=steps), some, draw, rng, effort)
    except Abort:
        shorter = msgspec.structs.replace(steps, rate=SHORTER * steps.rate)
        return exposed(msgspec.structs.replace(spec, training=shorter), some, draw, rng, effort)


def _why_not(scene: Scene) -> str:
    plan = scene.plan
    if not plan.traits.trains:
        return "no model is trained that could say what it was trained on"
    if patterned(plan):
        return scene.why
    if plan.privacy.unit == "site":
        return "a whole site is hidden, and a secret row is a small part of one: pairs say more"
    if scene.kinds[Kind.TRAIN][-1].inside.within:
        return "an enclave adds the noise, and that is not looked at yet"
    return ""


def _gives(found: Exposed) -> str:
    bits, guess = math.log2(found.many), chance(found.many)
    return f"the model gives away {found.bits:.1f} bits of a secret's {bits:.1f}, where a guess gives {guess:.1f}"


def exposed(plan: Plan, some: Secrets, draw: Draw, rng: Generator, effort: Effort) -> Exposed:
    """What models give away that were trained on a few of the secrets: as many runs as the effort allows. draw: of
    noise and coins. Raises Over: it allows none; Abort, PotluckError: the plan cannot be trained on them."""
    ranks, count = list[list[int]](), max(FEWEST, len(plan.federation.sites))
    while len(ranks) < effort.trials:
        inside = np.sort(rng.permutation(some.many)[:count])
        target = some.targets(count)
        try:
            trained = released(plan, some, inside, target, draw, effort)
        except Over:
            if not ranks:
                raise
            break
        losses = _losses(trained, some, target)
        others = np.delete(np.arange(some.many), inside)
        ranks.append([place(losses[i][one], losses[i][others], rng) for i, one in enumerate(inside)])
    return Exposed(ranks, some.many - count + 1)


def released(plan: Plan, some: Secrets, inside: Index, target: Floats, draw: Draw, effort: Effort) -> Model:
    """The model that the plan's sites and server train on these secrets, dealt out to the sites by turns. Raises Over
    as soon as the time is up."""
    sites, person = plan.federation.sites, plan.data.person is not None
    rows = {
        party: some.table(party.name, inside[place :: len(sites)], target[place :: len(sites)], person)
        for place, party in enumerate(plan.sites)
    }

    def joined(ask: Ask, bound: Bounded, given: Iterable[tuple[Party, Words]]) -> Words:
        if effort.over:
            raise Over
        return added(ask, bound, given)

    task, memory = TrainTask(plan, evaluated=False), Memory(plan.sites, digest(plan), draw=draw)
    return by_hand(plan, task, rows, memory, joined).model


def _losses(model: Model, some: Secrets, targets: Floats) -> Floats:
    """[k, m] the loss that a model has of each secret, with each of k targets."""
    if not some.goal.apart:
        found = model.scored_features(some.inputs)
        return np.broadcast_to(found, (len(targets), len(found)))
    parts = [model.margins(some.inputs[start : start + SOME]) for start in range(0, some.many, SOME)]
    margins = np.concatenate(parts)
    if some.goal.side == "number":
        return np.abs(margins[:, 0][None] - targets[:, None])
    each = [row_losses(model, margins, np.repeat(one[None], len(margins), axis=0)) for one in targets]
    return np.array(each)
