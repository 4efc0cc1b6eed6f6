"""JSON as files of ours are read: a key that comes twice, a number that is none, and depth are refused."""

import json

from potluck.core.errors import GraphError
from potluck.core.strict import Twice, once

MOST_HEADER = 4 * 2**20
"""Bytes of a header."""


def loads(data: bytes, where: str) -> object:
    """What a header says. Raises GraphError."""
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=_no_number)
    except Twice as twice:
        raise GraphError(f"has a key twice: {twice.key[:80]!r}", where=where, hint=_HINT) from None
    except (ValueError, RecursionError):
        raise GraphError("is no JSON that can be read", where=where, hint=_HINT) from None


_HINT = "take the file as `potluck graph make` wrote it"


def _no_number(word: str) -> object:
    raise ValueError(word)
