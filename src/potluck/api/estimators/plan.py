"""The plan that an estimator writes: numbers on public ranges, and rows dealt to sites, all in this process."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from potluck.api.plan.grammar import Toml
from potluck.api.plan.plan import Plan
from potluck.core.plan import Plan as Spec
from potluck.core.plan import required
from potluck.core.schema import readable
from potluck.core.stages import Floats
from potluck.learning.models.kinds import MODELS
from potluck.learning.training.method import method_of
from potluck.learning.training.rates import advice
from potluck.tasks.sums.usefulness.advice import Change, Rehearsals, changed, improved
from potluck.tasks.sums.usefulness.rehearsal import obstacle

Bounds = Mapping[str, Sequence[float]] | Sequence[float | Sequence[float]]
"""By column (low, high); or low and high, each a number or one a column."""


MORE = range(2, 6)
"""Sites that are tried, where a plan has too few for its protection."""


class PrivacyLeakWarning(UserWarning):
    """Something of the rows themselves stands in the plan, which every party reads, and no epsilon counts it."""


class Parameters(Protocol):
    """What an estimator was told: see `FederatedClassifier`."""

    model: str
    protect: str
    noise: str
    epsilon: float | None
    delta: float
    l2: float
    rounds: int | None
    settings: Mapping[str, object] | None


def ranges(bounds: Bounds | None, values: Floats, names: Sequence[str]) -> list[tuple[float, float]]:
    """(low, high) of each column, those of the rows where there are none. values [n, p].

    Raises:
        ValueError: bounds of another number of columns, of none of this name, or upside down.
    """
    if bounds is None:
        some = f"{', '.join(names[:3])}{' ...' if len(names) > 3 else ''}"
        hint = "public ranges: bounds=(low, high) of features, target_bounds=(low, high) of what is predicted"
        _leaks(f"the range of {some} is that of the rows", hint)
        low, high = values.min(axis=0), values.max(axis=0)
    elif isinstance(bounds, Mapping):
        lacking = [name for name in names if name not in bounds]
        if lacking:
            raise ValueError(f"bounds: there are none of column {lacking[0]!r}. hint: (low, high) of each column")
        low, high = np.array([bounds[name] for name in names], dtype=np.float64).T
    else:
        low, high = (np.broadcast_to(np.asarray(one, dtype=np.float64), len(names)) for one in bounds)
    if bounds is None:
        high = np.where(high > low, high, low + 1.0)  # one value alone has no width
    if odd := [name for name, least, most in zip(names, low, high, strict=True) if not least < most]:
        raise ValueError(f"bounds: low is not below high, of column {odd[0]!r}. hint: (low, high) of each column")
    return list(zip(low.tolist(), high.tolist(), strict=True))


def dealt(sites: object, count: int, many: int) -> NDArray[np.str_]:
    """[n] the site of each row: what is said of it, or site1, site2, ... by turns.

    Raises:
        ValueError: fewer rows than sites, or not a site for each row.
    """
    if sites is None:
        found = np.array([f"site{1 + place % many}" for place in range(count)])
    else:
        found = np.asarray(sites).astype(np.str_)
        many = len(np.unique(found))
        if found.shape != (count,):
            raise ValueError(f"sites: one for each row, got shape {found.shape} for {count} rows")
    if count < many:
        raise ValueError(f"n_samples={count} is fewer than the {many} sites. hint: n_sites=1 with protect='clear'")
    return found


def written(
    told: Parameters,
    columns: Mapping[str, tuple[float, float]],
    target: tuple[str, Toml, Toml],
    sites: Sequence[str],
    rows: int,
) -> Plan:
    """A plan to train. columns: by name their ranges; target: its name, its column, and what of it is predicted; rows:
    how many there are."""
    name, column, aim = target
    kind, given, noisy = MODELS.of(told.model), told.settings or {}, told.epsilon is not None
    numbers = {one: {"kind": "number", "low": low, "high": high} for one, (low, high) in columns.items()}
    training: Toml = {"method": "boosting" if kind.made else "newton" if kind.link and not noisy else "gradient"}
    training = training if told.rounds is None else {**training, "rounds": told.rounds}
    privacy: Toml = {"noise": "none"}
    if noisy:
        privacy = {"noise": told.noise, "unit": "row", "epsilon": told.epsilon, "delta": told.delta}
        privacy = privacy if kind.made else {**privacy, "clip": 1.0}
        training = {**training, "expected_rows": rows}
        if "training.expected_rows" not in given:
            hint = 'say about how many are expected: settings={"training.expected_rows": 1000}'
            _leaks(f"training.expected_rows is the number of rows, {rows}", hint)
    plan = Plan(
        name="estimator",
        purpose="fit of a scikit-learn estimator",
        task="train",
        federation={"sites": list(sites)},
        data={"columns": {**numbers, name: column}, "target": {"column": name, **aim}},
        model={"kind": told.model, "l2": told.l2},
        training=training,
        protect={"with": told.protect},
        privacy=privacy,
    )
    for key, value in given.items():
        plan = plan.set(key, value)
    return _suited(plan, {*given, *({} if told.rounds is None else {"training.rounds"})})


def carried(plan: Plan) -> Plan:
    """The plan, where enough sites have rows for its protection.

    Raises:
        ValueError: with MORE sites it could run, and with these it cannot.
    """
    errors, sites = plan.problems()[0], plan.spec.federation.sites
    if not errors:
        return plan
    wider = [plan.set("federation.sites", [f"site{place}" for place in range(many)]) for many in MORE]
    enough = [len(one.spec.federation.sites) for one in wider if not one.problems()[0]]
    if not enough or len(sites) >= enough[0]:
        return plan  # `run` says what else is wrong
    ways = [f"n_sites={enough[0]}, or rows of as many in fit(sites=...)"]
    ways += [] if plan.set("protect.with", "clear").problems()[0] else ["protect='clear'"]
    raise ValueError(f"n_sites={len(sites)}: {errors[0].partition('. hint: ')[0]}. hint: {'; or '.join(ways)}")


def _suited(plan: Plan, said: Collection[str]) -> Plan:
    """With the safe rate. With noise, with the settings that `check` advises, unless one of those that it tries is
    said: they come of made-up rows, and say nothing of these."""
    spec = plan.spec
    safe = advice(spec)
    if safe is not None and "training.rate" not in said:
        plan = plan.set("training.rate", safe.rate)
    tried = method_of(spec).tried
    if spec.noisy and tried and not tried.keys() & said and not obstacle(spec):
        for change in _better(msgspec.msgpack.encode(plan.spec)):
            plan = plan.set(change.key, change.better)
    return plan


@lru_cache(maxsize=256)
def _better(known: bytes) -> tuple[Change, ...]:
    """Of a plan, as bytes. Searches fit many times with the same one."""
    spec = msgspec.msgpack.decode(known, type=readable(Spec))
    best = improved(spec, Rehearsals(required(required(spec.training).expected_rows)))
    return tuple(one for one in changed(spec, best) if one.better is not None)


def _leaks(what: str, hint: str) -> None:
    warnings.warn(f"{what}, and stands in the plan. hint: {hint}", PrivacyLeakWarning, stacklevel=5)


def frames(
    columns: Mapping[str, Floats], target: tuple[str, object], whose: NDArray[np.str_]
) -> dict[str, pd.DataFrame]:
    """Each site's rows."""
    whole = pd.DataFrame({**columns, target[0]: target[1]})
    return {str(site): whole[whose == site] for site in np.unique(whose)}
