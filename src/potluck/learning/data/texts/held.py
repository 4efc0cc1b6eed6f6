"""Tokenizers beside a model: each in a file that is called by its hash, as a run writes it."""

from collections.abc import Sequence
from pathlib import Path

from potluck.core import private
from potluck.core.errors import UsageError, reason
from potluck.core.slices import digest_of
from potluck.learning.data.encode import Encoding, worded
from potluck.learning.data.texts import tokenizer
from potluck.learning.data.texts.table import MOST_BYTES
from potluck.learning.data.texts.worded import Tokenizers

ENDING = ".tokenizer.json"


def write(folder: Path, tokenizers: Tokenizers) -> None:
    """Files for their owner alone. Raises OSError."""
    for digest, one in tokenizers.items():
        private.write(folder / _name(digest), one.content)


def of(how: Encoding, folders: Sequence[Path]) -> Tokenizers:
    """The tokenizers of a model's columns, from the first folder that has each. Raises UsageError: one is not there, or
    is another; DataError: it is none."""
    return {digest: _found(digest, folders) for one in worded(how) if (digest := one.tokenizer or "")}


def _found(digest: str, folders: Sequence[Path]) -> tokenizer.Tokenizer:
    path = next((folder / _name(digest) for folder in folders if (folder / _name(digest)).is_file()), None)
    if path is None:
        hint = f"put it beside the model, as {_name(digest)}"
        raise UsageError(f"the tokenizer {digest} of its texts is not here", where=str(folders[0]), hint=hint)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot be read ({reason(error)})", where=str(path)) from None
    if digest_of(content) != digest:
        raise UsageError("this is not the tokenizer that the model file names", where=str(path))
    return tokenizer.read(content)


def _name(digest: str) -> str:
    return f"{digest.removeprefix('sha256:')}{ENDING}"
