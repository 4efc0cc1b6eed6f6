"""A run folder as one static HTML file: no script, no request, every picture inline.

Whatever a plan or a file may have put into a name is shown as text: Jinja escapes all of it, charts escape their own,
and a content security policy in the page forbids what nothing here uses. It promises no secrecy: it shows what the
run's documents hold (see `report.details`).
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from potluck.core import prose
from potluck.core.party import BROKER
from potluck.core.schemes import scheme_of
from potluck.core.traits import traits_of
from potluck.report import (
    charts,
    columns,
    comparison,
    confusion,
    curves,
    labels,
    matrix,
    network,
    owners,
    sheet,
    summary,
    symbols,
    traffic,
    words,
)
from potluck.report.details import Details
from potluck.report.matrix import Matrix
from potluck.report.outcome import read, scores
from potluck.report.proof.found import found
from potluck.report.proof.measured import measured
from potluck.report.proof.shown import shown
from potluck.report.statistics import statistics

HERE = Path(__file__).parent
FEW = 3
"""Classes of which a notebook shows each pair as a line; of more the report has a table."""
SECTIONS = (
    ("result", "Result", "results.html"),
    ("budget", "Privacy budget", "budget.html"),
    ("views", "Who sees what", "views.html"),
    ("attacks", "What attacks found", "proof/found.html"),
    ("shown", "What the coordinator could see", "proof/shown.html"),
    ("measured", "Claimed against measured", "proof/measured.html"),
    ("timeline", "Timeline", "timeline.html"),
    ("caveats", "What this does not protect from", "caveats.html"),
    ("plan", "The plan", "plan.html"),
    ("versions", "Versions", "versions.html"),
)


def render(folder: Path, full: bool = False) -> str:
    """The report of the run in `folder`. full: all of it is printed, and not the two pages of `sheet`.

    Raises UsageError where the run's documents are missing or garbled.
    """
    outcome, details = read(folder)
    ran = details.plan_hash or outcome.plan.hash
    noise = bool(details.budget) or (outcome.privacy is not None and outcome.privacy.noise not in ("", "none"))
    audited = measured(folder, ran, (outcome.privacy and outcome.privacy.delta) or 0.0, noise)
    attacks = found(folder, ran)
    made_up = shown(folder, ran)
    proved = {"attacks": attacks, "shown": made_up, "measured": audited}
    sections = [one for one in SECTIONS if proved.get(one[0], True)]
    results = scores(outcome, details)
    spent = owners.budgets(outcome, details)
    moved = traffic.timeline(outcome, details)
    short, whole = _matrices(details)
    weights = outcome.model.coefficients if outcome.model else None
    asked = statistics(details)
    return (
        environment()
        .get_template("page.html")
        .render(
            outcome=outcome,
            details=details,
            title=details.name or outcome.plan.name or folder.name,
            css=(HERE / "report.css").read_text(encoding="utf-8"),
            sections=sections,
            attacks=attacks,
            measured=audited,
            shown=made_up,
            unit=(outcome.privacy and outcome.privacy.unit) or "row",
            created=words.moment(details.created),
            sentences=summary.sentences(outcome, details, results, spent),
            facts=summary.facts(outcome, details, moved),
            warnings=tuple(dict.fromkeys([*details.warnings, *outcome.warnings])),
            ended=not (outcome.model or outcome.results or outcome.models or details.shown or _fitted(details)),
            fitted=_fitted(details),
            metrics=comparison.metrics(results, details),
            models=comparison.MODELS,
            confusion=confusion.confusion(outcome),
            paired=confusion.paired(outcome),
            guess=confusion.guess(outcome),
            labels=labels.labels(outcome),
            history=curves.history(outcome),
            clips=curves.clips(outcome),
            rows_between=comparison.rows_between(outcome.metrics),
            statistics=asked,
            sheet=sheet.sheet(outcome, details, results, asked),
            full_print=full,
            noise=noise,
            gathering=_gathering(details),
            coefficients=comparison.coefficients(weights) if weights else None,
            boosted=columns.columns(outcome.model),
            owners=owners.owners(
                spent,
                ledgers=bool(details.budget),
                person=outcome.privacy.person if outcome.privacy else None,
            ),
            short=short,
            full=whole,
            timeline=moved,
            network=network.network(details),
            plan_hash=ran,
        )
    )


def small(
    title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], below: str = "", lines: Sequence[str] = ()
) -> str:
    """A small table, for a notebook: a fragment that brings its own few styles. below: a heading over the `lines` that
    stand under it."""
    return (
        environment().get_template("small.html").render(title=title, heads=heads, rows=rows, below=below, lines=lines)
    )


def run_html(folder: Path) -> str:
    """A run in a few sentences, its results with their intervals as small tables and pictures, and what validation rows
    said by round, for a notebook: a fragment with its own few styles.

    Raises UsageError as `render`.
    """
    outcome, details = read(folder)
    every = scores(outcome, details)
    said = summary.sentences(outcome, details, every, owners.budgets(outcome, details))
    rows = sheet.lines(outcome, every, FEW)
    looks = curves.history(outcome)
    drawn = looks.curves if looks else ()
    found = statistics(details, f"{folder.name}-statistic")
    page = environment().get_template("run.html")
    return page.render(name=folder.name, said=said, rows=rows, curves=drawn, statistics=found)


def _matrices(details: Details) -> tuple[Matrix | None, Matrix | None]:
    if not details.views:
        return None, None
    sites = [site.name for site in details.sites]
    # in one process nobody carries letters
    views = [view for view in details.views if not (details.in_process and view.party == BROKER.name)]
    return matrix.short(views, sites), matrix.full(views, sites)


def _gathering(details: Details) -> str:
    if not details.sites or details.joint or not scheme_of(details.protect).left:
        return ""
    covered = scheme_of(details.protect).hides and not (details.exposed or details.simulated)
    desc = f"{prose.count(len(details.sites), 'site')} around a table. The rows of each stay outside. "
    desc += f"Its update, {'covered' if covered else 'open'}, goes into one sum in the middle."
    return symbols.gathering("gathering", "How this run works", desc, len(details.sites), covered)


def _fitted(details: Details) -> bool:
    """Whether the run was a fit over columns at different owners."""
    return traits_of(details.task).joins


@cache
def environment() -> Environment:
    """Of all templates."""
    made = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: words.clean(value) if type(value) is str else value,
    )
    made.filters["key"] = lambda label: charts.key(comparison.SHAPES.get(label, "ring"))
    made.filters |= {
        "capital": prose.capital,
        "clock": words.clock,
        "count": prose.count,
        "duration": words.duration,
        "epsilon": words.epsilon,
        "left": traffic.left,
        "listed": prose.listed,
        "moment": words.moment,
        "remaining": words.remaining,
        "sentence": prose.sentence,
        "short": network.short,
        "size": words.size,
    }
    return made
