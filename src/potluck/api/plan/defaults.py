"""What `[training]` and `[[statistics]]` take where a plan does not say it: each method, optimizer, kind of model and
kind of statistic declares its own.

A plan is filled with these defaults, and the JSON Schema of plans says them by the words on which they depend.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import get_args

import msgspec

from potluck.api.plan.grammar import Toml
from potluck.core.json_schema import Schema
from potluck.core.plan import NoiseWord, Plan, Statistic, Training, Unit
from potluck.core.traits import TRAITS
from potluck.learning.models.kinds import MODELS
from potluck.learning.statistics.kinds import KINDS, TESTS, kind_of
from potluck.learning.training.methods import METHODS
from potluck.learning.training.optimizer import OPTIMIZERS
from potluck.learning.training.rates import rate_of

Number = int | float | None


@dataclass(frozen=True, slots=True)
class Words:
    """What decides. kind: of model, None where a plan names none; unit: whom noise hides, likewise."""

    method: str
    optimizer: str
    kind: str | None
    noise: str
    unit: str | None
    task: str


USUAL: Mapping[str, Callable[[Words], Number]] = {
    "rounds": lambda of: METHODS.of(of.method).usual_rounds(TRAITS.of(of.task).joins, of.kind),
    "rate": lambda of: rate_of(of.method, of.optimizer, of.kind, of.noise != "none"),
    "batch": lambda of: None if of.noise != "none" and of.unit in ("row", "person") else METHODS.of(of.method).batch,
}
"""The keys of [training] whose default depends on words, and how."""


def filled(plan: Plan, tables: Toml) -> Plan:
    """The plan with these defaults. tables: as its author wrote them."""
    asked = plan.statistics or tuple(Statistic(name=kind, kind=kind) for kind in plan.traits.asks)
    statistics = tuple(_usual(plan, one) for one in asked)
    plan = msgspec.structs.replace(plan, statistics=statistics) if statistics else plan
    spec = plan.training
    if spec is None:
        return plan
    written = tables.get("training")
    written = written if isinstance(written, Mapping) else {}
    kind, privacy = plan.model.kind if plan.model else None, plan.privacy
    of = Words(spec.method, spec.optimizer, kind, privacy.noise, privacy.unit, plan.task)
    found = {key: usual(of) for key, usual in USUAL.items() if key not in written}
    return msgspec.structs.replace(plan, training=msgspec.structs.replace(spec, **found))


def _usual(plan: Plan, one: Statistic) -> Statistic:
    """The statistic with what its kind takes where a plan says nothing."""
    unset = {field.name for field in msgspec.structs.fields(one) if getattr(one, field.name) == field.default}
    kind = kind_of(one)
    usual = dict(kind.usual) | ({"rounds": kind.rounds(plan, one)} if "rounds" in kind.keys else {})
    return msgspec.structs.replace(one, **{key: value for key, value in usual.items() if key in unset})


def rules() -> Iterator[Schema]:
    """If a plan's words are these, then the default is that: for all words that are registered."""
    each = [
        {
            "if": {"properties": {key: {"const": word}}},
            "then": {"properties": {key: {"default": value} for key, value in one.usual.items()}},
        }
        for key, kinds in (("kind", KINDS), ("test", TESTS))
        for word, one in kinds.entries.items()
        if one.usual
    ]
    yield {"if": {}, "then": {"properties": {"statistics": {"items": {"allOf": each}}}}}
    axes = {
        "training.method": METHODS.words(),
        "training.optimizer": OPTIMIZERS.words(),
        "model.kind": MODELS.words(),
        "privacy.noise": get_args(NoiseWord),
        "privacy.unit": get_args(Unit),
        "task": TRAITS.words(),
    }
    for key, usual in USUAL.items():
        found = {words: usual(Words(*words)) for words in product(*axes.values())}
        for when, value in _cases(found, axes):
            if value is not None:
                then = _nested(f"training.{key}", {"default": value}, needed=False)
                asked = [_asked(at, words) for at, words in when.items()]
                yield {"if": {"allOf": asked} if asked else {}, "then": then}


def _cases(
    found: Mapping[tuple[str, ...], Number], axes: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[dict[str, list[str]], Number]]:
    """The words of each key by which a value is told. A key that changes nothing is left out."""
    if not axes:
        yield {}, found[()]
        return
    key, *rest = axes
    groups: dict[tuple[tuple[tuple[str, ...], Number], ...], list[str]] = {}
    for word in axes[key]:
        below = tuple((words[1:], value) for words, value in found.items() if words[0] == word)
        groups.setdefault(below, []).append(word)
    for below, words in groups.items():
        for when, value in _cases(dict(below), {one: axes[one] for one in rest}):
            yield ({key: words} if len(groups) > 1 else {}) | when, value


def _asked(at: str, words: list[str]) -> Schema:
    """The key has one of these words, as written or as it is where a plan does not write it."""
    table, _, key = at.partition(".")
    optional = {one.encode_name: one.default for one in msgspec.structs.fields(Training)} if table == "training" else {}
    rule = _nested(at, {"enum": words}, needed=True)
    if optional.get(key) in words:
        return {"anyOf": [rule, {"not": _nested(at, {}, needed=True)}]}
    return rule


def _nested(at: str, rule: Schema, *, needed: bool) -> Schema:
    """A rule of what stands at a dotted key. needed: something has to stand there."""
    for key in reversed(at.split(".")):
        rule = {"properties": {key: rule}} | ({"required": [key]} if needed else {})
    return rule
