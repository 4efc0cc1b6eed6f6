"""A node's arguments as its operation's rule reads them: each by its name, each of a type that is checked here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from potluck.learning.graph.schema import MOST_NUMBER, MOST_RANK, Argument, Special
from potluck.learning.graph.value import DType, Misfit, Value


@dataclass(frozen=True, slots=True)
class Bound:
    """arguments: those that the node gives; known: values above it; read: names that the rule has asked for."""

    arguments: Mapping[str, Argument]
    known: Mapping[str, Value]
    read: set[str] = field(default_factory=set)

    def _raw(self, name: str) -> Argument:
        self.read.add(name)
        return self.arguments.get(name)

    def _named(self, name: str, raw: object) -> Value:
        if not isinstance(raw, Special) or raw.v is None:
            raise Misfit(f"{name} has to be a value")
        if raw.v not in self.known:
            raise Misfit(f'{name} is "{raw.v[:80]}", which nothing above makes', "a node takes what stands before it")
        return self.known[raw.v]

    def value(self, name: str) -> Value:
        """A value."""
        return self._named(name, self._raw(name))

    def maybe(self, name: str) -> Value | None:
        """A value, or none."""
        raw = self._raw(name)
        return None if raw is None else self._named(name, raw)

    def operand(self, name: str) -> Value | float | int:
        """A value or a number."""
        raw = self._raw(name)
        return self._named(name, raw) if isinstance(raw, Special) else self._number(name, raw)

    def values(self, name: str) -> tuple[Value, ...]:
        """One value or more."""
        raw = self._raw(name)
        if not isinstance(raw, tuple) or not raw:
            raise Misfit(f"{name} has to be a list of values")
        return tuple(self._named(name, one) for one in raw)

    def _number(self, name: str, raw: object) -> float | int:
        if type(raw) is int and abs(raw) <= MOST_NUMBER:
            return raw
        if type(raw) is float and math.isfinite(raw):
            return raw
        raise Misfit(f"{name} has to be a finite number")

    def number(self, name: str, default: float | None = None) -> float | int:
        """A finite number. default: where the node gives none."""
        raw = self._raw(name)
        return default if raw is None and default is not None else self._number(name, raw)

    def maybe_number(self, name: str) -> float | int | None:
        """A finite number, or none."""
        raw = self._raw(name)
        return None if raw is None else self._number(name, raw)

    def _whole(self, name: str, raw: object, low: int) -> int:
        if type(raw) is not int or not low <= raw <= MOST_NUMBER:
            raise Misfit(f"{name} has to be a whole number of at least {low}")
        return raw

    def whole(self, name: str, low: int, default: int | None = None) -> int:
        """A whole number of at least `low`."""
        raw = self._raw(name)
        return default if raw is None and default is not None else self._whole(name, raw, low)

    def wholes(self, name: str, low: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """A list of them."""
        raw = self._raw(name)
        if raw is None or raw == ():
            return default
        if not isinstance(raw, tuple):
            raise Misfit(f"{name} has to be a list of whole numbers")
        return tuple(self._whole(name, one, low) for one in raw)

    def spatial(self, name: str, axes: int, low: int, default: int | None = None) -> tuple[int, ...]:
        """A whole number for each of so many axes; one for all is said once."""
        found = self.wholes(name, low, () if default is None else (default,))
        if len(found) not in (1, axes):
            raise Misfit(f"{name} has to have {axes} numbers")
        return found * axes if len(found) == 1 else found

    def numbers(self, name: str) -> tuple[float, ...] | None:
        """A list of finite numbers, or none."""
        raw = self._raw(name)
        if raw is None:
            return None
        if not isinstance(raw, tuple):
            raise Misfit(f"{name} has to be a list of numbers")
        return tuple(self._number(name, one) for one in raw)

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        raw = self._raw(name)
        if raw is None:
            return default
        if type(raw) is not bool:
            raise Misfit(f"{name} has to be true or false")
        return raw

    def fixed(self, name: str, only: bool, why: str, hint: str = "") -> None:
        """True or false, of which one alone is allowed; a node has to say it."""
        if self._raw(name) is not only:
            raise Misfit(f"{name} has to be {str(only).lower()}: {why}", hint)

    def absent(self, name: str) -> None:
        """Nothing: null, or not given."""
        if self._raw(name) is not None:
            raise Misfit(f"{name} has to be null")

    def dtype(self, name: str) -> DType:
        """A type of entries."""
        raw = self._raw(name)
        if not isinstance(raw, Special) or raw.d is None:
            raise Misfit(f"{name} has to be a dtype")
        return raw.d

    def word(self, name: str, known: tuple[str, ...]) -> str:
        """One of these words; the first where the node gives none."""
        raw = self._raw(name)
        if raw is None:
            return known[0]
        if not isinstance(raw, Special) or raw.t not in known:
            raise Misfit(f"{name} has to be one of {', '.join(known)}")
        return raw.t

    def axis(self, name: str, value: Value) -> int:
        """An axis of the value, counted from 0; never that of its rows."""
        raw = self._raw(name)
        if type(raw) is not int or not 0 <= raw < value.rank:
            raise Misfit(f"{name} has to be an axis of its value, 0 to {value.rank - 1}")
        if value.rows and raw == value.rows.axis:
            raise Misfit(f"mixes rows: {name} is the axis of rows")
        return raw

    def axes(self, name: str, value: Value) -> tuple[int, ...]:
        """Axes of the value, one at least, none twice, none that of its rows."""
        found = self.wholes(name, 0)
        if not found or len(set(found)) < len(found) or max(found) >= value.rank:
            raise Misfit(
                f"{name} has to name axes of its value, each once", "name the axes; none of them means all rows"
            )
        if value.rows and value.rows.axis in found:
            raise Misfit(f"mixes rows: {name} holds the axis of rows")
        return found

    def shape(self, name: str) -> tuple[tuple[int, ...], int | None]:
        """A shape, and which of its axes is that of rows."""
        raw = self._raw(name)
        if not isinstance(raw, tuple) or len(raw) > MOST_RANK:
            raise Misfit(f"{name} has to be a shape of at most {MOST_RANK} axes")
        axes = [i for i, one in enumerate(raw) if isinstance(one, Special)]
        if len(axes) > 1:
            raise Misfit(f"{name} has two axes of rows")
        sizes = [one.b if isinstance(one, Special) else one for one in raw]
        return tuple(self._whole(name, one, 1) for one in sizes), axes[0] if axes else None
