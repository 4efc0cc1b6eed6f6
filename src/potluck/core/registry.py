"""Tables of variants: one a key of the plan, whose words it holds. The room that knows a variant fills its table.

A table stands here so that the grammar, and whoever else reads plans, knows the words without importing what stands
behind them. It does NOT load that room: whoever reads a plan imports the rooms that the plan may name.
"""

import difflib
from dataclasses import dataclass, field
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from potluck.core.errors import PlanError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Known:
    """Stands beside the type of a plan's key, in `Annotated`: its words are those of the table `key`.

    beside: more words that the key takes, which are no variants.
    """

    key: str
    beside: tuple[str, ...] = ()

    def words(self) -> tuple[str, ...]:
        """The words, in the order in which they were registered. Raises LookupError: the table's room is not loaded."""
        if self.key not in _TABLES:
            raise LookupError(f"nobody has imported the room that fills {self.key}: import potluck.tasks.catalog")
        return (*_TABLES[self.key].words(), *self.beside)


def known_of(kind: object) -> Known | None:
    """The table of a key's type, Annotated[str, Known(...)] or that or None; None where it has none."""
    for part in (kind, *(get_args(kind) if get_origin(kind) in (Union, UnionType) else ())):
        if get_origin(part) is Annotated:
            return next((one for one in get_args(part)[1:] if isinstance(one, Known)), None)
    return None


@dataclass(frozen=True, slots=True, eq=False)
class Registry(Generic[T]):
    """The variants of one key of the plan, by word. key: as in a plan, e.g. statistics.kind."""

    key: str
    entries: dict[str, T] = field(default_factory=dict)

    def register(self, word: str, variant: T) -> None:
        """One more variant. Raises ValueError: the word is taken."""
        if word in self.entries:
            raise ValueError(f"{self.key} has {word!r} already")
        self.entries[word] = variant

    def of(self, word: str | None) -> T:
        """The variant of a word. Raises PlanError: there is none."""
        if word is None or word not in self.entries:
            raise PlanError(f"{self.key} does not know {word!r}", hint=nearest(word, self.words()))
        return self.entries[word]

    def words(self) -> tuple[str, ...]:
        """All words, in the order in which they were registered."""
        return tuple(self.entries)


_TABLES: dict[str, Registry[Any]] = {}
"""By key: whose variants they are, only the rooms know that made them."""


def table(key: str) -> Registry[T]:
    """The table of a key, new and empty: its room calls this once, and fills it."""
    made: Registry[T] = Registry(key)
    _TABLES[key] = made
    return made


def variant(key: str, word: str | None) -> object:
    """One variant of a key's table, for whoever knows its room by a protocol alone. Raises PlanError: there is none."""
    return _TABLES[key].of(word)


def nearest(value: object, known: tuple[object, ...]) -> str:
    """The hint where a word is unknown: the nearest known one, and all of them."""
    words = ", ".join(map(str, known))
    near = difflib.get_close_matches(str(value)[:100], [word for word in known if isinstance(word, str)], 1)
    return f'did you mean "{near[0]}"? known: {words}' if near else f"known: {words}"
