"""What of a plan that predicts cannot be. One line a problem: `key: what. hint: what to do`."""

import re
from collections.abc import Iterator

from potluck.core.plan import Model, Plan, Predict

DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
_TRAINS = Model()


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings)."""
    errors = [*_federation(plan), *_model(plan.model or _TRAINS), *_privacy(plan)]
    if plan.predict is not None:
        errors += _predict(plan, plan.predict)
    return errors, [*_ignored(plan)]


def _federation(plan: Plan) -> Iterator[str]:
    if plan.federation.corrupt or plan.federation.dropouts:
        key = "corrupt" if plan.federation.corrupt else "dropouts"
        yield f"federation.{key}: a prediction is between two sites, and takes both. hint: leave it out"


def _predict(plan: Plan, spec: Predict) -> Iterator[str]:
    sites = plan.federation.sites
    for key, name in (("owner", spec.owner), ("client", spec.client)):
        if name not in sites:
            yield f"predict.{key}: {name} is no site of this plan. hint: the sites are {', '.join(sites)}"
    if spec.owner == spec.client:
        what = f"{spec.owner} has the model and the rows"
        yield f"predict.client: {what}. hint: then nothing need be hidden: potluck score MODEL CSV"
    others = [name for name in sites if name not in (spec.owner, spec.client)]
    if others:
        yield f"federation.sites: {', '.join(others)} takes no part. hint: name owner and client alone"
    if spec.mode is None:
        what = "is missing, and the model is not here to choose by"
        hint = (
            '"batch" for linear, logistic and additive models, "single" for networks of layers, "graph" for graphs, '
            '"trees" for boosted trees'
        )
        yield f"predict.mode: {what}. hint: {hint}"


def _model(model: Model) -> Iterator[str]:
    beside = [
        key
        for key in ("kind", "l2", "layers", "activation", "seed", "loss")
        if getattr(model, key) != getattr(_TRAINS, key)
    ]
    for key in beside:
        yield f"model.{key}: the model file says it. hint: leave it out"
    if model.digest is not None and not DIGEST.match(model.digest):
        yield "model.digest: is no digest of a model. hint: sha256:... as `run` printed it"
    if model.file is None and model.digest is None:
        yield "model.file: is missing. hint: model.json as `run` wrote it, or model.digest where only its owner has it"
    elif model.digest is None:
        hint = "correct the path, or name model.digest where only its owner has it"
        yield f"model.file: there is no {model.file} here. hint: {hint}"


def _privacy(plan: Plan) -> Iterator[str]:
    if plan.noisy:
        what = f'"{plan.privacy.noise}" is for sums: scores are exact, and only the client reads them'
        yield f'privacy.noise: {what}. hint: noise = "none"; predict.max_rows limits what scores tell of the model'


def _ignored(plan: Plan) -> Iterator[str]:
    data = plan.data
    given = {
        "training": plan.training,
        "statistics": plan.statistics,
        "data.columns": data.columns,
        "data.target": data.target,
        "data.split": data.split,
        "data.person": data.person,
    }
    for key, value in given.items():
        if value:
            yield f"{key}: is ignored: the model file says what is read. hint: leave it out"
