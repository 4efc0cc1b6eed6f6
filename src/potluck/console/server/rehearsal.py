"""What a plan that came from a browser would do, worked out in a process of its own, which has so much time and memory.

A plan is data, but a hostile one may ask for a sum of a billion numbers, nest a thousand levels deep, or name a file of
this machine. So it is read here first. Who serves the pages reads it only after this process has, within its bounds.
"""

import resource
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import msgspec

from potluck.api.plan.grammar import Toml, read_text, read_toml
from potluck.api.plan.lines import lines
from potluck.console.shell import Busy
from potluck.core.errors import PlanError, PotluckError, Refused
from potluck.core.schema import readable
from potluck.report.details import Seen

PLAN = "plan.toml"
SECONDS, MEMORY = 60, 4 << 30
"""What one may take: seconds, of the clock and of the processor, and bytes."""
AT_ONCE, WAITING, PATIENCE = 2, 4, 20.0
"""How many at a time, how many more wait, and for how many seconds."""
SETTINGS = ("data.files = {}",)
"""What is put over every plan: each site names its own files."""
LINES, VIEWS, MOST = 60, 2000, 4 << 20
"""Lines of a kind, and views, that are shown; bytes that are taken from the process."""
_slots, _queue = threading.BoundedSemaphore(AT_ONCE), threading.BoundedSemaphore(AT_ONCE + WAITING)


class Sheet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a plan. errors: none, and it can run; words: what it costs, what may come of it; about, opens:
    which rows it is about, and what each statistic opens; epsilon: at each owner, None without noise; views: who could
    see what; files: those that it names, and whether they are here; permit: what it is called, and what it says."""

    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    name: str = ""
    purpose: str = ""
    task: str = ""
    hash: str = ""
    summary: str = ""
    words: tuple[str, ...] = ()
    about: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()
    epsilon: float | None = None
    rounds: int | None = None
    bytes_up: int | None = None
    sites: tuple[str, ...] = ()
    computes: tuple[str, ...] = ()
    views: tuple[Seen, ...] = ()
    files: tuple[tuple[str, bool], ...] = ()
    permit: tuple[tuple[str, str], ...] = ()


def rehearse(folder: Path, collude: Sequence[str] = ()) -> Sheet:
    """The sheet of the plan in `folder`. collude: then only what these see together, without a rehearsal.

    Raises Busy: others are at work; Refused: it takes too long, or too much.
    """
    with _taken(_queue, 0.0), _taken(_slots, PATIENCE):
        names = msgspec.json.encode(list(collude))
        try:
            done = subprocess.run(command(folder), input=names, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise Refused(f"the plan takes more than {SECONDS} seconds to check", hint=_SMALLER) from None
    if done.returncode or len(done.stdout) > MOST:
        raise Refused("the plan takes more time or memory to check than these pages give it", hint=_SMALLER)
    return msgspec.json.decode(done.stdout, type=readable(Sheet))


def command(folder: Path) -> list[str]:
    """What starts the process: no module in the folder in which this program was started is taken for one of ours."""
    return [sys.executable, "-P", "-m", __name__, str(folder)]


@contextmanager
def _taken(places: threading.BoundedSemaphore, wait: float) -> Iterator[None]:
    if not places.acquire(timeout=wait):
        raise Busy("other plans are being checked", hint="send it again in a moment")
    try:
        yield
    finally:
        places.release()


_SMALLER = "make it smaller, or check it at the terminal: potluck check"


def main(arguments: Sequence[str]) -> None:
    """The process: a sheet as JSON."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    collude = msgspec.json.decode(sys.stdin.buffer.read(), type=readable(tuple[str, ...]))
    sys.stdout.buffer.write(msgspec.json.encode(sheet(Path(arguments[0]), collude)))


def sheet(folder: Path, collude: Sequence[str]) -> Sheet:
    """See `Sheet`. Whatever is wrong with the plan is in it."""
    from potluck.api.local.check import check
    from potluck.api.local.explain import explain
    from potluck.api.plan.plan import Plan
    from potluck.report.details import seen

    files: tuple[tuple[str, bool], ...] = ()
    try:
        tables = read_toml(read_text(folder / PLAN), PLAN)
        files = tuple((name, (folder / name).is_file()) for name in named(tables))
        plan = Plan.read(folder / PLAN, settings(tables))
        if collude:
            found = explain(plan, collude)
            return Sheet(views=tuple(seen(view) for view in found.views[:VIEWS]), files=files)
        several = [name for name in plan.spec.data.columns if "*" in name]
        if several:
            what = f"data.columns: the pattern {several[0]!r} cannot be used across machines"
            raise PlanError(what, where=PLAN, hint="name the columns one by one: nobody here sees the files")
        verdict = check(plan)
    except PotluckError as error:
        return Sheet(errors=_short([_said(one) for one in (error, *error.others)]), files=files)
    spec = plan.spec
    at = lines(plan.source)
    head = Sheet(
        errors=_short([_placed(line, at) for line in verdict.errors]),
        warnings=_short(verdict.warnings),
        name=spec.name,
        purpose=spec.purpose,
        permit=spec.permitted.words() if spec.permitted else (),
        task=spec.task,
        hash=plan.hash,
        sites=tuple(spec.federation.sites),
        computes=tuple(party.name for party in spec.compute),
        files=files,
    )
    if not verdict.ok:
        return head
    found = explain(plan)
    return msgspec.structs.replace(
        head,
        summary=verdict.summary(),
        words=_short([line for line in verdict.words() if line not in verdict.about]),
        about=_short(found.about),
        opens=_short(found.opens),
        epsilon=next(iter(verdict.epsilon.values()), None),
        rounds=verdict.rounds,
        bytes_up=verdict.bytes_all if verdict.bytes_up is not None else None,
        views=tuple(seen(view) for view in found.views[:VIEWS]),
    )


def settings(tables: Toml) -> tuple[str, ...]:
    """What is put over a plan."""
    data = tables.get("data")
    return SETTINGS if isinstance(data, Mapping) and "files" in data else ()


def named(tables: Toml) -> Iterator[str]:
    """The files that a plan needs beside it. Raises PlanError: one is no plain name, but could be any file here."""
    for key, value in _paths(tables):
        if not isinstance(value, str):
            continue  # the plan's own grammar says so
        if PurePosixPath(value).name != value or value in ("", ".", "..", PLAN) or "\\" in value:
            raise PlanError(f"{key}: here a file is named without a folder", where=PLAN, hint="send it with the plan")
        yield value


def _paths(tables: Toml) -> Iterator[tuple[str, object]]:
    model, data, protect = (tables.get(name) for name in ("model", "data", "protect"))
    if isinstance(model, Mapping):
        yield from ((f"model.{key}", model[key]) for key in ("file", "graph", "start") if key in model)
        several = model.get("files")
        yield from (("model.files", one) for one in (several if isinstance(several, list) else ()))
    columns = data.get("columns") if isinstance(data, Mapping) else None
    for name, column in columns.items() if isinstance(columns, Mapping) else ():
        if isinstance(column, Mapping) and "tokenizer" in column:
            yield f"data.columns.{name}.tokenizer", column["tokenizer"]
    if isinstance(protect, Mapping) and "policy" in protect:
        yield "protect.policy", protect["policy"]


def _said(error: PotluckError) -> str:
    """An error as a line: where in the plan, if it says so, what, and what to do."""
    place = error.where.removeprefix(PLAN).strip(", ")
    what = f"{place}: {error.what}" if place else error.what
    return f"{what}. hint: {error.hint}" if error.hint else what


def _placed(line: str, at: Mapping[str, int]) -> str:
    """What is wrong with a plan that fits its form, with the line of the key at its beginning."""
    key = line.partition(":")[0]
    return f"line {at[key]}: {line}" if key in at else line


def _short(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(line[:2000] for line in lines[:LINES])


if __name__ == "__main__":
    main(sys.argv[1:])
