"""`potluck demo`: four hospitals, on real data that the package ships."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib.resources import as_file, files
from pathlib import Path

from potluck.api.local.run import run
from potluck.api.plan.plan import Plan
from potluck.api.results.outcome import Run
from potluck.drivers.sums import Progress

Bars = Callable[[Plan], AbstractContextManager[Progress]]


def demo_plan(settings: Sequence[str] = ()) -> Plan:
    """The demo's plan, with the data beside it in the package."""
    with as_file(files("potluck") / "demo") as folder:
        return Plan.read(folder / "heart.toml", settings)


def demo(*, out: Path | None, ledger: Path | None, settings: Sequence[str], progress: Bars) -> Run:
    """Run the heart federation with the comparison. Its ledgers lie in the run's folder unless `ledger` is given."""
    plan = demo_plan(settings)
    with tempfile.TemporaryDirectory() as scratch:
        held = Path(ledger) if ledger else Path(scratch) / "ledger"
        with progress(plan) as bar:
            done = run(plan, out=out, ledger=held, compare=True, progress=bar)
        if ledger is None and held.is_dir():
            shutil.copytree(held, done.folder / "ledger")
    return done
