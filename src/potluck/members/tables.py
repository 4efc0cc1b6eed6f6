"""Reading TOML strictly: a closed set of keys, exact kinds, bytes as base64 that has one spelling only."""

import base64
import textwrap
import tomllib
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import tomli_w

from potluck.core.errors import UsageError
from potluck.core.schema import not_later, readable

S = TypeVar("S", bound=msgspec.Struct)
WIDTH = 76


def read(text: str, schema: type[S], where: str) -> S:
    """The struct that the text holds. Raises UsageError: not TOML, an unknown or missing key, another kind.
    Raises Refused: of a later version."""
    try:
        found = tomllib.loads(text)
        not_later(found, schema, "a file", where)
        return msgspec.convert(found, type=readable(schema), strict=True)
    except tomllib.TOMLDecodeError as error:
        raise malformed(f"not TOML: {error}", where) from None
    except (msgspec.ValidationError, RecursionError, ValueError) as error:
        raise malformed(str(error), where) from None


def write(table: msgspec.Struct, title: str) -> str:
    """The struct as TOML, under a comment of one line."""
    return f"# {title}\n" + tomli_w.dumps(msgspec.to_builtins(table, builtin_types=(datetime,)), multiline_strings=True)


def coded(raw: bytes) -> str:
    """Bytes as base64; long ones over several lines."""
    text = base64.b64encode(raw).decode()
    return text if len(text) <= WIDTH + 12 else "\n".join(textwrap.wrap(text, WIDTH)) + "\n"


def decoded(text: str, size: int, what: str, where: str) -> bytes:
    """The `size` bytes that `coded` wrote. Raises UsageError: another length or another spelling."""
    try:
        raw = base64.b64decode(text.replace("\n", ""), validate=True)
    except ValueError:
        raise malformed(f"{what} is not base64", where) from None
    if len(raw) != size:
        raise malformed(f"{what} has {len(raw)} bytes, not {size}", where)
    if coded(raw) != text:
        raise malformed(f"{what} is not spelt as it was written", where)
    return raw


def moment(seconds: int) -> datetime:
    """Unix seconds as a time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def seconds(time: datetime, what: str, where: str) -> int:
    """A time as whole unix seconds. Raises UsageError: no time zone, or a part of a second."""
    if time.tzinfo is None or time.microsecond:
        raise malformed(f"{what} is not a time in whole seconds with its zone", where)
    return int(time.timestamp())


def malformed(what: str, where: str) -> UsageError:
    """The error of a file that is not as this program writes it."""
    return UsageError(what, where=where, hint="was it changed or cut short? ask for it again")
