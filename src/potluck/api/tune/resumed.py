"""Going on with a tuning that ended early: what was judged is taken from its folder, and charged no second time.

It does NOT notice that rows changed meanwhile, by which candidates would be judged unlike: then begin anew.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from potluck.api.results.outcome import Run
from potluck.api.tune.candidates import Candidate
from potluck.api.tune.tuned import BEST
from potluck.core.errors import UsageError

DIGITS = 2
"""Of a candidate's number in the name of its folder, at least."""


def place(folder: Path, one: Candidate, every: Sequence[Candidate]) -> Path:
    """The folder of a candidate's run."""
    return folder / f"{one.number:0{max(DIGITS, len(str(len(every))))}}"


def before(folder: Path, every: Sequence[Candidate]) -> Mapping[int, Run]:
    """By number, the candidates that were judged. Raises UsageError: none was; they were of other plans; the tuning has
    ended, and its best plan is not written over."""
    if (folder / BEST).exists():
        raise UsageError("has ended, and has its best plan", where=str(folder), hint=f"potluck run {folder / BEST}")
    found = dict[int, Run]()
    for one in every:
        path = place(folder, one, every)
        if not (path / "run.json").is_file():
            continue
        run = Run.read(path)
        plan = run.document.get("plan")
        if not isinstance(plan, Mapping) or plan.get("hash") != one.plan.hash:
            what = f"candidate {one.number} there is of another plan, grid or version"
            raise UsageError(what, where=str(folder), hint="the same plan and grid; or leave out --resume")
        found[one.number] = run
    if not found:
        hint = "the folder that `potluck tune` made; or leave out --resume"
        raise UsageError("holds no candidate that was judged", where=str(folder), hint=hint)
    return found


@contextmanager
def entered(folder: Path, rest: Sequence[Path]) -> Iterator[Path]:
    """The folder, without what a process that was killed left of runs that had not ended. rest: their folders."""
    for path in rest:
        shutil.rmtree(path, ignore_errors=True)
    yield folder
