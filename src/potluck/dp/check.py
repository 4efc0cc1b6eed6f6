"""What of a plan's `[privacy]` table cannot hold, and what should give pause, before anything runs.

Each message reads "key: what. hint: what to do". It does NOT check types, unknown keys or the protection's own rules.
"""

from collections.abc import Iterator

from potluck.core.errors import PlanError
from potluck.core.plan import Plan
from potluck.dp.calibration import shares

LARGE = 10.0
HELD = "held-out rows have the whole epsilon to themselves"
Finding = tuple[str, str, str]
"""(key, what, hint)."""


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings) about the plan's privacy."""
    if not plan.noisy or plan.traits.exact:  # whose own check refuses noise
        return [], _said(_ignored(plan))
    errors = [*_missing(plan), *_promises(plan), *_unit(plan), *_training(plan), *_evaluation(plan)]
    return _said(errors), _said(_pauses(plan))


def _said(findings: Iterator[Finding] | list[Finding]) -> list[str]:
    return [f"{key}: {what}. hint: {hint}" for key, what, hint in findings]


def _ignored(plan: Plan) -> Iterator[Finding]:
    for key in ("unit", "epsilon", "delta", "clip", "clip_follows", "evaluation", "rows_per_person"):
        if getattr(plan.privacy, key) is not None:
            yield f"privacy.{key}", 'is ignored with noise = "none"', "remove it, or choose a noise"


def _missing(plan: Plan) -> Iterator[Finding]:
    wanted = plan.privacy
    if wanted.unit is None:
        yield "privacy.unit", "is missing", 'say whose contribution is hidden: "row", "person" or "site"'
    if wanted.epsilon is None:
        yield "privacy.epsilon", "is missing", "for example 1.0"
    if wanted.delta is None:
        yield "privacy.delta", "is missing", "for example 1e-5, well below 1 / rows"
    if plan.traits.learns and wanted.clip is None and (plan.training is None or plan.training.clipped):
        yield "privacy.clip", "is missing: noise for training needs a clip", "for example 1.0"


def _promises(plan: Plan) -> Iterator[Finding]:
    noise = plan.privacy.noise
    shielded = plan.protect.facts.enclave and not plan.exposed
    if noise == "reveal" and plan.federation.server == "lying" and not shielded:
        what = "a lying server would leave out the noise that it owes"
        hint = 'use noise = "shared", federation.server = "curious", or "tee" with a real enclave ("tsm" or "nsm")'
        yield "privacy.noise", what, hint
    if noise == "shared" and not plan.protect.facts.hides:
        what = "without protection the server reads each update under its share of the noise alone"
        yield "privacy.noise", what, 'use protect.with = "mask", or noise = "site"'
    try:
        shares(plan)
    except PlanError as error:
        yield error.where, error.what, error.hint


def _unit(plan: Plan) -> Iterator[Finding]:
    wanted = plan.privacy
    if wanted.unit == "person" and plan.data.person is None:
        yield "data.person", 'is missing: unit = "person" needs to know whose row it is', "name its column"
    counts = plan.traits.sums and not plan.traits.learns
    if counts and wanted.unit == "site":
        yield "privacy.unit", f"{plan.traits.title} cannot hide a whole site yet", 'use "row" or "person"'
    join, person = plan.data.join, plan.data.person
    if join is not None and (wanted.unit == "row" or (wanted.unit == "person" and join.on != person)):
        what = f"noise would hide no row of the table {join.table}, which may stand in many rows"
        hint = 'unit = "person" with data.person = data.join.on, or noise = "none"; or owners join in source.query'
        yield "data.join", what, hint
    several = wanted.unit == "person" and plan.data.reduce is None
    if counts and several and wanted.rows_per_person is None:
        what = "is missing: it bounds what one person adds to a count"
        yield "privacy.rows_per_person", what, "further rows of a person are left out"


def _training(plan: Plan) -> Iterator[Finding]:
    training = plan.training
    if not plan.traits.labelled or training is None:
        return
    if training.aggregation != "mean":
        what = f'"{training.aggregation}" is no sum, whose noise is reckoned and whose sensitivity is known'
        yield "training.aggregation", what, 'use aggregation = "mean", or noise = "none"'


def _evaluation(plan: Plan) -> Iterator[Finding]:
    wanted = plan.privacy
    if wanted.evaluation is None:
        return
    if wanted.unit in ("person", "site") and wanted.epsilon is not None and wanted.evaluation >= wanted.epsilon:
        yield "privacy.evaluation", "leaves no epsilon for training", "make it a part of privacy.epsilon"
    elif wanted.unit in ("person", "site") and plan.traits.trains and plan.data.split is None:
        yield "privacy.evaluation", "no row is held out, so nothing would be spent on metrics", "remove it"


def _pauses(plan: Plan) -> Iterator[Finding]:
    wanted, training = plan.privacy, plan.training
    if wanted.epsilon is not None and wanted.epsilon > LARGE:
        what = f"{wanted.epsilon:g} promises next to nothing against an attacker who knows the other rows"
        yield "privacy.epsilon", what, "prefer 3 or less"
    expected = training.expected_rows if training else None
    if wanted.delta is not None and expected and wanted.delta > 1 / expected:
        what = f"{wanted.delta:g} is above 1 / expected_rows: publishing one row at random would pass"
        yield "privacy.delta", what, f"take at most {0.1 / expected:.0e}"
    for key in ("clip", "clip_follows"):
        if not plan.traits.learns and getattr(wanted, key) is not None:
            yield f"privacy.{key}", f"is ignored beside {plan.traits.title}", "remove it"
    if plan.traits.trains and training is not None and not training.clipped and wanted.clip is not None:
        yield "privacy.clip", f"is ignored: {training.method} bounds what a {wanted.unit} adds by itself", "remove it"
    if wanted.evaluation is not None and (wanted.unit == "row" or not plan.traits.trains):
        why = "nothing of held-out rows is opened" if plan.traits.joins else HELD
        why = why if plan.traits.learns else "nothing is trained, so all of epsilon is for what is counted"
        yield "privacy.evaluation", f"is ignored: {why}", "remove it"
    apart = plan.traits.trains and wanted.unit in ("person", "site") and plan.data.split is not None
    if apart and wanted.evaluation is None:
        what = f'is not set, so no metrics are released: with unit = "{wanted.unit}" they would cost extra'
        yield "privacy.evaluation", what, "set it to a part of epsilon, e.g. 0.1"
    if wanted.unit == "row" and plan.data.person is not None:
        what = "hides one row, not a person, who has several"
        yield "privacy.unit", what, 'use unit = "person"'
