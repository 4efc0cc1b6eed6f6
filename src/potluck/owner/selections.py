"""What a site remembers of the rows behind exact sums, so that the difference of two sums is not of a few rows.

One exact sum tells little of a row; two over nearly the same rows tell their difference (a tracker: Denning, Denning
and Schwartz, "The tracker", ACM TODS 4(1), 1979). So of each run that this site was granted without noise its cells are
kept, as sketches under a key of this site's, and a new run with a cell that differs from one of them by fewer than
`allow.min_cell` rows, in a column that both open, waits for a person. So it does where rows came or went in between:
what both open of those is the same. The newest MOST cells are kept.

It does NOT find what more than two sums say together, nor what columns that stand for one another do. Against these
there is noise alone.
"""

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np

from potluck.core.errors import Refused
from potluck.core.prose import agree
from potluck.core.schema import readable
from potluck.learning.selection.cells import Cell, differing
from potluck.owner.store import File, as_our_errors, opened

MOST = 1 << 14
"""Cells that are remembered; each takes at most about 4 kB."""
MOST_OF_ONE = 1024
"""Cells of one run."""
SHOWN = 5
_FILE = File(
    "selections",
    0x706C736C,  # "plsl"
    """
CREATE TABLE runs (run TEXT PRIMARY KEY, plan TEXT NOT NULL, hash TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE cells (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs, known BLOB NOT NULL, what TEXT NOT NULL,
    part INTEGER NOT NULL, columns TEXT NOT NULL, rows INTEGER NOT NULL, sketch BLOB NOT NULL);
CREATE TABLE asked (run TEXT PRIMARY KEY, words TEXT NOT NULL);
CREATE INDEX by_rows ON cells (known, rows);
""",
    "a fresh one remembers no earlier run",
)


@dataclass(frozen=True, slots=True)
class Selected:
    """The cells of a run whose rows can be known again, each set of rows once. known: digest of the key and the columns
    by which they are: only cells with the same one can be compared; few: allow.min_cell."""

    cells: tuple[Cell, ...] = field(repr=False)
    known: bytes = field(repr=False)
    few: int


def selected(cells: Iterable[Cell], known: bytes, few: int) -> Selected:
    """Of all cells of a run. Raises Refused: there are too many to remember."""
    found: dict[tuple[int, bytes], Cell] = {}
    for cell in cells:
        if cell.sketch.any():
            key = cell.rows, cell.sketch.tobytes()
            before = found.setdefault(key, cell)
            of = before.of if cell.of in before.of.split(", ") else f"{before.of}, {cell.of}"
            found[key] = replace(before, of=of, columns=before.columns | cell.columns)
    if len(found) > MOST_OF_ONE:
        what = f"the plan opens numbers of more than {MOST_OF_ONE:,} groups of rows, more than a site remembers"
        raise Refused(what, where="policy", hint="ask for fewer cells, or leave allow.min_cell out")
    return Selected(tuple(found.values()), known, few)


class Selections:
    """The file of a home, opened by each call, so that site and verbs may use it at once. All raise UsageError,
    Refused: it cannot be used, or is another file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def near(self, run: str, hash_: str, mine: Selected) -> tuple[str, ...]:
        """A line for each cell of a run that differs by few rows from one of an earlier run, or of its own.

        For the owner alone: it says by how many. None of a run that was kept: its rows are those of then (`tie`).
        hash_: of the run's plan.
        """
        found: dict[str, None] = {}
        with self._opened() as db:
            if _kept(db, run):
                return ()
            for cell in mine.cells:
                for one, about in _earlier(db, run, hash_, cell, mine):
                    found.setdefault(f"{cell.of!r} of this plan and {one.of!r} of {about}{_apart(cell, one)}")
        for place, cell in enumerate(mine.cells):
            others = [one for one in mine.cells[:place] if one.part != cell.part]
            for one in _few(cell, others, mine.few):
                found.setdefault(f"{cell.of!r} and {one.of!r} of this plan{_apart(cell, one)}")
        lines = tuple(found)
        more = len(lines) - SHOWN
        return (*lines[:SHOWN], f"and {more} more such differences") if more > 0 else lines

    def asked(self, run: str, words: Sequence[str]) -> bool:
        """Whether a person was asked about a run with these words."""
        with self._opened() as db:
            return bool(
                db.execute("SELECT 1 FROM asked WHERE run = ? AND words = ?", (run, "\n".join(words))).fetchone()
            )

    def note(self, run: str, words: Sequence[str]) -> None:
        """A person is asked about a run with these words."""
        with self._opened() as db:
            db.execute("INSERT OR REPLACE INTO asked VALUES (?, ?)", (run, "\n".join(words)))
            db.execute("DELETE FROM asked WHERE rowid <= (SELECT max(rowid) FROM asked) - ?", (MOST_OF_ONE,))

    def keep(self, run: str, plan: str, hash_: str, mine: Selected, now: float) -> None:
        """Remember a run's cells, once. plan: its name; now: seconds since 1970. On the disk when this returns."""
        with self._opened() as db:
            if _kept(db, run):
                return
            db.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", (run, plan, hash_, now))
            query = "INSERT INTO cells (run, known, what, part, columns, rows, sketch) VALUES (?, ?, ?, ?, ?, ?, ?)"
            for one in mine.cells:
                sketch = zlib.compress(one.sketch.tobytes())
                db.execute(query, (run, mine.known, one.of, one.part, _list(one.columns), one.rows, sketch))
            db.execute("DELETE FROM cells WHERE seq <= (SELECT max(seq) FROM cells) - ?", (MOST,))
            db.execute("DELETE FROM runs WHERE run NOT IN (SELECT run FROM cells)")

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """One transaction, durable when it ends; another process waits for it."""
        with closing(opened(self._path, _FILE)) as db, as_our_errors(self._path, _FILE):
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")


def _kept(db: sqlite3.Connection, run: str) -> bool:
    return db.execute("SELECT 1 FROM runs WHERE run = ?", (run,)).fetchone() is not None


def _earlier(db: sqlite3.Connection, run: str, hash_: str, cell: Cell, mine: Selected) -> Iterator[tuple[Cell, str]]:
    """Cells of earlier runs that differ by few rows, and what is said of their run."""
    rows = db.execute(
        "SELECT what, part, columns, rows, sketch, plan, hash, at FROM cells JOIN runs USING (run)"
        " WHERE run != ? AND known = ? AND rows BETWEEN ? AND ? ORDER BY seq DESC",
        (run, mine.known, cell.rows - mine.few + 1, cell.rows + mine.few - 1),
    ).fetchall()
    others, about = [], {}
    for what, part, columns, count, sketch, plan, its, at in rows:
        one = Cell(what, part, _columns(columns), count, sketch=np.frombuffer(zlib.decompress(sketch), np.uint64))
        day = datetime.fromtimestamp(at, UTC).date()
        about[id(one)] = f"{'the same plan' if its == hash_ else f'plan {plan!r}'}, granted {day},"
        others.append(one)
    for one in _few(cell, others, mine.few):
        yield one, about[id(one)]


def _few(cell: Cell, others: Sequence[Cell], few: int) -> list[Cell]:
    """Which of these differ from a cell by some rows, but by fewer than `few`, in a column that both open."""
    near = [one for one in others if abs(one.rows - cell.rows) < few and one.columns & cell.columns]
    if not near:
        return []
    apart = differing(cell, np.stack([one.sketch for one in near])).tolist()
    return [one for one, buckets in zip(near, apart, strict=True) if 0 < buckets < few]


def _apart(cell: Cell, one: Cell) -> str:
    count = int(differing(cell, one.sketch[None, :])[0])
    return f" differ by {count} {agree(count, 'row', 'rows')}: what both open tells those apart"


def _list(columns: frozenset[str]) -> str:
    return msgspec.json.encode(sorted(columns)).decode()


def _columns(text: str) -> frozenset[str]:
    return frozenset(msgspec.json.decode(text, type=readable(list[str])))
