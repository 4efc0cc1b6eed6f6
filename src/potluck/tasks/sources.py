"""Where the rows of an in-process run come from: frames that the caller gives, or the plan's own files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from potluck.core import plan as core
from potluck.core.errors import PlanError
from potluck.core.party import Party
from potluck.learning.data.declared import resolve
from potluck.learning.data.joining import beside, joined
from potluck.learning.data.source import Rows, Source, limits_of, opened
from potluck.learning.data.table import Table, header
from potluck.learning.data.table import read as read_rows
from potluck.learning.data.tally import Tally
from potluck.learning.data.tally_words import required
from potluck.owner import source as _source  # noqa: F401  kinds of source that owners have
from potluck.tasks.sums.rows import rows_of

Sources = Mapping[str, Source | Mapping[str, Source]]
"""By site: its rows; or, where a plan joins a table, `rows` and the table, by name."""
ROWS = "rows"


class Written(Protocol):
    """A plan as its author wrote it. folder: where its files lie; where: what an error calls it."""

    spec: core.Plan
    folder: Path
    where: str

    def fits(self, spec: core.Plan) -> None:
        """Look at what could not be compared before column patterns were resolved. Raises PlanError."""
        ...


def sources(plan: Written, data: Sources | None) -> Mapping[str, Rows]:
    """The source of every site, by name. Raises PlanError: a site without data, or data without a site; as `opened`."""
    names = plan.spec.federation.sites
    given = data if data is not None else _files(plan)
    key = "data.files" if data is None else "data"
    for name in names:
        if name not in given:
            raise PlanError(
                f"{key}: there is none for site {name}", where=plan.where, hint="name a file for every site"
            )
    for name in given:
        if name not in names:
            hint = f"the sites are {', '.join(names)}"
            raise PlanError(f"{key}: {name} is no site of this plan", where=plan.where, hint=hint)
    return {name: _opened(plan, source, name, key) for name, source in given.items()}


def _files(plan: Written) -> Sources:
    """The plan's own, `site.table` beside `site`."""
    spec, files = plan.spec, {name: plan.folder / file for name, file in plan.spec.data.files.items()}
    tables = {f"{name}.{spec.data.join.table}": name for name in spec.federation.sites} if spec.data.join else {}
    found: dict[str, Source | Mapping[str, Source]] = {n: file for n, file in files.items() if n not in tables}
    for name, site in tables.items():
        if spec.data.join and site in files and name in files:
            found[site] = {ROWS: files[site], spec.data.join.table: files[name]}
    return found


def _opened(plan: Written, source: Source | Mapping[str, Source], site: str, key: str) -> Rows:
    """A site's rows, with the table that the plan joins to them. Raises PlanError: one of them is not given."""
    data, join = plan.spec.data, plan.spec.data.join
    given = source if isinstance(source, Mapping) and ROWS in source else {ROWS: source}
    rows = opened(given[ROWS], site, limits_of(data))
    if join is None:
        return rows
    name = join.table
    if name not in given:
        what = f"{key}: there is no table {name!r} of site {site}"
        hint = f'"{site}.{name}" beside "{site}" in data.files; in Python {{"rows": ..., "{name}": ...}}'
        raise PlanError(what, where=plan.where, hint=hint)
    return joined(rows, opened(given[name], beside(site, name), limits_of(data)), data, site)


def tables(
    plan: Written, data: Sources | None, read: Callable[[Source, core.Plan, str], Table] = rows_of
) -> tuple[core.Plan, dict[Party, Table]]:
    """The plan with its column patterns resolved, and every site's table. Raises DataError, naming site and column:
    a cell does not fit the plan, or of a whole column none does; PlanError: columns that patterns match do not fit a
    graph, or the model that the plan starts from."""
    given = sources(plan, data)
    spec = resolve(plan.spec, {name: header(given[name], plan.spec, name) for name in plan.spec.federation.sites})
    plan.fits(spec)
    found = {site: read(given[site.name], spec, site.name) for site in spec.sites}
    for site, table in found.items():
        required(table.tally, site.name)
    return spec, found


def by_site(plan: Written, data: Sources | None) -> tuple[core.Plan, dict[str, Table]]:
    """The same, by the names of sites."""
    spec, found = tables(plan, data)
    return spec, {site.name: table for site, table in found.items()}


def held(plan: Written, data: Sources | None) -> tuple[core.Plan, dict[str, Table]]:
    """As `by_site`, but rows that a run adds up while they are read are held."""
    spec, found = tables(plan, data, read_rows)
    return spec, {site.name: table for site, table in found.items()}


def not_here(plan: Written, data: Sources | None = None) -> dict[str, str | None]:
    """Files that `run` and `up` read and that are not here: by the plan's key, as the plan names them (None: it does
    not). Empty where it names no file of rows, which then are read across machines alone; data: or are given."""
    spec, files = plan.spec, plan.spec.data.files if data is None else {}
    readers = (spec.predict.client,) if spec.predict else spec.federation.sites
    names = [*readers, *(f"{name}.{spec.data.join.table}" for name in readers if spec.data.join)]
    wanted = {f"data.files.{name}": files.get(name) for name in names} if files else {}
    if spec.predict and spec.model and spec.model.file:
        wanted["model.file"] = spec.model.file
    return {key: file for key, file in wanted.items() if file is None or not (plan.folder / file).is_file()}


def none_read(missing: Mapping[str, str | None]) -> list[str]:
    """The warning of `check` where files are not here, or none."""
    if not missing:
        return []
    what = f"{len(missing)} not found here, so no rows were read: {', '.join(missing)}"
    return [f"data.files: {what}. hint: `run` and `up` need one for every site; across machines owners name their own"]


def tallies(found: Mapping[Party, Table]) -> dict[str, Tally]:
    """What became of the values, by site: for the owners, all of whom are here."""
    return {site.name: table.tally for site, table in found.items()}


def without_noise(spec: core.Plan) -> core.Plan:
    """The same plan with no noise: only where all rows are in one process anyway."""
    return msgspec.structs.replace(spec, privacy=core.PrivacyPlan(noise="none", unit=spec.privacy.unit))
