"""What an owner's home holds of runs: at their ends models and predictions, in their midst what the next round needs.

Which plan a run was of stands in the access log; where that is gone, files are named by their run alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from potluck.core.errors import UsageError
from potluck.core.prose import utc
from potluck.core.schema import readable
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.owner.access import AccessLog, Entry, Subject
from potluck.owner.access import read as read_log
from potluck.report.papers.annex import JSON
from potluck.tasks import own, predictions, released
from potluck.tasks.participation import forget as forget_run
from potluck.tasks.participation import kept_of

Json = dict[str, object]


class _Worth(msgspec.Struct, frozen=True):
    """What lies beside a model of an owner's own."""

    digest: str
    metrics: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What is held of one run. plan, hash: of it, empty where the log does not say; when: it ended, or last kept
    something (UTC, ISO 8601).

    model, digest, metrics: of the site's own; released: the model of all sites; predictions: of its rows; papers: the
    folder with its permit annex; rounds, size: where numbers for its next round lie, and how many bytes. None: there
    are none.
    """

    run: str
    plan: str
    hash: str
    when: str
    model: str | None = None
    digest: str | None = None
    metrics: Mapping[str, object] | None = None
    released: str | None = None
    predictions: str | None = None
    papers: str | None = None
    rounds: str | None = None
    bytes: int | None = None

    def document(self) -> Json:
        """The JSON."""
        return asdict(self)


def holdings(folder: Path) -> list[Held]:
    """Of every run, oldest first: those that are over, then those that are not. Raises UsageError: no home."""
    home = SiteHome.at(folder)
    said = {file_name(one.run): one for one in read_log(home.access).entries if one.run}
    ended = [_ended(path, said) for path in _folders(home.folder / own.FOLDER)]
    begun = [_begun(path, said) for path in _folders(kept_of(home).folder)]
    return [*sorted(ended, key=lambda one: one.when), *sorted(begun, key=lambda one: one.when)]


def forget(folder: Path, run: str) -> Held:
    """Remove what a run that is not over keeps for its next round; if it were to go on, it ends here. run: its name, or
    the beginning of it. Raises UsageError: none or several begin so, or it cannot be removed."""
    home = SiteHome.at(folder)
    found = [one for one in holdings(folder) if one.rounds is not None and run and one.run.startswith(run)]
    if len(found) != 1:
        what = f"{len(found) or 'no'} runs that keep something begin with {run}"
        raise UsageError(what, where=home.name, hint="potluck site models shows them")
    one = found[0]
    forget_run(home, one.run)
    AccessLog(home.access).write("forget", datetime.now(UTC), about=Subject(plan=one.plan, hash=one.hash, run=one.run))
    return one


def _folders(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if one.is_dir()] if path.is_dir() else []


def _ended(path: Path, said: Mapping[str, Entry]) -> Held:
    model, common, scores = path / own.MODEL, path / released.MODEL, path / predictions.FILE
    worth = _worth(path / own.METRICS)
    return replace(
        _named(path, said),
        model=str(model) if model.is_file() else None,
        digest=worth.digest if worth else None,
        metrics=worth.metrics if worth else None,
        released=str(common) if common.is_file() else None,
        predictions=str(scores) if scores.is_file() else None,
        papers=str(path) if (path / JSON).is_file() else None,
    )


def _begun(path: Path, said: Mapping[str, Entry]) -> Held:
    size = sum(one.stat().st_size for one in path.iterdir() if one.is_file())
    return replace(_named(path, said), rounds=str(path), bytes=size)


def _named(path: Path, said: Mapping[str, Entry]) -> Held:
    """Which run it is of; the log's last line about it, else the folder itself, says when."""
    known = said.get(path.name)
    when = utc(path.stat().st_mtime)
    if known is None:
        return Held(run=path.name, plan="", hash="", when=when)
    return Held(run=known.run, plan=known.plan, hash=known.hash, when=known.when)


def _worth(path: Path) -> _Worth | None:
    """None: it is not there, or something else is."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=readable(_Worth))
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None
