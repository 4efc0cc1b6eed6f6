"""Fields off bytes, strictly: every length is held against what is there before it is used."""

from typing import Literal

from potluck.tee.attestation.verdict import Code, Fault


class Cursor:
    """Reads fields one after another; raises Fault: malformed. order: of the bytes of a number."""

    def __init__(self, data: bytes, path: str, order: Literal["big", "little"] = "big") -> None:
        self.data, self.path, self.at = data, path, 0
        self._order: Literal["big", "little"] = order

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if size > self.rest():
            raise self.fault(f"ends after {len(self.data)} bytes, {size} more were due at {self.at}")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """The next number of that many bytes."""
        return int.from_bytes(self.take(size), self._order)

    def sized(self, most: int) -> bytes:
        """The next TPM2B: bytes that are preceded by how many they are."""
        size = self.number(2)
        if size > most:
            raise self.fault(f"has a field of {size} bytes, more than {most}")
        return self.take(size)

    def rest(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.at

    def end(self) -> None:
        """Nothing may be left."""
        if self.rest():
            raise self.fault(f"has {self.rest()} bytes behind its end")

    def fault(self, what: str) -> Fault:
        """What to raise."""
        return Fault(Code.MALFORMED, self.path, what)
