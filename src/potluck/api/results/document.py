"""The JSON of a run, as the reference documents it, and the evidence that the report adds."""

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from potluck.api.results.facts import Facts
from potluck.core.plan import Plan as Spec
from potluck.dp.account import NEIGHBOURS
from potluck.learning.evaluation.evaluate import Metrics
from potluck.report import details
from potluck.tasks import catalog
from potluck.tasks.catalog import task_of
from potluck.tasks.here import Json
from potluck.tasks.shown import Measured
from potluck.tasks.words import about_rows

MANY, FEW = 12, 3
"""With more sites than MANY the report shows who sees what for FEW of them: the whole grows with their square."""


def document(facts: Facts, final: Path) -> Json:
    """The document that `potluck run --json` prints. Paths are those of the finished folder."""
    head: Json = {
        "plan": {"name": facts.spec.name, "hash": facts.plan.hash},
        "task": facts.spec.task,
        "protect": facts.spec.protect.scheme,
        "run": str(final),
        "report": str(final / "report.html"),
    }
    if facts.spec.protect.facts.enclave:
        head["stamp"] = facts.stamp or None
    head |= task_of(facts.spec).document(facts.outcome, facts.spec, final, facts.beside)
    return head | {"privacy": _privacy(facts), "rounds": _rounds(facts), "warnings": facts.warnings}


def _privacy(facts: Facts) -> Json:
    privacy = facts.spec.privacy
    noisy = facts.spec.noisy
    return {
        "noise": privacy.noise,
        "unit": privacy.unit if noisy else None,
        "person": facts.spec.data.person if noisy and privacy.unit == "person" else None,
        "neighbours": NEIGHBOURS if noisy else None,
        "delta": privacy.delta if noisy else None,
        "epsilon": dict(facts.spent),
    }


def _rounds(facts: Facts) -> list[Json]:
    kind = facts.spec.traits.kind
    done = (one for one in facts.log.rounds if one.ask.kind is kind and not one.ask.only_votes)
    return [
        {
            "round": number,
            "dropped": sorted(one.dropped),
            "bytes_up": one.traffic.up,
            "bytes_down": one.traffic.down,
            "seconds": round(one.seconds, 6),
            **({"fold": one.ask.fold} if one.ask.fold else {}),
        }
        for number, one in enumerate(done, 1)
    ]


def evidence(facts: Facts) -> details.Details:
    """What the report shows beyond the JSON."""
    spec = facts.spec
    task = task_of(spec)
    return details.Details(
        name=spec.name,
        purpose=spec.purpose,
        created=facts.now.isoformat(timespec="seconds"),
        plan_toml=facts.plan.text(),
        overrides=facts.plan.overrides,
        plan_hash=facts.plan.hash,
        permit=spec.permitted.words() if spec.permitted else (),
        rows=about_rows(spec),
        task=spec.task,
        protect=spec.protect.scheme,
        server=spec.federation.server,
        corrupt=spec.federation.corrupt,
        dropouts=spec.federation.dropouts,
        versions=_versions(),
        sites=tuple(details.Site(name=name) for name in spec.federation.sites),
        comparison=compared_scores(task.measured(spec, facts.beside)),
        interval="95 %: DeLong for AUC, Wilson for accuracy",
        budget=facts.budgets,
        views=_views(spec),
        timeline=_timeline(facts),
        questions=tuple(
            details.Question(name=one.name, asks=one.asks, unit=one.unit, least=one.least, forms=one.forms)
            for one in task.told(facts.outcome, spec)
        ),
        shown=task.shown(facts.outcome, spec, facts.beside),
        warnings=tuple(facts.warnings),
        aborts=tuple(facts.log.aborts),
        in_process=facts.network is None,
        network=facts.network,
        simulated=facts.spec.protect.facts.enclave and facts.spec.protect.enclave == "simulated",
        exposed=facts.spec.exposed,
    )


def _views(spec: Spec) -> tuple[details.Seen, ...]:
    """All claims; of many sites, which are all alike, those about the first few (all of them: `potluck explain`)."""
    sites = spec.sites if len(spec.sites) <= MANY else spec.sites[:FEW]
    others = set(spec.sites) - set(sites)
    theirs = tuple(f"{site}'s " for site in others)
    shown = (view for view in catalog.views(spec) if view.party not in others and not view.of.startswith(theirs))
    return tuple(details.seen(view) for view in shown)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    return found | {
        name: version(name) for name in ("potluck", "numpy", "scipy", "cryptography", "pynacl", "dp-accounting")
    }


def _timeline(facts: Facts) -> tuple[details.Round, ...]:
    return tuple(
        details.Round(
            round=one.number,
            kind=details.VOTES if one.ask.only_votes else one.ask.kind.value,
            seconds=one.seconds,
            bytes_up=one.traffic.up,
            bytes_down=one.traffic.down,
            dropped=tuple(sorted(one.dropped)),
            fold=one.ask.fold,
            steps=tuple(details.Step(step=s, bytes=b, letters=n) for s, (b, n) in one.traffic.steps.items()),
            when=_moment(one.when) if facts.network else "",
            why={name: cause.value for name, cause in one.dropped.items()} if facts.network else {},
            tries=facts.tries.get(one.number, ()),
        )
        for one in facts.log.rounds
    )


def _moment(when: float | None) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds") if when else ""


def compared_scores(measured: Sequence[Measured]) -> tuple[details.Score, ...]:
    """A comparison as the report shows it."""
    return tuple(score for one in measured for score in _score(one.label, one.site, one.metrics))


def _score(label: str, site: str | None, metrics: Metrics) -> list[details.Score]:
    found = []
    for metric in ("auc", "accuracy", "r2", "rmse", "perplexity"):
        value = getattr(metrics, metric)
        if value is not None:
            low, high = metrics.population.get(metric, (None, None))
            rows = int(metrics.rows) if metrics.rows is not None else None
            found.append(
                details.Score(label=label, metric=metric, value=value, site=site, low=low, high=high, rows=rows)
            )
    return found
