"""A text: a cell is the text itself, which a network takes as the places of its tokens, whole numbers [length].

How a text becomes tokens is said by a file of the `tokenizers` library: see `data.texts`.
"""

import msgspec

from potluck.core.errors import DataError
from potluck.core.plan import MOST_TOKENS, Column, required
from potluck.learning.data import tensor_column
from potluck.learning.data.column import Beside, ColumnKind, Field
from potluck.learning.data.files.cells import Reader
from potluck.learning.data.notation import Notation
from potluck.learning.data.texts.cells import TextReader
from potluck.learning.graph.schema import DIGEST


def check(at: str, column: Column, how: Notation) -> list[str]:
    """A tokenizer and a length."""
    if wrong := tensor_column.foreign(at, column, tensor_column.SPELLED, "a text"):
        return wrong
    if column.tokenizer is None and column.digest is None:
        hint = 'tokenizer = "tokenizer.json", a file of the Hugging Face library, beside the plan'
        return [f"{at}.tokenizer: says how a text becomes tokens. hint: {hint}"]
    if column.digest is not None and not DIGEST.fullmatch(column.digest):
        return [f"{at}.digest: is no hash. hint: sha256: and 64 digits, or leave it out"]
    if column.length is None or not 1 <= column.length <= MOST_TOKENS:
        return [f"{at}.length: says how many tokens a text has. hint: e.g. length = 128, at most {MOST_TOKENS}"]
    return []


def field(name: str, column: Column) -> Field:
    """With its tokenizer, as far as it is known, and its length."""
    tokenizer = msgspec.UNSET if column.digest is None else column.digest
    return Field(
        name=name, kind=column.kind, missing=column.missing, tokenizer=tokenizer, length=required(column.length)
    )


def fault(one: Field, how: Notation) -> list[str]:
    """A tokenizer or a length that is none."""
    length, digest = one.length, one.tokenizer
    if isinstance(length, int) and 1 <= length <= MOST_TOKENS and digest and DIGEST.fullmatch(digest):
        return []
    return [f"column {one.name!r} has a tokenizer or a length that is none"]


def reader(one: Field, beside: Beside) -> Reader:
    """Of texts. Raises DataError: the tokenizer is not here."""
    found = beside.tokenizers.get(one.tokenizer or "")
    if found is None:
        hint = "give the file that the plan names, or that lies beside the model"
        raise DataError(f"the tokenizer of column {one.name!r} is not here", hint=hint)
    return TextReader(found, one.length or 0, beside.fewest)


TEXT = ColumnKind(
    check=check,
    field=field,
    value=tensor_column.value,
    names=tensor_column.names,
    features=tensor_column.features,
    fault=fault,
    reader=reader,
    worded=True,
)
