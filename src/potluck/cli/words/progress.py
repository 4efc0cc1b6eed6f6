"""A progress bar over the sums of a run, on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from potluck.api.local.progress import most
from potluck.api.plan.plan import Plan
from potluck.cli.door import Voice
from potluck.core.asks import Ask


def bars_of(say: Voice) -> Progress:
    """Bars that vanish at the end; none with -q or where stderr is no terminal."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=say.words, transient=True, disable=say.quiet or not say.words.is_terminal)


@contextmanager
def progress(say: Voice, plan: Plan) -> Iterator[Callable[[Ask], None]]:
    """A callable to call with each sum as it begins."""
    with bars_of(say) as bars:
        bar = bars.add_task("starting", total=most(plan.spec))
        seen = 0

        def begin(ask: Ask) -> None:
            nonlocal seen
            bars.update(bar, description=f"{ask.kind.value} {ask.step + 1}", completed=seen)
            seen += 1

        yield begin
