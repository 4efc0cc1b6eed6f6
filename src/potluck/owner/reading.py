"""Policy files -> `policy.Policy`. What does not fit is a UsageError: file, key, nearest known; never an address."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_origin

from potluck.core import private
from potluck.core.bounds import Bounds, outside
from potluck.core.errors import UsageError, reason
from potluck.core.strict import Strict
from potluck.learning.data.check import of_files
from potluck.mpc.peers import place
from potluck.owner.hours import ANY, span
from potluck.owner.policy import LONGEST, Allow, Approve, Engine, Notify, Policy, Source, TableSource
from potluck.secret.container import Secret

LINK = re.compile(r"(https://[a-z0-9.-]+|http://localhost)(:[1-9][0-9]{0,4})?")
"""Where pages are, without a path."""


def read(path: Path) -> Policy:
    """The policy in a file. Raises UsageError: it is not there, cannot be read, or says what is not known."""
    try:
        with private.regular(path) as file:
            data = file.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise UsageError("is too long for a policy", where=str(path), hint=f"at most {LONGEST} bytes")
        return parse(data.decode("utf-8-sig"), str(path))
    except FileNotFoundError:
        raise UsageError("no such policy", where=str(path), hint="`potluck site new` writes one") from None
    except (OSError, UnicodeDecodeError) as error:
        hint = "a policy is TOML in UTF-8, readable by its owner"
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path), hint=hint) from None


def parse(text: str, where: str) -> Policy:
    """The policy that a text says. Raises UsageError at the first key that does not fit."""
    form = Strict(
        where,
        UsageError,
        prepare=_prepared,
        make={Secret: lambda text: Secret(text.encode())},
        renamed={"allow.servers": "allow.compute"},
        missing="potluck docs policy lists all keys",
        shown=_shown,
    )
    tables = _tables(text, where)
    policy = form.struct(Policy, tables)
    if "source" in tables or "engine" not in tables:  # a compute party has an engine, and no rows
        _source(policy.source, "source", where)
        for name, one in policy.source.tables.items():
            _source(one, f"source.tables.{name}", where)
    _engine(policy.engine, where)
    for line in outside(policy, Bounds):
        what, _, hint = line.partition(". hint: ")
        raise UsageError(what, where=where, hint=hint)
    _hours(policy.allow, where)
    _approvers(policy.approve, where)
    _notify(policy.notify, where)
    return policy


def _tables(text: str, where: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # beyond TOMLDecodeError: numbers of many digits, deep nesting
        place = re.search(r"at (?:line \d+, column \d+|end of document)", str(error))
        what = f"not TOML {place.group()}" if place else "not TOML"
        raise UsageError(what, where=where, hint="texts need quotes, keys need `=` and are written once") from None


def _prepared(kind: object, value: object) -> object:
    """ "*" alone is a list of it."""
    return [value] if get_origin(kind) is tuple and value == ANY else value


def _source(source: Source | TableSource, at: str, where: str) -> None:
    """One source, said one way. An address under `file` is not shown: it may hold a password."""
    given = [name for name in ("file", "url", "url_file") if getattr(source, name) is not None]
    if len(given) != 1:
        what = f"{at} needs one of file, url and url_file, and has {' and '.join(given) or 'none'}"
        raise UsageError(what, where=where, hint="keep one of them")
    for name in ("file", "url_file", "folder"):
        text = getattr(source, name, None)
        if text is not None and (not text.strip() or not text.isprintable() or "://" in text):
            raise UsageError(f"{at}.{name} is no path", where=where, hint=f"an address goes under {at}.url")
    if isinstance(source, Source) and source.file is not None and source.engine != "duckdb":
        hint = "leave engine out: a file is read by DuckDB; in Spark a query names it, beside url"
        raise UsageError(f'{at}.engine = "{source.engine}" goes with a query', where=where, hint=hint)
    if isinstance(source, Source):
        _form(source, at, where)
    if source.file is not None and source.query is not None:
        raise UsageError(f"{at}.query goes with a database", where=where, hint="leave it out beside source.file")
    if source.file is None and not (source.query or "").strip():
        raise UsageError(f"{at}.query is missing", where=where, hint='query = "select ..." says which rows')


def _form(source: Source, at: str, where: str) -> None:
    """How its files are written."""
    said = [name for name in ("separator", "encoding", "decimal") if getattr(source, name) is not None]
    files = source.file is not None or any(one.file is not None for one in source.tables.values())
    if said and not files:
        raise UsageError(f"{at}.{said[0]} goes with a file", where=where, hint="leave it out beside a database")
    for line in of_files(source.separator or ",", source.encoding or "utf-8"):
        what, _, hint = line.partition(". hint: ")
        raise UsageError(what.replace("data.", f"{at}.", 1), where=where, hint=hint)


def _engine(engine: Engine, where: str) -> None:
    if engine.address is not None and not ports(engine.address):
        hint = 'address = "compute.example:9400", or "compute.example:9400-9407" for several runs at once'
        raise UsageError("engine.address is not host:port, or host:first-last", where=where, hint=hint)
    for one in engine.peers:
        if one != ANY and place(one) is None:
            hint = 'peers = ["beta.example:9400-9407"]: a host, or a host and its ports'
            raise UsageError(f"engine.peers has {_shown(one)}, which is no address", where=where, hint=hint)


def ports(address: str) -> Sequence[str]:
    """Every host:port of an address, which may name a range of ports; empty where it is none."""
    found = place(address)
    if found is None or not found.ported:
        return ()
    host = address.rsplit(":", 1)[0]
    return [f"{host}:{port}" for port in found.ports]


def _hours(allow: Allow, where: str) -> None:
    for entry in allow.hours or ():
        if span(entry) is None:
            hint = 'e.g. "08:00-18:00", "mon-fri 08:00-18:00", "sat", "*"'
            raise UsageError(f"allow.hours does not know {_shown(entry)}", where=where, hint=hint)


def _approvers(approve: Approve, where: str) -> None:
    if approve.rule == "policy" and approve.people != 1:
        hint = 'with rule = "policy" nobody is asked; "person" and "hash" count people'
        raise UsageError('approve.people = 2 does not go with rule = "policy"', where=where, hint=hint)


def _notify(notify: Notify, where: str) -> None:
    for one in notify.command:
        if not one.strip() or not one.isprintable():
            hint = 'command = ["tell.sh", "--urgent"]: a program, and what it is given; no shell reads it'
            raise UsageError("notify.command is no list of printable texts", where=where, hint=hint)
    if notify.link is not None and not LINK.fullmatch(notify.link):
        hint = 'link = "https://potluck.hospital.example", as `site web --origin` has it'
        raise UsageError("notify.link is no address of pages", where=where, hint=hint)


def _shown(word: object) -> str:
    """A text of the file as it may be printed, on one line and short. An address may hold a password: not said."""
    text = str(word)
    if "://" in text:
        return "(an address)"
    return ascii(text if len(text) <= 80 else f"{text[:80]}...")
