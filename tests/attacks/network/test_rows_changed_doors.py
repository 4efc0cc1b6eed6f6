"""The rows of a site change in the middle of a run by another door than its file: a table that is joined to them, a
view or a query of a database, the rows of a person that are reduced to one, sums that are added up while rows are read.

The attacker is that of `test_rows_changed`: it opens one exact sum twice under one approval, a site being started again
in between. Each control takes the tie out, and the difference of the two sums tells what changed.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pytest

from potluck.core.errors import Refused
from potluck.core.party import site
from potluck.core.rounds import Record
from potluck.learning.loops import build
from potluck.tasks import tie
from support.parties import across, scene
from support.parties.across import Across, parties, quick

RUN = "ab" * 16
NEW = 2.25
"""The value of x that is there afterwards: in a row of its own, or in place of the first row's."""


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("doors"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


def number(missing: str = "refuse") -> Mapping[str, object]:
    return {"kind": "number", "low": -3, "high": 3, "missing": missing}


def means(**data: object):
    """A plan of the count and the sum of x."""
    plan = scene.plan().set("task", "statistics")
    plan = plan.set("data", {"columns": {"x": number()}, "max_rows": 1000} | data)
    return quick(plan.set("statistics", [{"name": "n", "kind": "count"}, {"name": "s", "kind": "sum", "column": "x"}]))


@dataclass(frozen=True)
class Door:
    """How rows get to a site. before, after: of (folder, rows), what is there in the first and in the second reading;
    policy: what stands in place of the file's line; data: of the plan; added: by how much the count grows, 0 where one
    value takes another's place."""

    policy: str
    before: Callable[..., None]
    after: Callable[..., None]
    data: Mapping[str, object]
    added: int = 0


def lines(path, frame: pd.DataFrame) -> None:
    frame.to_csv(path, index=False)


def keyed(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(id=[f"p{row}" for row in range(len(frame))])


def moved(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, but for the first one's x."""
    return frame.assign(x=[NEW, *frame.x[1:]])


def grown(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, pd.DataFrame({"x": [NEW], "z": [0.0], "y": [1]})])


def in_duckdb(folder, frame: pd.DataFrame) -> None:
    (folder / "rows.duckdb").unlink(missing_ok=True)
    with duckdb.connect(folder / "rows.duckdb") as made:
        made.sql("CREATE TABLE kept AS SELECT * FROM frame")
        made.sql("CREATE VIEW seen AS SELECT * FROM kept")


def in_sqlite(folder, frame: pd.DataFrame) -> None:
    with sqlite3.connect(folder / "rows.sqlite") as made:
        frame.to_sql("kept", made, index=False, if_exists="replace")
    made.close()


def joined(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[..., None]:
    def put(folder, frame: pd.DataFrame) -> None:
        lines(folder / "rows.csv", keyed(frame)[["id", "z", "y"]])
        lines(folder / "labs.csv", keyed(change(frame))[["id", "x"]])

    return put


def visits(folder, frame: pd.DataFrame, more: bool) -> None:
    """Two rows of each person, of whom the largest x counts; then a third one of the first person."""
    rows = pd.concat([keyed(frame), keyed(frame.assign(x=-3.0))])
    rows = pd.concat([rows, pd.DataFrame({"id": ["p0"], "x": [NEW], "z": [0.0], "y": [0]})]) if more else rows
    lines(folder / "rows.csv", rows)


DOORS = {
    "a file": Door(
        'file = "rows.csv"',
        lambda folder, frame: lines(folder / "rows.csv", frame),
        lambda folder, frame: lines(folder / "rows.csv", grown(frame)),
        {},
        1,
    ),
    "a table that is joined": Door(
        'file = "rows.csv"\n[source.tables.labs]\nfile = "labs.csv"',
        joined(lambda frame: frame),
        joined(moved),
        {"join": {"table": "labs", "on": "id", "columns": ["x"]}},
    ),
    "a view of a DuckDB file": Door(
        'url = "duckdb:///rows.duckdb"\nquery = "SELECT x FROM seen"',
        in_duckdb,
        lambda folder, frame: in_duckdb(folder, grown(frame)),
        {},
        1,
    ),
    "a query of SQLite": Door(
        'url = "sqlite:///rows.sqlite"\nquery = "SELECT x FROM kept"',
        in_sqlite,
        lambda folder, frame: in_sqlite(folder, grown(frame)),
        {},
        1,
    ),
    "rows of a person": Door(
        'file = "rows.csv"',
        lambda folder, frame: visits(folder, frame, more=False),
        lambda folder, frame: visits(folder, frame, more=True),
        {"person": "id", "reduce": {"columns": {"x": {"kind": "max"}}}},
    ),
}


FAST = ("a table that is joined",)


@pytest.fixture(params=[name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in DOORS])
def door(request):
    return DOORS[request.param]


def told(fed, door: Door, spec):
    """The difference of one sum opened twice: a's rows change in between, and a is started again."""
    folder, frame = fed.folder / "a", scene.frames("a")["a"]
    frame = frame.assign(x=np.clip(frame.x, -2, 2))  # NEW is the largest
    door.before(folder, frame)
    policy = folder / "policy.toml"
    policy.write_text(policy.read_text().replace('file = "rows.csv"', door.policy))
    for name in "bcd":
        theirs = fed.folder / name
        lines(theirs / "rows.csv", keyed(scene.frames(name)[name].clip(-2, 2)))
        lines(theirs / "labs.csv", keyed(scene.frames(name)[name].clip(-2, 2))[["id", "x"]])
        if "source.tables" in door.policy:
            text = (theirs / "policy.toml").read_text()
            (theirs / "policy.toml").write_text(text.replace('file = "rows.csv"', door.policy))
    ask = next(build(spec).lead())
    with fed.coordinator(spec, RUN, wait=30.0) as (coordinator, journal), fed.attending(*"bcd"):
        sums = []
        for change in (None, door.after):
            if change:
                change(folder, frame)
                coordinator.participants.doubt(site("a"))
            with fed.attending("a"):
                if not change:
                    coordinator.gather()
                found = coordinator.attempt(ask, journal.begin(ask), {}, parties("abcd"))
                if found.abort:
                    raise found.abort
                sums.append(found.answer.release.values)
    return sums[1] - sums[0], frame.x[0]


def test_server_cannot_read_off_what_changed_whichever_door_rows_come_by(fed, door):
    with pytest.raises(Refused, match=r"a cannot carry it out \(rows_changed\)"):
        told(fed, door, means(**door.data))
    assert any(f"the rows here are not those that run {RUN} of p began with" in text for text in fed.heard["a"])


def test_control_a_site_that_is_not_tied_to_its_rows_tells_it(fed, door, monkeypatch):
    monkeypatch.setattr(tie.Tie, "record", lambda self, run: Record(f"rows/{run}", b"", again=True))
    difference, first = told(fed, door, means(**door.data))
    assert difference == pytest.approx([door.added, NEW - (0 if door.added else first)], abs=1e-6)
