"""The coordinator's memory of one run: a SQLite file that lets it go on after being killed.

A round's number is durable before anything of the round leaves, a finished round's release before the next begins:
so no number is ever used twice, and finished rounds stand. It holds releases and who took part, no contribution.
One that was put back from a copy lacks rounds that the sites have begun: they say so (`caught_up`).
"""

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from potluck.core import private
from potluck.core.asks import Answer, Ask, Kind
from potluck.core.errors import Refused, UsageError
from potluck.core.party import SERVER, Party, Role, site
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Cause
from potluck.core.schema import later
from potluck.core.slices import slices
from potluck.core.stages import Floats, Grid
from potluck.dp.mechanism import mechanism, noise_of
from potluck.dp.reveal import recalled
from potluck.drivers.attempt import Attempt
from potluck.drivers.sums import Round
from potluck.parties.admission import tries
from potluck.parties.runners.told import entry_of, of_votes, round_of, votes_of

VERSION = 2
MOST_LOST = 100_000
_BEGAN = "began "
"""Prefix of the fact of a party's newest round that is not in here."""
LOST = "begun by a server that had more of this journal, which is a copy"
_SCHEMA = f"""
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE rounds (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, step INTEGER NOT NULL, state BLOB NOT NULL, began REAL NOT NULL,
    ended REAL, may_have_left INTEGER NOT NULL DEFAULT 0, opened INTEGER NOT NULL DEFAULT 0, cause TEXT,
    told TEXT
) STRICT;
CREATE TABLE numbers (
    round INTEGER NOT NULL, of TEXT NOT NULL, place INTEGER NOT NULL, part BLOB NOT NULL, PRIMARY KEY (round, of, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE sites (
    name TEXT PRIMARY KEY, verdict TEXT NOT NULL, codes TEXT NOT NULL, seen REAL NOT NULL, epsilon REAL, head BLOB
) STRICT, WITHOUT ROWID;
PRAGMA user_version = {VERSION};
"""
_COMPUTES = """
CREATE TABLE IF NOT EXISTS computes (
    name TEXT PRIMARY KEY, verdict TEXT NOT NULL, codes TEXT NOT NULL, seen REAL NOT NULL, epsilon REAL, head BLOB
) STRICT, WITHOUT ROWID;
"""
"""Compute parties, which may be called as sites are: a table that journals of plans without them lack."""


class Journal:
    """One run's journal, opened or made. See `drivers.sums.RunStore`."""

    def __init__(self, path: Path, plan: Plan) -> None:
        """Raises UsageError: cannot be written; Refused: of another version or damaged."""
        self._path = path
        self._plan = plan
        with _as_our_errors(path):
            fresh = not path.exists()
            if fresh:
                private.folder(path.parent, taken=True)
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, private.FILE))
            self._db = sqlite3.connect(path, isolation_level=None, timeout=5.0)
            self._db.execute("PRAGMA journal_mode = WAL")  # one wait for the disk a change, where others take four
            self._db.execute("PRAGMA synchronous = FULL")
            if self._db.execute("PRAGMA user_version").fetchone()[0] == 0:
                self._db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            found = self._db.execute("PRAGMA user_version").fetchone()[0]
            if found != VERSION:
                self._db.close()
                if found > VERSION:
                    raise later("a journal", found, VERSION, str(path))
                raise Refused("a journal of another version", where=str(path), hint="start over with --fresh")
            if plan.compute:
                self._db.execute(_COMPUTES)

    @classmethod
    def look(cls, path: Path, mode: Literal["ro", "rw"] = "ro") -> Self:
        """A journal to look at while its server writes it; rw: also to note facts in. Raises UsageError, Refused: not
        (yet) a journal."""
        journal = cls.__new__(cls)
        journal._path = path
        with _as_our_errors(path):
            journal._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=5.0, isolation_level=None
            )
            journal._db.execute("PRAGMA synchronous = FULL")
            found = journal._db.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            journal.close()
            raise later("a journal", found, VERSION, str(path))
        if found != VERSION or journal.fact("spec") is None:
            journal.close()
            raise Refused("is no journal of this version", where=str(path))
        return journal

    def begin(self, ask: Ask) -> int:
        """The next round number, durable before anything of the round leaves. Raises Refused: as `_in_order`."""
        self._in_order(ask)
        query = "INSERT INTO rounds (kind, step, state, began) VALUES (?, ?, ?, ?) RETURNING number"
        ((number,),) = self._do(query, ask.kind.value, ask.step, sha256(ask.state).digest(), time.time())
        return int(number)

    def caught_up(self, party: Party, begun: int, step: str) -> int:
        """A party began the round of this number, of this step: where it is not in here, it and those before it were
        begun by a server that had more of this journal. No number is taken again. Once more parties say so than may
        lie, these rounds stand as tries in which contributions may have left. Gives how many were unknown. Raises
        Abort(MALFORMED): no such step, or more rounds than a run of the plan has."""
        query = "SELECT coalesce(max(number), 0), coalesce(max(number) FILTER (WHERE cause IS NOT ?), 0) FROM rounds"
        ((last, own),) = self._do(query, LOST)
        if begun <= own:
            return 0
        if begun - own > MOST_LOST or not tries.possible(self._plan, begun - own, step):
            raise Abort(Cause.MALFORMED, party=party, detail="rounds that this run cannot have had")
        now, kind = time.time(), (self._plan.traits.kind or Kind.PREDICT).value
        with self._at_once():
            for number in range(last + 1, begun + 1):
                query = "INSERT INTO rounds VALUES (?, ?, -1, ?, ?, ?, 0, 0, ?, NULL)"
                self._do(query, number, kind, bytes(32), now, now, LOST)
            self.note(f"{_BEGAN}{party.role.value} {party.name}", json.dumps([begun, step]))
            said = sorted(map(json.loads, self.facts(_BEGAN)), reverse=True)[self._plan.federation.corrupt :]
            sure, its = said[0] if said else (0, "")
            query = "UPDATE rounds SET may_have_left = 1 WHERE cause = ? AND may_have_left = 0 AND number <= ?"
            if self._do(f"{query} RETURNING number", LOST, sure):
                self.note("lost step", its)
        return max(0, begun - int(last))

    def _in_order(self, ask: Ask) -> None:
        """Raises Refused: sites have begun a later step than the next one, with a noised release that is gone."""
        lost = self.fact("lost step")
        if lost and self._plan.noisy and lost != f"{ask.kind.value}/{ask.step}":
            what = f"a noised release is gone: this journal is a copy that ends before {ask.kind.value} {ask.step + 1}"
            hint = "start a new run with --fresh; what was spent stays spent. Put back the newest copy, if there is one"
            raise Refused(f"{what}, and sites have begun {lost} with it", where=str(self._path), hint=hint)
        if lost:
            self.note("lost step", "")

    def may_leave(self, number: int) -> None:
        """From now on contributions of this round may have left a site. Durable before they are asked for."""
        self._do("UPDATE rounds SET may_have_left = 1 WHERE number = ?", number)

    def agree(self, kind: Kind, sites: frozenset[Party]) -> None:
        """A sum of this kind is about to be said to be over these sites. The first word stands."""
        names = json.dumps(sorted(one.name for one in sites))
        self._do("INSERT OR IGNORE INTO facts VALUES (?, ?)", f"agreed {kind.value}", names)

    def agreed(self, kind: Kind) -> frozenset[Party]:
        """Over whom the first sum of a kind was said to be; empty where none was."""
        return frozenset(site(name) for name in json.loads(self.fact(f"agreed {kind.value}") or "[]"))

    def ended(self, ask: Ask, number: int, attempt: Attempt) -> None:
        """A round ended without an answer."""
        told, cause = json.dumps(entry_of(attempt.lost, attempt, 0.0)), str(attempt.abort)[:500]
        self._do("UPDATE rounds SET ended = ?, cause = ?, told = ? WHERE number = ?", time.time(), cause, told, number)

    def opened(self, done: Round, answer: Answer, attempt: Attempt) -> None:
        """A round ended with an answer: it stands."""
        release = answer.release
        givers = sorted(party.name for party in release.givers)
        told = json.dumps(entry_of(attempt.lost, attempt, done.seconds) | {"givers": givers} | of_votes(answer.votes))
        with self._at_once():
            self._keep(done.number, "values", release.values)
            if release.std.any():  # exact: none is kept
                self._keep(done.number, "std", release.std)
            self._do("UPDATE rounds SET opened = 1, ended = ?, told = ? WHERE number = ?", done.when, told, done.number)

    def finished(self, done: Round) -> None:
        """A round that is no sum ended well: it stands."""
        told = json.dumps(entry_of({}, Attempt(None, None, done.traffic), done.seconds))
        self._do("UPDATE rounds SET opened = 1, ended = ?, told = ? WHERE number = ?", done.when, told, done.number)

    def stands(self, ask: Ask) -> Round | None:
        """The finished round of an ask that is no sum."""
        query = "SELECT number, ended, told FROM rounds WHERE kind = ? AND step = ? AND opened = 1"
        found = self._do(query, ask.kind.value, ask.step)
        return round_of(ask, found[0][0], found[0][1], json.loads(found[0][2])) if found else None

    def recall(self, ask: Ask) -> tuple[Round, Answer] | None:
        """The finished round of this ask. Raises Refused: it was on another model, so the journal is not this run's."""
        query = "SELECT number, state, ended, told FROM rounds WHERE kind = ? AND step = ? AND opened = 1"
        found = self._do(query, ask.kind.value, ask.step)
        if not found:
            return None
        number, state, ended, told = found[0]
        if state != sha256(ask.state).digest():
            raise Refused("the journal is of another run", where=str(self._path), hint="start over with --fresh")
        known = json.loads(told)
        givers = frozenset(site(name) for name in known["givers"])
        votes = votes_of(known)
        how = mechanism(self._plan, replace(ask, blocks=()) if votes and votes.down else ask)
        values = self._kept(number, "values", how.grid, always=True)
        std = self._kept(number, "std", how.grid, always=noise_of(how) is not None)
        return round_of(ask, number, ended, known), Answer(recalled(values, std, givers), how.grid, votes=votes)

    def _keep(self, number: int, of: str, numbers: Floats) -> None:
        for part in slices(len(numbers)):
            data = numbers[part].astype("<f8", copy=False).tobytes()
            self._do("INSERT INTO numbers VALUES (?, ?, ?, ?)", number, of, part.start, data)

    def _kept(self, number: int, of: str, grid: Grid, always: bool) -> Floats:
        """What was kept of a round; zeros where nothing was, and may be. Raises Refused: not all of it is there."""
        found, end = np.zeros(grid.length), 0
        with _as_our_errors(self._path):
            query = "SELECT place, part FROM numbers WHERE round = ? AND of = ? ORDER BY place"
            for place, part in self._db.execute(query, (number, of)):
                if place != end or len(part) % 8 or end + len(part) // 8 > grid.length:
                    raise self._damaged()
                end += len(part) // 8
                found[place:end] = np.frombuffer(part, "<f8")
        if end < grid.length and (end or always):
            raise self._damaged()
        return found

    def _damaged(self) -> Refused:
        return Refused("the journal is damaged", where=str(self._path), hint="start over with --fresh")

    def unopened(self) -> int:
        """How many rounds began, came to nothing, and may have let contributions leave: each is a redone one."""
        ((many,),) = self._do("SELECT count(*) FROM rounds WHERE opened = 0 AND may_have_left = 1")
        return int(many)

    def rounds(self) -> list[dict[str, Any]]:
        """Every round in order, for `status` and the report: number, kind, step, times, cause, and what was told."""
        query = "SELECT number, kind, step, began, ended, opened, cause, told FROM rounds ORDER BY number"
        names = ("number", "kind", "step", "began", "ended", "opened", "cause")
        return [
            dict(zip(names, row[:7], strict=True)) | (json.loads(row[7]) if row[7] else {}) for row in self._do(query)
        ]

    def paid(self) -> Mapping[tuple[str, Kind], int]:
        """(site, kind) -> how many of its contributions are known to have left, for the running count of epsilon."""
        found: dict[tuple[str, Kind], int] = {}
        for one in self.rounds():
            for name in one.get("paid", ()):
                key = (name, Kind(one["kind"]))
                found[key] = found.get(key, 0) + 1
        return found

    def fact(self, name: str) -> str | None:
        """A fact of the run: its name, when it began, the plan's text."""
        found = self._do("SELECT value FROM facts WHERE name = ?", name)
        return str(found[0][0]) if found else None

    def facts(self, prefix: str) -> list[str]:
        """The values of all facts whose names begin so, in the order of their names."""
        query = "SELECT value FROM facts WHERE substr(name, 1, ?) = ? ORDER BY name"
        return [str(row[0]) for row in self._do(query, len(prefix), prefix)]

    def note(self, name: str, value: str) -> None:
        """Write a fact down; it replaces an earlier one of that name."""
        self._do("INSERT OR REPLACE INTO facts VALUES (?, ?)", name, value)

    def note_all(self, facts: Mapping[str, str]) -> None:
        """Write several facts down, all of them or none."""
        with self._at_once():
            for name, value in facts.items():
                self.note(name, value)

    def heard(self, party: Party, verdict: str, codes: tuple[str, ...], version: int, file: bytes) -> None:
        """What a site or compute party said last, and version and digest of the federation file that it goes by."""
        query = (
            f"INSERT INTO {_table(party.role)} (name, verdict, codes, seen) VALUES (?, ?, ?, ?)"  # noqa: S608 - a name of ours
            " ON CONFLICT (name) DO UPDATE SET verdict = excluded.verdict, codes = excluded.codes, seen = excluded.seen"
        )
        self._do(query, party.name, verdict, json.dumps(codes), time.time())
        self.note(f"file {party.role.value} {party.name}", json.dumps([version, file.hex()]))

    def file(self, party: Party) -> tuple[int, bytes] | None:
        """Version and digest of the federation file by which one goes, of the server the one that the run began with;
        None: not heard yet."""
        text = self.fact("file" if party == SERVER else f"file {party.role.value} {party.name}")
        if text is None:
            return None
        version, digest = json.loads(text)
        return int(version), bytes.fromhex(digest)

    def goes_by(self, version: int, file: bytes) -> None:
        """The federation file by which the run goes. It is bound to it with its first round."""
        self.note("file", json.dumps([version, file.hex()]))

    def closed(self, party: Party, epsilon: float | None, head: bytes) -> None:
        """Its last word."""
        query = f"UPDATE {_table(party.role)} SET epsilon = ?, head = ? WHERE name = ?"  # noqa: S608 - a name of ours
        self._do(query, epsilon, head, party.name)

    def sites(
        self, role: Role = Role.SITE
    ) -> list[tuple[str, str, tuple[str, ...], float, float | None, bytes | None]]:
        """(name, verdict, codes, seen, epsilon, head) of every site, or compute party, that was heard."""
        names = "name, verdict, codes, seen, epsilon, head"
        query = f"SELECT {names} FROM {_table(role)} ORDER BY name"  # noqa: S608 - names of ours
        rows = self._do(query)
        return [(n, v, tuple(json.loads(c)), seen, epsilon, head) for n, v, c, seen, epsilon, head in rows]

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextlib.contextmanager
    def _at_once(self) -> Iterator[None]:
        """What is changed within is durable all together, when this ends; none of it where it ends in an error."""
        self._do("BEGIN IMMEDIATE")
        try:
            yield
            self._do("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def _do(self, query: str, *values: object) -> list[Any]:
        """The rows that a query gives. What it changes is durable when this returns."""
        with _as_our_errors(self._path):
            return self._db.execute(query, values).fetchall()


def _table(role: Role) -> str:
    return "computes" if role is Role.COMPUTE else "sites"


@contextlib.contextmanager
def _as_our_errors(path: Path) -> Iterator[None]:
    """What the file system and SQLite say, said as our errors."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        hint = "check the folder, its permissions and its space; what was written stands: start again to go on"
        raise UsageError(f"the journal cannot be used ({error})", where=str(path), hint=hint) from None
    except sqlite3.DatabaseError:
        raise Refused("is no journal, or is damaged", where=str(path), hint="start over with --fresh") from None
