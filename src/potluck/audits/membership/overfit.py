"""The control of attacks on members: a model of the plan's kind that learns made-up rows by heart.

Their targets follow from nothing, so that whatever the model knows of a row it knows of that row alone. Nothing
protects: besides noise and masks that is a strong ridge, few coefficients and few rounds. So the control's rows have
WIDER columns of numbers more than the plan's, which makes them lie far apart; the ridge is hardly one; and there are
ROUNDS rounds at least. A plan that takes its model from a file (a graph, or an earlier run's) keeps that model's
columns.

It shows that the attack finds members where a model has learnt them. It does NOT show that the plan's own model, of
fewer coefficients or under its ridge, would learn them: that an attack fails there may be because it did not.
"""

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from potluck.audits.attack import Scene, Until
from potluck.audits.control import bare, lines_of, scene_of
from potluck.audits.membership.candidates import candidates
from potluck.audits.seen import Seen
from potluck.core.errors import PotluckError
from potluck.core.plan import Column, Plan, required
from potluck.core.rounds import Abort
from potluck.core.tables.training import Split
from potluck.learning.models.fitted import training
from potluck.learning.training.methods import method_of

WIDER = 100
"""Columns of numbers more."""
TRAIN, OTHERS = 36, 100
"""Rows that train, on average, and others: fewer than half as many as there are columns, so that they are learnt."""
ROUNDS, MOST_ROUNDS = 30, 200
RIDGE = 0.01
LEVEL = 1e-3
"""Of so few rows less is asked for: where nothing protects, chance alone passes for success once in 1,000 runs."""


def scenes(seen: Seen, until: Until) -> Sequence[Scene]:
    """One such run, as its server saw it, the same for all attacks; none where it does not train. Raises
    Over: not in time, and whoever has more may try again."""
    asked = required(seen.candidates)
    if asked.controls is None:
        try:
            asked.controls = [_made(seen.plan, until)]
        except (Abort, PotluckError):
            asked.controls = []
    return asked.controls


def _made(plan: Plan, until: Until) -> Scene:
    spec, share = _learning(bare(plan), plan), OTHERS / (OTHERS + TRAIN)
    split = Split(test=share, seed=int(until.rng.integers(1 << 31)))
    made = msgspec.structs.replace(spec, data=msgspec.structs.replace(spec.data, split=split))
    rows = min(spec.data.max_rows, -(-(OTHERS + TRAIN) // len(spec.federation.sites)))
    seen, truth = scene_of(made, lines_of(made, rows, until.rng), until.before)
    return replace(seen, candidates=replace(required(candidates(made, truth, seen.names)), level=LEVEL)), truth


def _learning(spec: Plan, plan: Plan) -> Plan:
    """The bare plan with a model that learns its rows by heart. plan: as it was, with all its rounds."""
    columns = dict(spec.data.columns)
    if not plan.sent:
        columns |= {f"made up {number}": Column(kind="number", low=-1.0, high=1.0) for number in range(WIDER)}
    rounds = min(MOST_ROUNDS, training(plan).rounds)
    if method_of(plan).steps or method_of(plan).boosts:
        rounds = max(ROUNDS, rounds)
    model = required(spec.model)
    return msgspec.structs.replace(
        spec,
        data=msgspec.structs.replace(spec.data, columns=columns),
        model=msgspec.structs.replace(model, l2=min(RIDGE, model.l2)),
        training=msgspec.structs.replace(training(spec), rounds=rounds),
    )
