"""What sites do by themselves in a round of `average`, beyond plain steps, and what of it stays there until the next.

SCAFFOLD, option II: next to the model w the server announces a control variate c, the mean gradient of all sites'
steps, and each site i keeps c_i, that of its own. A step goes down its gradient - c_i + c. After K steps at the rate
eta from w to y_i, c_i becomes c_i - c + (w - y_i) / (K eta), and the site adds its changes of both, by rows: so
w += sum_i n_i (y_i - w) / n, c += sum_i n_i (change of c_i) / n, and c is the mean of the c_i by rows. The paper
weighs sites alike, which is the same where they have equally many rows; by rows the point at which nothing moves is the
fit of all rows. n is of the first sum, in c's step also where a later one has fewer sites (under `clear`: one that is
lost takes part no more): as in the paper such a site keeps its c_i, and c stays the mean that it is part of.

Ditto: the common model is that of plain steps. Each site also keeps a model v_i of its own, which takes the same
batches down its gradient + mu (v_i - w). Weights that stay at a site (`model.local`) train with the rest, begin where
they ended in the round before, and are no part of the sum; the site's own model is what its last steps came to.

With noise the sum is bounded and noised as ever, and what stays is exact. Ditto's v_i is no part of what leaves: the
common model's steps do not read it. So it costs nothing for as long as it stays; whoever publishes it, or what it says,
tells of rows what no epsilon counts. Weights that stay (`model.local`) are in every gradient of those that leave. Where
a unit is a site, whose whole change is clipped whatever it follows from, that is no matter. Where it is a row or a
person they move along the same noised sums as what leaves (`own_steps`), so that what they say of rows is charged.
Control variates are bounded as no one unit's part, and go without noise alone.
References: Karimireddy et al. 2020, arXiv 1910.06378, algorithm 1; Li et al. 2021, arXiv 2012.04221, algorithm 1;
Arivazhagan et al. 2019, arXiv 1912.00818 (weights that stay).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats
from potluck.learning.kept import Kept
from potluck.learning.models.fitted import training
from potluck.learning.models.form import Form
from potluck.learning.training.drawn import band
from potluck.learning.training.method import WIDEST, TrainingMethod, by_unit

PULLED = ("prox", "ditto")
"""Where `training.mu` holds a site's steps to the round's model."""
BYTES = 8
"""Of a number that is kept."""


def corrects(plan: Plan) -> bool:
    """Whether sites correct their steps by control variates, which are announced and added up beside the model."""
    return plan.training is not None and plan.training.local == "scaffold"


def personal(plan: Plan) -> bool:
    """Whether each site ends with a model of its own."""
    held = plan.model is not None and bool(plan.model.local)
    return held or (plan.training is not None and plan.training.local == "ditto")


def silent(plan: Plan) -> bool:
    """Whether what stays at a site tells of rows what no epsilon counts. Heads that move along noised sums do not."""
    return personal(plan) and plan.noisy and not (by_unit(plan) and training(plan).local != "ditto")


def keeps(plan: Plan) -> bool:
    """Whether sites keep anything from one round to the next."""
    return plan.traits.trains and (corrects(plan) or personal(plan) or band(plan) is not None)


@dataclass(frozen=True, slots=True, eq=False)
class Own:
    """What a site keeps. model [d + h]: its own, empty where it has none; control [d]: c_i, likewise."""

    model: Floats = field(repr=False)
    control: Floats = field(repr=False)

    def vector(self) -> Floats:
        """As it is kept."""
        return np.concatenate([self.model, self.control])


def lengths(plan: Plan, form: Form) -> tuple[int, int]:
    """(of a site's own model, of its control variate)."""
    return personal(plan) * (form.size + form.held), corrects(plan) * form.size


def before(plan: Plan, form: Form, kept: Kept, step: int) -> Own:
    """From what a step begins. Raises Abort(KEPT): `Kept.before`, or it is not of this model."""
    found = kept.before(step)
    if found is None:
        model, control = lengths(plan, form)
        begun = np.concatenate([form.initial(), form.initial_held()]) if model else np.zeros(0)
        return Own(begun, np.zeros(control))
    own = _own(plan, form, found)
    return Own(np.array(own.model), own.control)


def model_of(plan: Plan, form: Form, kept: Kept) -> Floats | None:
    """The site's own model [d + h]; None: it took no step. Raises Abort(KEPT)."""
    found = kept.last()
    return None if found is None else _own(plan, form, found).model


def _own(plan: Plan, form: Form, found: Floats) -> Own:
    """What was kept, as parts of it. Raises Abort(KEPT): it is not of this model."""
    model, control = lengths(plan, form)
    if len(found) != model + control:
        raise Abort(Cause.KEPT, detail="what is kept is of another model")
    return Own(found[:model], found[model:])


def settled(plan: Plan, numbers: Floats) -> Floats:
    """What is kept. With noise what is no model any more is brought back to one: an error would tell of rows.

    Raises Abort(RANGE): without noise it is none, as `method.within` says of the common model."""
    if plan.noisy:
        return np.nan_to_num(np.clip(numbers, -WIDEST, WIDEST))
    if not (np.abs(numbers) <= WIDEST).all():
        what = f"what the site keeps between rounds is beyond {WIDEST:g}, or not finite"
        raise Abort(Cause.RANGE, detail=f"{what}. hint: lower training.rate or training.mu")
    return numbers


def faults(plan: Plan, method: TrainingMethod) -> Iterator[str]:
    """What of a plan does not fit what sites keep. Lines as `check` makes them."""
    spec, model = training(plan), plan.model
    found = {"training.local": f'"{spec.local}"'} if spec.local in ("scaffold", "ditto") else {}
    if model is not None and model.local:
        found["model.local"] = "weights that stay at a site"
        if not method.by_site:
            what = f"{spec.method} adds up gradients of all rows, so that no site trains weights of its own"
            yield f'model.local: {what}. hint: method = "average", or leave it out'
        if not plan.drawn:
            yield "model.local: names weights of a graph, and there is none. hint: leave it out, or model.graph"
        if spec.every is not None:
            what = "validation rows are looked at with the common model, whose own such weights nobody trains"
            yield f"model.local: {what}. hint: leave out training.evaluate_every and training.stop"
    if len(found) == 2 and spec.local == "ditto":
        what = "ditto trains a whole model for each site, heads included"
        yield f'model.local: {what}. hint: leave one of them out; or local = "prox"'
    if spec.local == "scaffold" and method.by_site and spec.steps is None:
        yield "training.steps: scaffold divides by it, the same at every site. hint: steps = 50"
    for key, what in found.items():
        if spec.local == "scaffold" and plan.noisy and method.by_site:
            yield f'{key}: no noise goes with {what}. hint: privacy.noise = "none", or leave it out'
        if spec.aggregation != "mean" and method.by_site:
            yield f'{key}: {what} go with the mean alone. hint: training.aggregation = "mean"'


def pauses(plan: Plan) -> Iterator[str]:
    """What of it runs, but should give pause."""
    if corrects(plan):
        what = "corrected steps do worse than plain ones where rounds are few or batches small"
        yield f'training.local: {what}. hint: compare it with "plain" and "prox" on validation rows'
    if silent(plan):
        key = "training.local" if training(plan).local == "ditto" else "model.local"
        what = "what stays at a site has no noise, and epsilon does not count it"
        yield f"{key}: {what}. hint: an owner who hands on its own model, or its scores of others' rows, tells of rows"
    if plan.model is not None and plan.model.local:
        what = "the model that the coordinator has holds these weights as they began, so that no metrics are told of it"
        yield f"model.local: {what}. hint: each owner scores with the model in its home, which `potluck site run` names"


def words(plan: Plan) -> tuple[str, ...]:
    """What an owner is told of what stays at its site: sentences without their points."""
    found = []
    if personal(plan):
        whole = "a model of its own, held to the common one" if training(plan).local == "ditto" else _heads(plan)
        metrics = " with its metrics on the site's own held-out rows" if plan.data.split else ""
        found.append(f"Each site also trains {whole}: it stays there, for its owner alone{metrics}")
        if silent(plan):
            found.append(
                "It has no noise: whoever hands it on, or what it says of other rows, spends what nobody counts"
            )
        elif plan.noisy:
            found.append("It moves along noised sums alone: what it says of rows is within what the run costs")
    if corrects(plan):
        found.append("Each site also gives the mean gradient of its steps, and corrects them by that of all sites")
    if band(plan) is not None:
        found.append("Each site keeps the exact sums of the groups whose turns were last, which later rounds hold too")
    if found:
        found.append("What a site needs for its next round lies in its home until the run is over, of two rounds")
    return tuple(found)


def _heads(plan: Plan) -> str:
    named = plan.model.local if plan.model else ()
    return f"weights of its own ({', '.join(named[:8])}{', ...' if len(named) > 8 else ''}) in the model"
