"""Potluck: organisations learn together while every row of data stays with its owner.

The door: what `__all__` names. Rooms behind it load when they are first used.
"""

import typing as _typing  # so called, since completion shows what has a name here: the door, and nothing else

if _typing.TYPE_CHECKING:
    from potluck.api.dictionary.columns import columns_from
    from potluck.api.estimators.classifier import FederatedClassifier
    from potluck.api.estimators.regressor import FederatedRegressor
    from potluck.api.graph.make import graph
    from potluck.api.local.check import check
    from potluck.api.local.explain import explain
    from potluck.api.local.run import run
    from potluck.api.local.simulate import simulate
    from potluck.api.network.budget import budget
    from potluck.api.plan.plan import Plan
    from potluck.api.proof.attack import attack
    from potluck.api.proof.audit import audit
    from potluck.api.results.export import export
    from potluck.api.results.outcome import Run
    from potluck.api.tune.tune import tune
    from potluck.learning.models.model import Model

_WHERE = {
    "FederatedClassifier": "potluck.api.estimators.classifier",
    "FederatedRegressor": "potluck.api.estimators.regressor",
    "Plan": "potluck.api.plan.plan",
    "Run": "potluck.api.results.outcome",
    "Model": "potluck.learning.models.model",
    "attack": "potluck.api.proof.attack",
    "audit": "potluck.api.proof.audit",
    "budget": "potluck.api.network.budget",
    "check": "potluck.api.local.check",
    "columns_from": "potluck.api.dictionary.columns",
    "explain": "potluck.api.local.explain",
    "export": "potluck.api.results.export",
    "graph": "potluck.api.graph.make",
    "run": "potluck.api.local.run",
    "simulate": "potluck.api.local.simulate",
    "tune": "potluck.api.tune.tune",
}
__all__ = [
    "FederatedClassifier",
    "FederatedRegressor",
    "Model",
    "Plan",
    "Run",
    "attack",
    "audit",
    "budget",
    "check",
    "columns_from",
    "explain",
    "export",
    "graph",
    "run",
    "simulate",
    "tune",
]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name not in _WHERE:
        raise AttributeError(f"module 'potluck' has no attribute {name!r}")
    return getattr(import_module(_WHERE[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
