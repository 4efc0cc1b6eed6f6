"""`potluck check`: can this plan run, and what will it cost? Its task knows what a run costs (`TaskSpec.estimate`)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from potluck.api.plan.grammar import dotted
from potluck.api.plan.plan import Plan, opened
from potluck.core.errors import PotluckError
from potluck.core.prose import agree
from potluck.core.visible import visible
from potluck.dp.account import NEIGHBOURS, promise
from potluck.learning.data.tally import Tally
from potluck.learning.data.tally_words import noted, told
from potluck.tasks.catalog import task_of
from potluck.tasks.shapes.shape import Case
from potluck.tasks.shapes.shapes import risks
from potluck.tasks.sources import Sources, not_here
from potluck.tasks.words import about_rows


@dataclass(frozen=True)
class Verdict:
    """Whether a plan can run; its cost where it can. bytes and seconds: of one round, measured on zero vectors.

    forecast: of a prediction, what it will use and send; seconds are then of one row of zeros. With noise, half the
    interval of each result (`sums.forecast`), and `outlook` the same in words. data: by site what became of its
    values, where its rows are here: for their owner. absent: files that `run` and `up` need and do not find, by key
    (None: the plan names none): across machines owners name their own. about: which rows it is about and what it makes
    of them, a sentence each. rate: of descent, which one is recommended, and `pace` the same in words. looks: at
    validation rows, at most; bytes_look: one site's in one of them. bytes_later: of statistics of several rounds, one
    site's in a round after the first, at most. bytes_sums: in all rounds, where not all of them are as long: bytes_up
    is then of the longest. sums_a_round: of training; trainings: how many models these
    sums train. signal: of training with noise, how much a round can say beside it, and `noise` the same in words. room:
    what training a graph takes of a site, and `needs` the same in words. useful: of training with noise, how useful the
    model will be; advice: which keys would make it better, each with what it has now; and `usefulness` both in lines.
    """

    errors: list[str]
    warnings: list[str] = field(default_factory=list)
    epsilon: Mapping[str, float | None] = field(default_factory=dict)
    bytes_up: int | None = None
    seconds: float | None = None
    rounds: int | None = None
    values: Mapping[str, object] = field(default_factory=dict)
    grid: Mapping[str, object] = field(default_factory=dict)
    forecast: Mapping[str, object] | None = None
    outlook: str = ""
    data: Mapping[str, Tally] = field(default_factory=dict)
    absent: Mapping[str, str | None] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    rate: Mapping[str, object] | None = None
    pace: str = ""
    looks: int = 0
    bytes_look: int | None = None
    bytes_later: int | None = None
    room: Mapping[str, object] | None = None
    needs: str = ""
    signal: Mapping[str, object] | None = None
    noise: str = ""
    bytes_sums: int | None = None
    sums_a_round: int = 1
    trainings: int = 1
    useful: Mapping[str, object] | None = None
    advice: Sequence[Mapping[str, object]] = ()
    usefulness: Sequence[str] = ()

    @property
    def unit(self) -> object:
        """Whose contribution the noise hides; of a person, by which column."""
        privacy, data = self.values.get("privacy"), self.values.get("data")
        unit = privacy.get("unit") if isinstance(privacy, Mapping) else None
        return f"person, by column {data.get('person')!r}" if unit == "person" and isinstance(data, Mapping) else unit

    @property
    def ok(self) -> bool:
        """Whether it can run."""
        return not self.errors

    def document(self) -> dict[str, object]:
        """The JSON of `potluck check --json`."""
        head: dict[str, object] = {"ok": self.ok, "errors": self.errors, "warnings": self.warnings}
        if not self.ok:
            return head
        found = head | {
            "epsilon": dict(self.epsilon),
            "bytes_up_per_site_round": self.bytes_up,
            "seconds_per_round": self.seconds,
            "rounds": self.rounds,
            "grid": dict(self.grid),
            "values": dict(self.values),
            "rows": list(self.about),
            "data": {site: tally.document() for site, tally in self.data.items()},
            "files_not_found": dict(self.absent),
        }
        if self.trainings > 1:
            found["models"] = self.trainings
        if self.looks:
            found |= {"looks": self.looks, "bytes_up_per_site_look": self.bytes_look}
        if self.bytes_later is not None:
            found["bytes_up_per_site_later_round"] = self.bytes_later
        if self.bytes_up is not None:
            found["bytes_up_per_site"] = self.bytes_all
        more = {"forecast": self.forecast, "rate": self.rate, "signal": self.signal, "room": self.room}
        if self.useful is not None:
            more |= {"useful": self.useful}
            found["advice"] = [dict(one) for one in self.advice]
        return found | {name: dict(part) for name, part in more.items() if part is not None}

    def row_warnings(self) -> list[str]:
        """What the owners have to mind of their rows, a line each."""
        return told(self.data)

    def row_notes(self) -> list[str]:
        """What of their rows may be worth a look, a line each."""
        return noted(self.data)

    @property
    def bytes_all(self) -> int:
        """One site's in all rounds and looks, at most: the first, and later ones."""
        first = self.bytes_up or 0
        later = first if self.bytes_later is None else self.bytes_later
        sums = first + ((self.rounds or 1) - 1) * later if self.bytes_sums is None else self.bytes_sums
        return sums + self.looks * (self.bytes_look or 0)

    @property
    def can(self) -> str:
        """Whether `run` can begin as things are, of a plan that can run."""
        if not self.absent:
            return "can run"
        named = ", ".join(f"{key} ({file or 'names none'})" for key, file in self.absent.items())
        many = f"{len(self.absent)} {agree(len(self.absent), 'file is', 'files are')}"
        return f"can run here once {many} there: {named} not found"

    def summary(self) -> str:
        """One line of words: what it costs, or why it cannot run."""
        if self.errors:
            return f"cannot run: {self.errors[0]}"
        rounds, each = (self.rounds or 0) // self.sums_a_round, self.sums_a_round
        sums = f"{self.rounds if each == 1 else rounds} {agree(rounds, 'round', 'rounds')}"
        sums += f" of {each} sums" if each > 1 else ""
        sums += f" for {self.trainings} models, {self.trainings - 1} of them of folds" if self.trainings > 1 else ""
        if self.looks:
            sums += f", {self.looks} {agree(self.looks, 'look', 'looks')} at validation rows"
        most, one = "" if self.bytes_sums is None else "at most ", "round" if each == 1 else "sum"
        size = "" if self.bytes_up is None else f", {most}{self.bytes_up:,} bytes up a site and {one}"
        size += f" in words of {self.grid['bits']} bits" if size and "bits" in self.grid else ""
        size += "" if self.bytes_look is None else f" ({self.bytes_look:,} a look)"
        if self.bytes_later is not None:
            size += f" ({self.bytes_later:,} in a later one; at most {self.bytes_all:,} a site in all)"
        elif size and (self.rounds or 1) > 1:
            sites = len(self.epsilon)
            size += f", {self.bytes_all:,} a site in all, {sites * self.bytes_all:,} of all {sites}"
        pace = "" if self.seconds is None else f", about {self.seconds:.2g} s a {one} here"
        # A network's gradients take many times as long as the sum that is rehearsed.
        pace += " for the sum alone" if pace and self.room else ""
        cost = next(iter(self.epsilon.values()), None)
        spent = ", no noise" if cost is None else f", epsilon {cost:.4g} at each owner (unit {self.unit}, {NEIGHBOURS})"
        return sums + size + pace + spent

    def words(self) -> list[str]:
        """Of a plan that can run, what else is known before, a line each."""
        return [*filter(None, (self.noise, self.outlook, self.pace, self.needs)), *self.usefulness, *self.about]

    def __str__(self) -> str:
        first = [self.summary(), *self.words()] if self.ok else [f"cannot run: {line}" for line in self.errors]
        minded = (f"mind: {line}" for line in [*self.warnings, *self.row_warnings()])
        return "\n".join(map(visible, [*first, *minded]))

    __repr__ = __str__  # what a prompt and a notebook show

    def flat(self) -> Iterator[tuple[str, object]]:
        """Every key in force and the grid, dotted."""
        yield from dotted(self.values)
        yield from dotted(self.grid, "grid.")


def check(plan: Plan | str | Path, data: Sources | None = None, *, settings: Sequence[str] = ()) -> Verdict:
    """The verdict on a plan: can it run, what will it cost, what may come of it, and what is to be minded.

    Args:
        plan: a plan, or the TOML file of one. One that cannot be read is a verdict too.
        data: by site a frame, an array or a path, as `run` takes them; without it the plan's files, if here.
        settings: `key=value`, put over the plan in a file.

    Returns:
        Its errors (none: it can run), warnings, epsilon by owner, bytes, seconds and rounds.

    Raises:
        UsageError: what is given is no plan and no path. Whatever is wrong with a plan or with rows is in the verdict.

    Examples:
        >>> from importlib.resources import files
        >>> import potluck
        >>> plan = potluck.Plan.read(files("potluck") / "demo" / "heart.toml")
        >>> verdict = potluck.check(plan)
        >>> verdict.ok, verdict.rounds
        (True, 20)
        >>> round(verdict.epsilon["cleveland"], 3)
        1.0
        >>> potluck.check(plan.set("training.method", "newton")).ok
        False
    """
    try:
        plan = opened(plan, settings)
    except PotluckError as error:
        return Verdict([_line(one) for one in (error, *error.others)])
    errors, warnings = plan.problems(datetime.now(UTC))
    if errors:
        return Verdict(errors, warnings)
    try:
        found = task_of(plan.spec).estimate(plan, data)
    except PotluckError as error:
        return Verdict([_line(error)], warnings, absent=not_here(plan, data))
    return Verdict(
        [],
        [*warnings, *found.warnings, *risks(Case(plan.spec, {site: one.trained for site, one in found.data.items()}))],
        dict.fromkeys(plan.spec.federation.sites, promise(plan.spec)),
        found.bytes_up,
        found.seconds,
        plan.spec.sums,
        plan.values(),
        found.grid,
        found.forecast,
        found.outlook,
        found.data,
        not_here(plan, data),
        about_rows(plan.spec),
        found.rate,
        found.pace,
        plan.spec.looks,
        found.bytes_look,
        found.bytes_later,
        found.room,
        found.needs,
        found.signal,
        found.noise,
        found.bytes_sums,
        plan.spec.sums_a_round,
        plan.spec.trainings,
        found.useful,
        found.advice,
        found.usefulness,
    )


def _line(error: PotluckError) -> str:
    place = f"{error.where}: " if error.where else ""
    return f"{place}{error.what}" + (f". hint: {error.hint}" if error.hint else "")
