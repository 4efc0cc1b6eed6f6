"""What a report shows of a prediction: how many rows, whose, how far off, where the scores are, and no score."""

from potluck.core import prose
from potluck.core.plan import Plan, required
from potluck.core.schemes import scheme_of
from potluck.learning.models.scoring import Agreement, Predicted
from potluck.tasks.here import Beside, Outcome
from potluck.tasks.predict.local import PREDICTIONS
from potluck.tasks.shown import Shown

TPM = (
    "Rows and model went to an enclave that only a TPM vouches for, which encrypts no memory: its host could read "
    "them, and the scores."
)
SIMULATED = (
    "Rows and model went to a simulated enclave, which protects nothing: its host could read them, and the scores."
)
CAVEATS = (
    (
        "The scores",
        "They are exact, and each tells of the model: of a linear or logistic one, as many as it has coefficients tell "
        "all of it. What limits that is how many rows are scored, over all runs: the owner's ledger counts them.",
    ),
    (
        "Made-up rows and another model",
        "Nobody checks that the client's rows are real, nor that the owner scored with the model that it showed the "
        "card of.",
    ),
)


def shown(outcome: Outcome, plan: Plan, beside: Beside) -> Shown:
    """Of all parties' run, or, where the scores are the client's, of what the server knows."""
    spec = required(plan.predict)
    here = outcome if isinstance(outcome, Predicted) else None
    lines = [("Who", f"{spec.owner} has the model, {spec.client} the rows; the scores are {spec.client}'s alone.")]
    if here:
        off = "nobody can say" if here.bound is None else f"{prose.number(here.bound, 3)} in any score"
        lines.append(("Off by at most", off if here.bound is None else f"{off}, as the protection reckons."))
    if isinstance(beside, Agreement):
        labels = f"{beside.same:,} of {beside.rows:,} labels agree; " if beside.same is not None else ""
        said = f"{labels}the largest error is {prose.number(beside.largest, 3)}."
        lines.append(("Beside plain scoring", f"not private: model and rows are in one process here. {said}"))
    away = f"in {spec.client}'s own home: the server has none of them"
    lines.append(("Where they are", f"{PREDICTIONS}, in the run's folder" if here else away))
    lines += [("Note", note) for note in (here.notes if here else ())]
    many = prose.count(here.rows, "row") if here else "rows"
    return Shown(
        title="Scores",
        many=prose.capital(many) if here else f"At most {spec.max_rows:,} rows",
        what="scored",
        lines=tuple(lines),
        did=f"{prose.capital(many)} of {spec.client} were scored by a model of {spec.owner}.",
        left=_left(plan),
        kind="prediction",
        cost="Scores spend no epsilon. The owner's ledger counts the rows that its model has scored, by client.",
        caveats=CAVEATS,
    )


def _left(plan: Plan) -> str:
    if plan.protect.facts.enclave and plan.protect.enclave == "simulated":
        return SIMULATED
    return TPM if plan.exposed else scheme_of(plan.protect.scheme).scored
