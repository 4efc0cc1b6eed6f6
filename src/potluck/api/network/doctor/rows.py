"""The policy, and the rows where it says they are: can they be opened, which columns, how many.

What is found of rows goes to the owner's own screen. Of a file's first line nothing is said: without a header it is
somebody's row. Whether the rows are as plans ask is in `fits`.
"""

from collections.abc import Generator, Iterator
from contextlib import closing, suppress

from msgspec.structs import replace

from potluck.api.draft.facts import MARKS
from potluck.api.draft.questions import first
from potluck.api.network.doctor.finding import Finding, failed
from potluck.core.errors import DataError, PotluckError
from potluck.core.plan import Data, Plan
from potluck.core.prose import agree, listed
from potluck.core.visible import visible
from potluck.learning.data.problems import Problems, carefully
from potluck.learning.data.source import Rows
from potluck.members.home import SiteHome
from potluck.owner.hours import ANY
from potluck.owner.policy import Policy, Source, exposed
from potluck.owner.reach import covers
from potluck.owner.requests import Requests
from potluck.owner.source import open_source
from potluck.parties.admission.proposal import read_of

LOOKED = 64
"""Columns whose numbers are looked at, and requests whose plans are."""
NAMED = 5
"""Columns of the policy that are named where they are absent."""


def policy(home: SiteHome, rules: Policy) -> Iterator[Finding]:
    """What the file says as a whole. It was read."""
    said = exposed(rules, home.policy)
    if said is not None:
        what, _, hint = said.partition(": ")
        yield Finding("policy", "bad", what, hint)
    allow = rules.allow
    lists = {"who": allow.who, "tasks": allow.tasks, "protect": allow.protect or allow.intersect}
    empty = [f"allow.{name}" for name, some in lists.items() if not some]
    if empty:
        what = f"it denies all: {listed(empty)} {agree(len(empty), 'allows', 'allow')} nothing"
        yield Finding("policy", "look", what, "edit policy.toml: potluck docs policy")
    elif said is None:
        yield Finding("policy", "good", "it can be read, and allows something")


def rows(home: SiteHome, rules: Policy, count: bool) -> Generator[Finding, None, bool]:
    """The source and its tables. count: rows are counted and databases asked; else files are opened alone.

    Gives whether plans may find rows in it."""
    source = rules.source
    if source.engine == "spark":
        yield Finding("rows", "unknown", "Spark is asked when a plan is", "potluck site preview asks it")
        return False
    if source.file is None and not count:
        return False
    try:
        found = open_source(source, home.folder, Data(), home.name)
        names = found.names()
        if len(names) == 1 and source.file is not None:
            what = "its first line has one column"
            hint = "parted by another mark? source.separator in the policy says it, or a plan"
            yield Finding("rows", "look", what, hint)
            return True
        many = _many(found, names) if count else None
    except PotluckError as error:
        yield failed("rows", error)
        return False
    absent = [one for one in rules.allow.columns if ANY not in one and one not in names]
    if absent:
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        what = f"allow.columns has names that the source has not: {', '.join(map(visible, absent[:NAMED]))}{more}"
        hint = "right where a plan names them (a file without a header, columns of another table), else a misspelling"
        yield Finding("rows", "look", what, hint)
    yield from _few(many, rules.allow.min_rows)
    if many and source.file is not None:
        allowed = [name for name in names if any(covers(one, name) for one in rules.allow.columns)]
        yield from _marks(home, source, allowed[:LOOKED])
    if many != 0:
        of = "" if many is None else f"{many:,} {agree(many, 'row', 'rows')} of "
        yield Finding("rows", "good", f"{of}{len(names)} {agree(len(names), 'column', 'columns')} can be read")
    return many != 0


def tables(home: SiteHome, rules: Policy, ask: bool) -> Iterator[Finding]:
    """The tables beside the rows, which plans may join. ask: databases are asked."""
    for name, one in rules.source.tables.items():
        if one.file is None and not ask:
            continue
        try:
            source = Source(file=one.file, url=one.url, url_file=one.url_file, query=one.query)
            open_source(source, home.folder, Data(), name).names()
        except PotluckError as error:
            yield failed("tables", error)
        else:
            yield Finding("tables", "good", f"{visible(name)} can be read")


def _marks(home: SiteHome, source: Source, names: list[str]) -> Iterator[Finding]:
    """Columns whose numbers have another decimal mark than they are read with, where no plan says so of all sites."""
    own = source.decimal or "."
    other = next(mark for mark in MARKS if mark != own)
    with suppress(DataError):
        as_it_is = open_source(replace(source, decimal=None), home.folder, Data(), home.name)
        odd = [
            name
            for name, facts in first(as_it_is, names, home.name).items()
            if facts.numbers[other] > facts.numbers[own] and facts.numbers[other] == facts.present
        ]
        if odd and (source.decimal or not any(plan.data.decimal == other for plan in _plans(home))):
            some = f"{', '.join(map(visible, odd[:NAMED]))}{' and others' if len(odd) > NAMED else ''}"
            what = f"numbers of {some} have another decimal mark than they are read with"
            hint = f'source.decimal = "{other}" in the policy says so of this file'
            hint += "" if source.decimal else "; right as it is where plans say data.decimal of all sites"
            yield Finding("rows", "look", what, hint)


def _plans(home: SiteHome) -> Iterator[Plan]:
    """The newest that were asked for here."""
    if home.requests.exists():
        with closing(Requests(home.requests)) as requests:
            yield from filter(None, map(read_of, requests.every()[-LOOKED:]))


def _few(many: int | None, fewest: int) -> Iterator[Finding]:
    if many == 0:
        yield Finding("rows", "bad", "there are no rows", "is it the right file, or the right query?")
    elif many is not None and many < fewest:
        what = f"there are {many:,} rows, and allow.min_rows lets no fewer than {fewest:,} take part"
        yield Finding("rows", "look", what, "add rows, or lower allow.min_rows")


def _many(found: Rows, names: tuple[str, ...]) -> int | None:
    """How many; None: more than are counted here, or they can be counted only as a plan declares them."""

    def counted(careful: bool) -> int:
        problems = Problems("rows", careful)
        with found.open(names[:1], None, problems, careful) as relation:
            return int(relation.rows(f"SELECT count(*) FROM {relation.source}")[0][0])  # noqa: S608  our own words

    with suppress(DataError):
        return carefully(counted)
    return None
