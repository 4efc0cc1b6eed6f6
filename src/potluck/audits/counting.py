"""Sums of statistics as sites make them, for attacks: over rows that are here, and over made-up ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd

from potluck.audits.attack import Until
from potluck.audits.seen import Known, Seen
from potluck.core.asks import Ask, Kind
from potluck.core.fixed import decode, word
from potluck.core.party import Party, site
from potluck.core.plan import Plan, Protect
from potluck.core.rounds import Words
from potluck.core.stages import Floats, Opened
from potluck.dp.mechanism import Exact, Noised, guarded, mechanism
from potluck.learning.data.table import Table, read
from potluck.learning.data.units import Index, counted
from potluck.learning.statistics.statistics import StatisticsTask
from potluck.tasks.sources import without_noise

SITES = 3
"""Of a control."""


def bare(plan: Plan) -> Plan:
    """The plan at three sites, with nothing that protects."""
    sites = plan.federation.sites[:SITES]
    return msgspec.structs.replace(
        without_noise(plan),
        federation=msgspec.structs.replace(plan.federation, sites=sites, corrupt=0, dropouts=0),
        data=msgspec.structs.replace(plan.data, where=(), files={}),
        protect=Protect(scheme="clear"),
    )


def first_of(seen: Seen) -> list[Known]:
    """The first sums that were read: of each set of sites."""
    return [one for one in seen.sums if one.ask.kind is Kind.STATISTICS and one.ask.step == 0]


def read_of(plan: Plan, known: Known, until: Until) -> tuple[Floats, Floats]:
    """What is read of a sum [d], in real units, and the standard deviation of the noise in it: an enclave's, or that of
    sites. What a server adds by itself it does not read."""
    privacy = mechanism(plan, known.ask)
    if isinstance(privacy, Noised) and privacy.word == "reveal":
        if not privacy.within:
            return decode(known.words, privacy.grid), np.zeros(len(known.words))
        privacy = replace(privacy, within=False)
    settled = privacy.at_reveal(Opened(known.words, frozenset(map(site, known.of))), until.rng.bytes)
    return decode(settled.words, privacy.grid), settled.std


def rows_of(table: Table, some: Index) -> Table:
    """Some rows of a table."""
    return replace(
        table,
        features=table.features[some],
        target=table.target[some],
        test=table.test[some],
        person=None if table.person is None else table.person[some],
        columns={name: values[some] for name, values in table.columns.items()},
    )


def counted_of(plan: Plan, table: Table) -> Table:
    """The rows that count: with noise for persons the first few of each."""
    return rows_of(table, counted(plan, table.person, np.arange(table.rows)))


def units_of(table: Table) -> list[Index]:
    """The rows of each unit: a row, or all of a person."""
    if table.person is None:
        return list(np.arange(table.rows)[:, None])
    order = np.argsort(table.person, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(table.person[order])) + 1)


def sum_over(spec: Plan, rows: Mapping[str, Table], until: Until) -> Known:
    """The first sum of a plan without noise over these rows, as a server reads it. Raises Abort, PotluckError."""
    ask = next(StatisticsTask(spec).lead())
    words = sum((words_of(spec, ask, table, until) for table in rows.values()), nothing(spec, ask))
    return Known(1, ask, frozenset(rows), mechanism(spec, ask).grid, words)


def made_up(spec: Plan, lines: Mapping[Party, Sequence[Mapping[str, str]]]) -> dict[str, Table]:
    """Made-up rows as sites read them. Raises PotluckError."""
    return {one.name: read(pd.DataFrame(some), spec, one.name) for one, some in lines.items()}


def nothing(plan: Plan, ask: Ask) -> Words:
    """[d] a sum over no rows."""
    grid = mechanism(plan, ask).grid
    return np.zeros(grid.length, dtype=word(grid.bits))


def words_of(plan: Plan, ask: Ask, rows: Table, until: Until) -> Words:
    """[d] what a site with these rows adds, with its share of the noise."""
    draw = until.rng.bytes
    return guarded(mechanism(plan, ask), StatisticsTask(plan).contribute(ask, rows, draw), draw).words


def real(exact: Plan, rows: Table, until: Until) -> Floats:
    """[d] what these rows add to the first sum of a plan without noise, in real units."""
    asked = next(StatisticsTask(exact).lead())
    privacy = mechanism(exact, asked)
    assert isinstance(privacy, Exact)
    return np.asarray(decode(words_of(exact, asked, rows, until), privacy.grid))
