"""A synthesis as one value: sums as statistics have them, of which rows are made up."""

from pathlib import Path

from potluck.core.plan import Plan, required
from potluck.core.prose import count
from potluck.learning import gist
from potluck.learning.statistics.statistics import Counted
from potluck.learning.synthesis.course import Synthesis
from potluck.learning.synthesis.result import LIMITS, Marginals
from potluck.tasks.here import Beside, Json, Outcome
from potluck.tasks.shown import Shown, Told
from potluck.tasks.sources import held
from potluck.tasks.spec import TaskSpec
from potluck.tasks.sums import costs, estimate, local, site, task
from potluck.tasks.synthesize import written
from potluck.tasks.words import columns, left_out


def _of(outcome: Outcome) -> Marginals:
    assert isinstance(outcome, Counted)
    (found,) = outcome.results.values()
    assert isinstance(found, Marginals)
    return found


def _leave(outcome: Outcome, folder: Path) -> None:
    written.write(_of(outcome), folder)


def _document(outcome: Outcome, plan: Plan, folder: Path, beside: Beside) -> Json:
    found = _of(outcome)
    return {
        "synthetic": str(folder / written.CSV),
        "parquet": str(folder / written.PARQUET),
        "marginals": found.document(),
        "quality": found.quality,
    }


def _shown(outcome: Outcome, plan: Plan, beside: Beside) -> Shown:
    found = _of(outcome)
    tree = [" and ".join(pair.columns) for pair in found.pairs if pair.tree]
    noised = "noised " if plan.noisy else ""
    return Shown(
        title="Synthetic rows",
        many=f"{found.made.rows:,} rows",
        what="made up",
        lines=(
            ("files", f"{written.CSV}, {written.PARQUET}, {written.MARGINALS}"),
            ("the tree", "; ".join(tree)),
            ("what they are not for", LIMITS),
        ),
        did=f"The sites counted columns and pairs of columns, and rows were made up of these {noised}counts.",
        left="No row of a site left it, and none was looked at when rows were made up.",
        caveats=(("made-up rows", LIMITS),),
    )


def _told(outcome: Outcome, plan: Plan) -> list[Told]:
    """The quality of the rows, and the marginals."""
    (one,) = plan.statistics
    return [Told(one.name, "Made-up rows beside what was opened", _of(outcome).shown(plan, one))]


def _learnt(plan: Plan, me: str) -> str:
    course = Synthesis(plan, plan.statistics[0])
    tables, target = course.tables, plan.synthesize and plan.synthesize.target
    by = f", by {target!r}" if target else ""
    then = f", and then {count(course.edges, 'pair')} of them finely ({course.largest:,} numbers at most)"
    return (
        f"{required(plan.synthesize).rows:,} rows are made up from counts of columns and pairs of columns{by}: first"
        f" {count(len(tables.each), 'table')} ({tables.size:,} numbers){then if course.edges else ''}. It reads the"
        f" columns {columns(plan)}.{left_out(plan)}"
    )


def _check(plan: Plan) -> tuple[list[str], list[str]]:
    """As of statistics, of which there is the one."""
    if tuple(one.kind for one in plan.statistics) != plan.traits.asks:
        return ["statistics: rows are made up of marginals alone. hint: leave the table out"], []
    return task.check(plan)


SYNTHESIZE = TaskSpec(
    learnt=_learnt,
    result=lambda plan: "the counts and the made-up rows are with the coordinator's server, which may pass them on",
    gist=lambda plan: gist.said(plan, "how many rows have which value, and which pair of values, of the columns"),
    words=task.every,
    check=_check,
    views=task.views,
    first=costs.first,
    costs=costs.costs,
    part=site.part,
    here=local.here,
    estimate=estimate.estimate,
    truth=held,
    leave=_leave,
    document=_document,
    shown=_shown,
    told=_told,
)
