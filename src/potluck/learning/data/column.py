"""A kind of column as one object: how its cells are read, and what features they become.

A kind is a file in `kinds/` and a line in its table. Words that mean "no value" and declared values are compared as
`notation` says, whatever the kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import msgspec

from potluck.core.plan import Column
from potluck.core.registry import Registry, table
from potluck.core.stages import Floats
from potluck.core.tables.derived import Derive
from potluck.learning.data.files.cells import Reader
from potluck.learning.data.files.store import Store
from potluck.learning.data.notation import Notation, key
from potluck.learning.data.problems import spelled
from potluck.learning.data.sql.layers import Layer
from potluck.learning.data.sql.values import Cell
from potluck.learning.data.texts.worded import Tokenizers


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One encoded column. low, high: of a number; values: of a category; reference: the one of them that is no feature
    (unset: each is one); missing: what a missing value does; format: of a date; shape: of a tensor; tokenizer,
    length: of a text, sha256:... and how many tokens, of a string how many characters; alphabet: of a string; derive:
    what it is made of, where it stands in no source. fill: of a number whose gaps are filled, with what, as it is
    encoded (unset: nobody knows its mean yet)."""

    name: str
    kind: str
    low: float = -1.0
    high: float = 1.0
    values: tuple[str, ...] = ()
    missing: Literal["refuse", "drop", "flag", "mean"] = "refuse"
    reference: str | msgspec.UnsetType = msgspec.UNSET
    format: str | msgspec.UnsetType = msgspec.UNSET
    derive: Derive | msgspec.UnsetType = msgspec.UNSET
    shape: tuple[int, ...] | msgspec.UnsetType = msgspec.UNSET
    tokenizer: str | msgspec.UnsetType = msgspec.UNSET
    length: int | msgspec.UnsetType = msgspec.UNSET
    alphabet: str | msgspec.UnsetType = msgspec.UNSET
    fill: float | msgspec.UnsetType = msgspec.UNSET

    @property
    def referred(self) -> bool:
        """Whether a value that is not declared counts as missing."""
        return self.reference is not msgspec.UNSET

    @property
    def filled(self) -> float | None:
        """What fills its gaps, in the data's units; None: nothing, or nobody knows yet."""
        return None if self.fill is msgspec.UNSET else self.low + (self.fill + 1) / 2 * (self.high - self.low)

    @property
    def measured(self) -> bool:
        """Whether its values are numbers on the declared range, not codes."""
        return COLUMNS.of(self.kind).measured

    @property
    def numeric(self) -> bool:
        """Whether its values are numbers or days, not codes: a cell may not fit."""
        return COLUMNS.of(self.kind).bound is not None

    @property
    def apart(self) -> bool:
        """Whether its cells are tensors that stand beside the features."""
        return COLUMNS.of(self.kind).reader is not None

    @property
    def lacks(self) -> str:
        """What is wrong with a cell that counts as missing."""
        return "has no declared value" if self.referred else "has no value"

    def remedy(self, usual: str) -> str:
        """The hint where cells count as missing: before the usual one, that they may be misspelt."""
        return f"{spelled(values=self.values)}; {usual}" if self.referred else usual

    @property
    def levels(self) -> tuple[int, ...]:
        """The places of a category's values that become features."""
        if self.reference is msgspec.UNSET:
            return tuple(range(len(self.values)))
        left_out = key(self.reference)
        return tuple(place for place, value in enumerate(self.values) if key(value) != left_out)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the features that this column becomes."""
        plain = COLUMNS.of(self.kind).names(self)
        return (*plain, f"{self.name}?") if self.missing == "flag" else plain


def not_number(typed: bool) -> tuple[str, str]:
    """What is wrong with a cell that is no number, and a hint. typed: its source has numbers there."""
    return ("nan or inf" if typed else "nan, inf or text") + " where a number is expected", ""


@dataclass(frozen=True, slots=True)
class Beside:
    """What cells are read with. store: of files that they name; None: no column names any. tokenizers: at hand; fewest:
    tokens that a text has to have; fold: as of `Notation`."""

    store: Store | None
    tokenizers: Tokenizers
    fewest: int = 0
    fold: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnKind:
    """One kind of column.

    check: what of a declared column does not fit, at this key of the plan, in this notation. One line a problem.
    field: a declared column as it is encoded. value: SQL of a cell's number or code (`sql.values`), given the notation
    and a layer to define parts of it in. unfit: what is wrong with a cell that does not fit, and a hint; typed: its
    source has numbers there.
    names: of the features that it becomes, but for the flag of a missing value. features: [n] to [n, p].
    fault: what of a field of a model file cannot be, likewise.
    measured: its values are numbers on the declared range, to which they are clamped; else codes of declared values.
    spread: its features lie anywhere on [-1, 1]; else they are 0 or 1. dated: its values are days, and no feature.
    bound: of a condition on it (`data.where`) the value that a word's number or text stands for, None where it is
    none; without it a condition lists declared values.
    reader: of a kind whose cells are tensors, which stand beside the features: how they are read. It raises DataError
    where what they are read with is not here. filed: they name files; listed: or are
    lists of numbers; worded: they are texts, with a tokenizer; spelled: or strings, with an alphabet, which statistics
    take and networks do not.
    """

    check: Callable[[str, Column, Notation], list[str]]
    field: Callable[[str, Column], Field]
    value: Callable[[Field, Cell, Notation, Layer], str]
    names: Callable[[Field], tuple[str, ...]]
    features: Callable[[Field, Floats], Floats]
    fault: Callable[[Field, Notation], list[str]]
    unfit: Callable[[Field, bool], tuple[str, str]] = lambda one, typed: not_number(typed)
    measured: bool = False
    spread: bool = False
    dated: bool = False
    bound: Callable[[float | str], float | None] | None = None
    reader: Callable[[Field, Beside], Reader] | None = None
    filed: bool = False
    listed: bool = False
    worded: bool = False
    spelled: bool = False


COLUMNS: Registry[ColumnKind] = table("data.columns.kind")
