"""`potluck.attack`: what a coalition could do with what it saw of a run."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from potluck.api.local.progress import in_words
from potluck.api.plan.plan import Plan
from potluck.api.proof import kept
from potluck.audits.attack import Truth, named
from potluck.audits.intersection.matched import matched
from potluck.audits.letters import letters as letters_of
from potluck.audits.record import Record
from potluck.audits.resumed import Resumed, resumed, subject
from potluck.audits.seen import Seen, seen_by
from potluck.audits.shown import shown
from potluck.audits.trial import Result, trials
from potluck.audits.true_rows import others
from potluck.core import private
from potluck.core.errors import PotluckError, UsageError
from potluck.core.plan import Plan as Spec
from potluck.core.schema import readable
from potluck.core.visible import visible
from potluck.drivers.transcript import INDEX
from potluck.learning.data.columns import reader_names
from potluck.learning.data.table import Table
from potluck.learning.models.model import Model
from potluck.report import details
from potluck.report.proof.kept import Attack, Call, MadeUp, came
from potluck.tasks.catalog import task_of
from potluck.tasks.sources import Sources, not_here
from potluck.tasks.trained import MODEL

PLAN, PARCELS = "plan.toml", "parcels"
MINUTES = 5.0
CUT_OFF = "the record has no end, since its run was cut off or a part of it is gone: attacks have what is left"
ELSEWHERE = "--data FOLDER says where the files lie that the plan names"
ALIKE = "the keys that are here are as many as owners said, and nothing else tells whether they are those of that run"
TAKEN = "no exact sum tells whether the rows that are here are those of that run: they are taken to be"


@dataclass(frozen=True)
class Attacked:
    """What all attacks came to. who: the coalition; scored: whether true rows were here to compare with; why: why not,
    or why nothing tells that they are the run's; whole: the record lacks no letter at its end. kept: the file beside
    the run that holds it; unkept: if none does, why. resumed: the file whose answers were taken over, if any."""

    who: tuple[str, ...]
    results: tuple[Result, ...]
    scored: bool
    why: str
    whole: bool
    kept: Path | None = None
    unkept: str = ""
    resumed: Resumed[tuple[Result, ...]] | None = None

    @property
    def document(self) -> Mapping[str, object]:
        """The JSON of `potluck attack --json`."""
        attacks = [one.document() for one in self.results]
        return {
            "as": list(self.who), "compared": self.scored, "why": self.why, "whole": self.whole, "attacks": attacks,
            "taken": list(self.resumed.taken) if self.resumed else [],
        }  # fmt: skip

    def warnings(self) -> list[str]:
        """What makes less of the result."""
        said = [] if self.whole else [CUT_OFF]
        if self.why:
            said.append(self.why if self.scored else f"what was found is not compared with true rows: {self.why}")
        if self.resumed:
            said += self.resumed.warnings()
        if self.unkept:
            said.append(f"what was found is not kept: {self.unkept}")
        return said

    def lines(self) -> list[str]:
        """In words: what succeeded first."""
        order = sorted((one for one in self.results if one.tried), key=lambda one: not one.verdict.succeeded)
        left = ", ".join(one.name for one in self.results if not one.tried)
        why = f"skipped, since what was read is not what they need (--json and the report say why): {left}"
        none = [] if order else ["no attack could be tried with what was read, which says nothing of the run"]
        return [*none, *(f"{_mark(one)} {one.name}: {one.verdict.words}" for one in order), *([why] if left else [])]

    def __str__(self) -> str:
        return "\n".join(map(visible, [*self.lines(), *self.warnings()]))

    __repr__ = __str__  # what a prompt and a notebook show


def _mark(result: Result) -> str:
    word = came(result.verdict.succeeded, result.control)
    return word.upper() if result.verdict.succeeded else word


def attack(  # noqa: PLR0913  # each is a flag of the verb
    run: str | Path,
    who: str | Sequence[str] = "server",
    *,
    minutes: float = MINUTES,
    seed: int = 0,
    data: Sources | str | Path | None = None,
    record: str | Path | None = None,
    before: str | Path | None = None,
    resume: str | Path | None = None,
    progress: Callable[[str], None] | None = None,
    quiet: bool = False,
) -> Attacked:
    """What parties could find out together with what they read in a recorded run.

    Args:
        run: the folder of a run that was made with `record`.
        who: the parties, as `"server,north"` or a list.
        minutes: at most, for all attacks; a sum or a step that was begun by then is ended.
        seed: of their draws.
        data: true rows to compare with, by site, or the folder in which the plan's files lie; without it they are
            looked for where the program was started and beside the run's plan.
        record: the folder of letters; without it `parcels` in the run's.
        before: the folder of an earlier run of the same plan (of statistics, of any that counts), recorded too, of
            which the same parties know as much.
        resume: a file that keeps what each attack came to that has ended, so that an interrupted call goes on when it
            is called again; made where there is none.
        progress: is told what is tried. Without it a notebook shows a line that says so.
        quiet: a notebook shows no such line.

    Returns:
        What each attack came to, in words. It is kept beside the run too, for its report: `attacks.json` holds the
            newest call of each coalition.

    Raises:
        UsageError: there is no record, a damaged one, or no such party.
        PlanError: the run's plan cannot be read.

    Examples:
        >>> import pandas as pd
        >>> import potluck
        >>> plan = potluck.Plan(
        ...     name="people", purpose="How old people are", task="statistics",
        ...     federation={"sites": ["north", "south"]}, protect={"with": "clear"}, privacy={"noise": "none"},
        ...     data={"columns": {"age": {"kind": "number", "low": 0, "high": 120}}},
        ...     statistics=[{"name": "age", "kind": "mean", "column": "age"}],
        ... )
        >>> frames = {"north": pd.DataFrame({"age": [30, 50]}), "south": pd.DataFrame({"age": [70]})}
        >>> run = potluck.run(plan, frames, record=True)
        >>> found = potluck.attack(run.folder, "server", data=frames, minutes=0.05)
        >>> found.who
        ('server',)
    """
    folder, end = Path(run), time.monotonic() + 60 * minutes
    names = tuple(one.strip() for one in who.split(",")) if isinstance(who, str) else tuple(who)
    if not 0 < minutes <= 24 * 60:
        raise UsageError(f"{minutes:g} minutes are not possible", where="--minutes", hint="e.g. 5")
    parcels = _parcels(Path(record) if record is not None else folder / PARCELS)
    given = data if isinstance(data, Mapping) else None
    places = [Path(data)] if isinstance(data, str | Path) else [Path.cwd(), folder]
    plan = _plan(folder, places)
    kept.ready(folder, plan.hash)
    spec, truth, why = _rows(plan, given, asked=data is not None)
    if "" in names:
        raise UsageError("a name is empty", where="--as", hint="e.g. --as server,a")
    letters = Record.read(parcels)
    seen = _seen(folder, letters, spec, names)
    if not set(spec.federation.sites) - set(names):
        raise UsageError("names every site: nobody's rows are left to attack", where="--as", hint="fewer of them")
    strange = others(letters, spec, truth)
    if truth and not strange:
        why = ALIKE if spec.traits.keyed else why if strange is not None else TAKEN
    if strange:
        truth = {name: one for name, one in truth.items() if name not in strange}
        why = f"the rows of {named(strange)} that are here are not those of that run"
    records, then = [letters], dict[str, Table]()
    if before is not None:
        its, first, then = _earlier(Path(before), plan, given, places, names)
        records.append(its)
        seen = replace(seen, before=first)
    going = None
    if resume is not None:
        model = seen.released.digest() if seen.released else ""
        about = subject(
            "attack", plan=plan.hash, seed=seed, minutes=minutes, parties=sorted(names),
            sites_with_rows_here=[sorted(truth), sorted(then)], record=[*(one.digest for one in records), model],
        )  # fmt: skip
        going = resumed(Path(resume), about, tuple[Result, ...])
    with in_words("attack", progress, quiet=quiet) as tell:
        results = tuple(trials(seen, truth, end - time.monotonic(), seed, tell, resumed=going, earlier=then))
    said = letters_of(letters) if "server" in names else None
    results += (said,) if said else ()
    taken = set(going.taken) if going else set[str]()
    found = tuple(msgspec.convert(one.document() | {"taken": one.name in taken}, readable(Attack)) for one in results)
    call = Call(
        who=names, before=before is not None, compared=bool(truth), minutes=minutes, seed=seed, when=kept.now(),
        attacks=found,
    )  # fmt: skip
    done = Attacked(names, results, bool(truth), why, letters.whole, resumed=going)
    try:
        return replace(done, kept=kept.attacked(folder, plan.hash, call))
    except PotluckError as error:  # what took minutes to find is not lost to a folder that cannot be written to
        return replace(done, unkept=str(error))


def _seen(folder: Path, letters: Record, spec: Spec, names: Sequence[str]) -> Seen:
    """What these parties know of a run: by its letters, and by what they learnt that lies in its folder: the model of a
    fit, where one of them reads it, and common keys."""
    path = folder / MODEL
    reads = spec.traits.joins and set(names) & set(reader_names(spec))
    model = Model.read(path) if reads and path.is_file() else None
    return replace(seen_by(letters, spec, names), released=model, matched=matched(folder, letters, spec, names))


def made_up(run: str | Path, *, minutes: float = MINUTES, seed: int = 0, data: str | Path | None = None) -> Path | None:
    """Attacks rows that are nobody's, made up as the plan of this run declares its columns: in the clear, under masks
    and with noise. What was found is kept beside the run, whose report shows rows beside guesses at them.

    None: no row of it can be made, or none is found even in the clear.
    minutes: at most; seed: of rows and draws; data: the folder in which the plan's files lie. Raises as `attack`.
    """
    folder = Path(run)
    plan = _plan(folder, [Path(data)] if data is not None else [Path.cwd(), folder])
    kept.ready(folder, plan.hash)
    spec = _rows(plan, None, asked=False)[0]
    found = shown(spec, 60 * minutes, seed) if spec.traits.trains else None
    if found is None:
        return None
    rows = msgspec.convert({**found.document(), "seed": seed, "when": kept.now()}, readable(MadeUp))
    return kept.attacked(folder, plan.hash, rows)


def _parcels(folder: Path) -> Path:
    run = folder if folder.exists() else folder.parent
    if not run.is_dir():
        raise UsageError("no such folder", where=str(run), hint="name the folder of a run")
    if not (folder / INDEX).is_file():
        raise UsageError("holds no record", where=str(folder), hint="run again with --record")
    return folder


def _plan(folder: Path, places: Sequence[Path]) -> Plan:
    """The plan as it was run, with what was set over its file. places: where files that it names may lie: the first
    that has those of rows, else the first that has what the plan cannot be read without."""
    told, read = _details(folder), list[Plan]()
    for place in places:
        try:
            read.append(Plan.read(folder / PLAN, told.overrides, place))
        except PotluckError as error:
            if place == places[-1] and not read:
                error.hint = "; ".join(filter(None, (error.hint, ELSEWHERE)))
                raise
    plan = next((one for one in read if not not_here(one)), read[0])
    if told.plan_hash not in ("", plan.hash):
        what = "its text and settings are not the plan that ran, or files that it names are others now"
        raise UsageError(what, where=str(folder / PLAN), hint=f"{ELSEWHERE}; or it ran with another version")
    return plan


def _earlier(
    folder: Path, plan: Plan, given: Sources | None, places: Sequence[Path], names: Sequence[str]
) -> tuple[Record, Seen, dict[str, Table]]:
    """Of an earlier run its record, what these parties know of it, and its rows, where files here are as they were
    then: an exact sum tells, and where none does, another plan's are taken to be. Raises UsageError: its sums are not
    to be compared with."""
    letters, first = Record.read(_parcels(folder / PARCELS)), plan
    if _details(folder).plan_hash not in ("", plan.hash):
        first = _plan(folder, places)
        if not (plan.spec.traits.counts and first.spec.traits.counts):
            hint = "--before takes an earlier run of the same plan, unchanged; of statistics also another plan's"
            raise UsageError("is a run of another plan, whose sums are others", where=str(folder), hint=hint)
    spec, truth, _ = _rows(first, given, asked=False)
    wrong = others(letters, spec, truth)
    if wrong is None:
        wrong = frozenset(truth) if first is plan else frozenset()
    return letters, _seen(folder, letters, spec, names), {name: truth[name] for name in truth.keys() - wrong}


def _details(folder: Path) -> details.Details:
    try:
        return msgspec.json.decode(private.read(folder / details.FILE), type=readable(details.Details))
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        raise UsageError("is no run", where=str(folder), hint="give the folder that `potluck run` printed") from None


def _rows(plan: Plan, given: Sources | None, asked: bool) -> tuple[Spec, Truth, str]:
    """The plan with its column patterns resolved, true rows by site, and why there are none. asked: somebody said where
    they are."""
    if given is None and not plan.spec.data.files:
        return plan.spec, {}, "the plan names no files of rows"
    missing = not_here(plan) if given is None else {}
    if missing:
        if asked:
            lacks = ", ".join(f"{key} ({file or 'names none'})" for key, file in missing.items())
            raise UsageError(f"lacks files of the plan: {lacks}", where=str(plan.folder), hint="the folder of the plan")
        return plan.spec, {}, "the plan's files are not here: --data FOLDER says where they lie"
    try:
        spec, found = task_of(plan.spec).truth(plan, given)
    except PotluckError as error:
        if asked:
            raise
        return plan.spec, {}, f"the plan's files cannot be read as it says: {error.what}"
    return spec, found, "" if found else "no attack is after rows of this task"
