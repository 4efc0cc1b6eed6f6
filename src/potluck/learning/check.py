"""What of a plan the learners cannot do: combinations of model, method, target and columns; and what of a plan to train
runs, but should give pause. One line each."""

from collections.abc import Callable, Iterator

from potluck.core.plan import IGNORED, Plan, Training, required
from potluck.core.tables.statistic import factors
from potluck.learning import folds, voting
from potluck.learning.data.check import of_columns, of_features, of_split
from potluck.learning.data.column import COLUMNS
from potluck.learning.data.declared import declared
from potluck.learning.data.encode import encoding, inputs, tensors
from potluck.learning.data.notation import notation
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation import validation
from potluck.learning.models import class_weights, graphs, started
from potluck.learning.models.forms import weights_of
from potluck.learning.models.kinds import MODELS
from potluck.learning.models.layers import MOST_VALUES
from potluck.learning.models.target_check import of_target
from potluck.learning.statistics import check as statistics_check
from potluck.learning.training import drawn, local, turns
from potluck.learning.training.gaps import check as gaps
from potluck.learning.training.method import TrainingMethod
from potluck.learning.training.methods import METHODS


def check(plan: Plan) -> tuple[list[str], list[str]]:
    """(errors, warnings): `key: what. hint: what to do`."""
    errors = of_columns(plan)
    if plan.traits.counts:
        return [*errors, *statistics_check.check(plan)], [
            *_ignored(plan),
            *_measured(plan),
            *statistics_check.pauses(plan),
            *_asked_again(plan),
        ]
    errors += [
        *of_target(plan, notation(plan.data)),
        *of_split(plan),
        *_method(plan),
        *_looks(plan),
        *_judged(plan),
        *voting.check(plan),
        *folds.faults(plan),
    ]
    if not errors:
        errors += [*_stops(plan), *class_weights.faults(plan)]
    if not errors and plan.drawn:
        errors += graphs.faults(plan)
    if not errors:
        errors += _features(plan)
    return errors, _pauses(plan)


def _ignored(plan: Plan) -> list[str]:
    given = {"model": plan.model, "training": plan.training}
    tables = [f"{at}: is ignored beside statistics. hint: remove the table" for at, table in given.items() if table]
    used = {name for one in plan.statistics for feature in one.features for name in factors(feature)}
    named = [name for name, column in declared(plan).items() if column.reference is not None and name not in used]
    return [
        *tables,
        *(f"data.columns.{name}.reference: is ignored beside statistics. hint: leave it out" for name in named),
    ]


def _measured(plan: Plan) -> Iterator[str]:
    """A person who is a measurement: whoever has k values of it is k persons."""
    name, column = plan.data.person, plan.data.columns.get(plan.data.person or "")
    hides = plan.noisy and plan.privacy.unit == "person"
    if hides and column is not None and not column.ignored and COLUMNS.of(column.kind).measured:
        what = f"{name} is declared as a {column.kind} with a range: noise then hides each of its values, not who has"
        hint = f'name the column that says whose row it is, or declare it kind = "{IGNORED}"'
        yield f"data.person: {what} several. hint: {hint}"


def _method(plan: Plan) -> list[str]:
    model, spec = plan.model, plan.training
    if model is None or spec is None:
        return []
    found = []
    method = METHODS.of(spec.method)
    kind = MODELS.of(model.kind)
    if method.boosts != (kind.made is not None):
        others = _words(lambda one: one.boosts != method.boosts)
        return [
            f"training.method: a model of kind {model.kind} is not trained by {spec.method}. hint: method = {others}"
        ]
    by_site = _words(lambda one: one.by_site)
    if spec.aggregation != "mean" and not method.by_site:
        what = f'"{spec.aggregation}" joins what sites trained by themselves, and {spec.method} adds up'
        found.append(f'training.aggregation: {what}. hint: method = {by_site}, or aggregation = "mean"')
    found += [*_of_model(plan, method), *_weighed(plan, method), *local.faults(plan, method), *gaps.faults(plan)]
    found += [*drawn.faults(plan), *turns.faults(plan, method), *method.faults(plan)]
    if spec.warmup and spec.warmup >= spec.rounds:
        found.append("training.warmup: leaves no round at the whole rate. hint: fewer than training.rounds")
    if spec.steps is not None and spec.epochs != Training(method=spec.method).epochs:
        found.append("training.steps: takes either steps or epochs. hint: leave one of them out")
    if plan.noisy:
        found += method.noised(plan)
    if plan.noisy and plan.privacy.clip_follows is not None and not method.follows(plan):
        what = "clips follow the norms of a network's gradients, where each round of gradient is one sum"
        found.append(f'privacy.clip_follows: {what}. hint: method = "gradient", or leave it out')
    return found


def _of_model(plan: Plan, method: TrainingMethod) -> Iterator[str]:
    """What of its table a model or its method does not go with."""
    model = required(plan.model)
    kind = MODELS.of(model.kind)
    if method.linear and kind.link is None:
        others = _words(lambda one: not one.boosts and not one.linear)
        what = f"a {model.kind} is not trained by {required(plan.training).method}"
        yield f"training.method: {what}. hint: method = {others}"
    if not plan.drawn and model.trainable != graphs.ALL:
        yield "model.trainable: names weights of a graph, and there is none. hint: leave it out, or model.graph"
    if plan.drawn and model.first is not None:
        yield "model.first: a graph has its first weights in its own file. hint: leave it out"
    if plan.begun and not isinstance(plan, started.Started):
        yield started.NOT_HERE
    if model.base is not None and not plan.drawn:
        yield "model.base: frozen weights are a graph's. hint: leave it out, or name model.graph too"
    if plan.drawn and not kind.deep:
        yield f'model.graph: a {model.kind} model has no graph. hint: kind = "network"'
    yield from kind.check(model)


def _weighed(plan: Plan, method: TrainingMethod) -> Iterator[str]:
    """What weights of classes do not go with."""
    if not required(plan.training).class_weights:
        return
    if not method.weighed:
        others = _words(lambda one: one.weighed)
        yield f"training.class_weights: {required(plan.training).method} weighs no rows. hint: method = {others}"
    if plan.noisy:
        what = "with noise every row is clipped to one norm, whatever it weighs"
        yield f"training.class_weights: {what}. hint: leave it out with noise"


def _words(which: Callable[[TrainingMethod], bool]) -> str:
    """The methods of which that is true, as a hint names them."""
    return " or ".join(f'"{word}"' for word, one in METHODS.entries.items() if which(one))


def _looks(plan: Plan) -> Iterator[str]:
    """What looks at validation rows need."""
    spec, split = plan.training, plan.data.split
    if spec is None or spec.every is None:
        return
    key = "training.stop" if spec.stop else "training.evaluate_every"
    if split is None or split.validation is None:
        yield f"{key}: there are no validation rows to look at. hint: data.split.validation = 0.1"
    if plan.noisy:
        what = "each look at validation rows would be a release that the plan's epsilon does not pay for"
        yield f"{key}: {what}. hint: leave it out with noise; metrics on test rows are charged, and told at the end"
    if spec.iterates != Training(method=spec.method).iterates:
        what = "looks are at each round's model, and what is released is a mean of several"
        yield f'{key}: {what}. hint: iterates = "last"'


def _judged(plan: Plan) -> Iterator[str]:
    """What validation rows need that judge the model."""
    if plan.validated and (plan.data.split is None or plan.data.split.validation is None):
        yield "evaluate.rows: there are no validation rows to judge by. hint: data.split.validation = 0.2"


def _stops(plan: Plan) -> Iterator[str]:
    """The metric by which training stops, of a plan whose target holds."""
    stop = plan.training.stop if plan.training else None
    known = validation.metrics(goal_of(plan))
    if stop is not None and stop.metric not in known:
        words = ", ".join(f'"{word}"' for word in known)
        yield f'training.stop.metric: this target has no "{stop.metric}". hint: one of {words}'


def _features(plan: Plan) -> list[str]:
    how = encoding(plan)
    names = how.names
    if wrong := of_features(names, alone=not tensors(how)):
        return wrong
    values = (METHODS.of(required(plan.training).method).values or weights_of)(plan, len(names))
    if values > MOST_VALUES:
        what = f"the model has {values} values in a sum, {MOST_VALUES} are the most"
        return [f"model.kind: {what}. hint: fewer columns, or narrower layers"]
    weights = plan.weights if isinstance(plan, started.Started) and not graphs.patterned(plan) else None
    if weights is not None and len(weights) != 8 * weights_of(plan, len(names)):
        return ["model.start: was trained on other columns, or on these as declared otherwise. hint: its own plan's"]
    return []


def _pauses(plan: Plan) -> list[str]:
    """What of a plan to train runs, but should give pause; also of plans that have errors."""
    return [
        *_without_noise(plan),
        *_of_graph(plan),
        *_of_texts(plan),
        *_of_method(plan),
        *_no_feature(plan),
        *_measured(plan),
        *voting.pauses(plan),
        *folds.pauses(plan),
    ]


def _asked_again(plan: Plan) -> list[str]:
    """Of statistics of several rounds."""
    return _without_noise(plan) if plan.sums > 1 else []


def _without_noise(plan: Plan) -> list[str]:
    if plan.noisy or plan.federation.server != "lying" or not plan.protect.facts.hides:
        return []
    return [
        "privacy.noise: without noise a server that lies can ask for sums at models that single out rows, and no "
        'protection of the sum hides that. hint: add noise, or federation.server = "curious" if it is to be trusted'
    ]


def _of_graph(plan: Plan) -> Iterator[str]:
    """Its operations and first weights are whatever its maker chose."""
    if plan.drawn and not plan.noisy:
        what = "without noise a graph can be made so that a sum tells of a single row, and no protection hides that"
        yield f"model.graph: {what}. hint: add noise, or take graphs only from those whom owners trust with rows"


def _of_texts(plan: Plan) -> Iterator[str]:
    """A language model is made to say texts, those of rows among them."""
    if plan.model is not None and plan.model.loss is not None and not plan.noisy:
        what = "without noise a language model can repeat texts of rows word for word, to whoever has it"
        hint = "leave out of the texts what nobody may read; fewer rounds, or adapters alone, only make it rarer"
        yield f"model.loss: {what}. hint: {hint}"


def _of_method(plan: Plan) -> Iterator[str]:
    """What its method says, and keys of [training] that change nothing."""
    spec = plan.training
    if spec is None:
        return
    method = METHODS.of(spec.method)
    yield from method.pauses(plan)
    yield from _of_sites(plan, method)
    looked = plan.validated or spec.every is not None or spec.vote is not None
    if plan.data.split and plan.data.split.validation is not None and not looked:
        what = "these rows are left out of training, and nothing looks at them"
        yield f"data.split.validation: {what}. hint: training.evaluate_every, stop or vote, or leave it out"
    if not method.steps and spec.optimizer != Training(method=spec.method).optimizer:
        yield f"training.optimizer: is ignored: {spec.method} takes no steps down a gradient. hint: leave it out"
    for key in ("schedule", "warmup"):
        if not method.steps and getattr(spec, key) != getattr(Training(method=spec.method), key):
            yield f"training.{key}: is ignored: {spec.method} has no rate. hint: leave it out"
    if spec.iterates != Training(method=spec.method).iterates and (method.by_site or not method.steps):
        yield f"training.iterates: is ignored: {spec.method} releases its last model. hint: leave it out"
    if spec.standardize and not method.scaled(plan):
        what = "is ignored: only gradients of linear and logistic models with noise are clipped in units of their own"
        yield f"training.standardize: {what}. hint: leave it out"


def _of_sites(plan: Plan, method: TrainingMethod) -> Iterator[str]:
    """Keys that only sites which train by themselves read."""
    spec = required(plan.training)
    if method.by_site:
        if spec.mu != Training(method=spec.method).mu and spec.local not in local.PULLED:
            words = " or ".join(f'"{word}"' for word in local.PULLED)
            yield f"training.mu: is ignored: nothing pulls local steps. hint: local = {words}, or leave it out"
        if spec.local in local.PULLED and spec.rate * spec.mu >= 2:
            what = f"times training.rate it is {spec.rate * spec.mu:.3g}: from 2 on local steps move ever further away"
            yield f"training.mu: {what}. hint: at most {1 / spec.rate:.3g}, or a lower training.rate"
        return
    others = _words(lambda one: one.by_site)
    for key in ("steps", "local", "mu"):
        if getattr(spec, key) != getattr(Training(method=spec.method), key):
            yield f"training.{key}: is ignored: sites take no steps by themselves. hint: method = {others}"
    if spec.batch is not None and not method.batched:
        what = f"is ignored: every round of {spec.method} is a sum over all rows"
        yield f"training.batch: {what}. hint: leave it out, or method = {others}"
    if spec.range != Training(method=spec.method).range and not method.whole(plan):
        what = f"is ignored: {spec.method} adds up rows, which bound their sum whatever the coefficients are"
        yield f"training.range: {what}. hint: leave it out, or method = {others}"


def _no_feature(plan: Plan) -> list[str]:
    """References of columns that become no feature."""
    inside = inputs(plan)
    return [
        f"data.columns.{name}.reference: is ignored: the column is no feature. hint: leave it out"
        for name, column in declared(plan).items()
        if column.reference is not None and name not in inside
    ]
