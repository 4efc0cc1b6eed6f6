"""What a finished run left: its report, shown as it is, and its files to take along.

A report holds words that others wrote into plans, and its file lies on a disk. So it is shown under a policy of its own
that lets it run nothing, send nothing and be of no origin (`console.origin.REPORT`), whatever is in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from potluck.api.network.status import Live
from potluck.console.server.latest import Latest
from potluck.console.shell import Visit
from potluck.core import private
from potluck.core.errors import PotluckError
from potluck.report import owners, summary, traffic
from potluck.report.outcome import read, scores

REPORT = "report.html"
FILES = {
    REPORT: ("The report", "text/html"),
    "model.json": ("The model", "application/json"),
    "summary.json": ("The summary of its features", "application/json"),
    "run.json": ("Everything as JSON", "application/json"),
    "plan.toml": ("The plan", "application/toml"),
    "transcript.jsonl": ("What was sent: a line for each message", "application/jsonl"),
}
"""What may be taken along, by name: what it is, and its kind."""
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left. files: (name, what it is, bytes); sentences, facts: of its report, none where it has none."""

    files: tuple[tuple[str, str, int], ...]
    sentences: tuple[str, ...] = ()
    facts: tuple[tuple[str, str, str], ...] = ()


def left(run: Live) -> Left | None:
    """Of a finished run whose folder is there."""
    if run.out is None or not run.out.is_dir():
        return None
    sizes = [(name, what, run.out / name) for name, (what, _) in FILES.items()]
    files = tuple(
        (name, what, path.stat().st_size) for name, what, path in sizes if path.is_file() and not path.is_symlink()
    )
    try:
        outcome, details = read(run.out, links=False)
        results = scores(outcome, details)
        spent, moved = owners.budgets(outcome, details), traffic.timeline(outcome, details)
        said = tuple(summary.sentences(outcome, details, results, spent))
        return Left(files, said, tuple(summary.facts(outcome, details, moved)))
    except PotluckError:
        return Left(files)


class Results:
    """Of runs that `latest` knows: no other name leads to a folder."""

    def __init__(self, latest: Latest) -> None:
        self._latest = latest

    def report(self, visit: Visit) -> Response:
        """The report, to be read here."""
        return _sent(self._folder(visit), REPORT)

    def file(self, name: str, visit: Visit) -> Response:
        """A file, to be kept. name: one of `FILES`."""
        return _sent(self._folder(visit), name, keep=True)

    def _folder(self, visit: Visit) -> Path:
        run = self._latest.run(visit.name)
        if run is None or run.out is None:
            raise HTTPException(404)
        return run.out


def _sent(folder: Path, name: str, *, keep: bool = False) -> Response:
    try:
        file = private.regular(folder / name, links=False)  # to a file of this machine, say
    except OSError:
        raise HTTPException(404) from None
    kind = f"{FILES[name][1]}; charset=utf-8"
    head = {"Content-Disposition": f'attachment; filename="{name}"'} if keep else {}
    return StreamingResponse(_pieces(file), media_type=kind, headers=head)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece
