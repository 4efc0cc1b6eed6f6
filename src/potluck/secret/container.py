"""A container for secret bytes that is hard to show, store or compare by accident."""

from typing import NoReturn


class Secret:
    """Secret bytes. Hidden in print, refuses pickling, copying, hashing and `==`; `.expose()` is greppable."""

    __slots__ = ("_bytes",)

    def __init__(self, value: bytes) -> None:
        self._bytes = value

    def expose(self) -> bytes:
        """The bytes themselves. Reveals: everything."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._bytes)

    def __repr__(self) -> str:
        return f"Secret({len(self._bytes)} bytes)"

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError("a Secret is neither pickled, copied, hashed nor compared: use expose() where it must be")

    __reduce__ = __reduce_ex__ = __copy__ = __deepcopy__ = __eq__ = __ne__ = __hash__ = _refuse
