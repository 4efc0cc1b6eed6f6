"""The part of CBOR (RFC 8949) that a Nitro document is written in, read strictly.

Numbers, byte strings, texts, arrays, maps, null and booleans, all of definite length and in their shortest form, with
no key twice: so that bytes have one meaning. Tags, floats and anything of indefinite length are refused. Nothing is
allocated for a length before that many bytes are there.
"""

from __future__ import annotations

from potluck.tee.attestation.verdict import Code, Fault

Value = int | bytes | str | bool | list["Value"] | dict[int | str, "Value"] | None
DEEPEST = 4
SIMPLE: dict[int, bool | None] = {20: False, 21: True, 22: None}


def read(data: bytes, path: str) -> Value:
    """The one value that fills all of `data`. Raises Fault: malformed, where the bytes are not exactly that."""
    value, end = _value(data, 0, path, DEEPEST)
    if end != len(data):
        raise Fault(Code.MALFORMED, path, f"has {len(data) - end} bytes behind its end")
    return value


def text(value: bytes) -> bytes:
    """A byte string as CBOR."""
    size = len(value)
    for more, least in enumerate((24, 1 << 8, 1 << 16, 1 << 32)):
        if size < least:
            head = bytes([0x40 | size]) if more == 0 else bytes([0x57 + more]) + size.to_bytes(1 << more - 1, "big")
            return head + value
    raise ValueError("a byte string of 4 GiB")


def _value(data: bytes, at: int, path: str, deep: int) -> tuple[Value, int]:
    kind, number, at = _head(data, at, path)
    if kind in (0, 1):
        return (number if kind == 0 else -1 - number), at
    if kind in (2, 3):
        return _string(data, at, number, kind == 3, path)
    if kind == 7:
        if number not in SIMPLE:
            raise Fault(Code.MALFORMED, path, "has a simple value that is neither null nor a boolean")
        return SIMPLE[number], at
    if deep == 0 or number > len(data) - at:  # an item is a byte at least
        raise Fault(Code.MALFORMED, path, f"nests deeper than {DEEPEST}, or says more items than it has bytes")
    if kind == 4:
        items: list[Value] = []
        for _ in range(number):
            item, at = _value(data, at, path, deep - 1)
            items.append(item)
        return items, at
    return _map(data, at, number, path, deep - 1)


def _map(data: bytes, at: int, number: int, path: str, deep: int) -> tuple[Value, int]:
    found: dict[int | str, Value] = {}
    for _ in range(number):
        key, at = _value(data, at, path, deep)
        if not isinstance(key, int | str) or isinstance(key, bool) or key in found:
            raise Fault(Code.MALFORMED, path, "has a key twice, or one that is neither number nor text")
        found[key], at = _value(data, at, path, deep)
    return found, at


def _string(data: bytes, at: int, size: int, is_text: bool, path: str) -> tuple[Value, int]:
    if size > len(data) - at:
        raise Fault(Code.MALFORMED, path, f"ends after {len(data)} bytes, {size} more were due at {at}")
    part = data[at : at + size]
    try:
        return (part.decode() if is_text else part), at + size
    except UnicodeDecodeError:
        raise Fault(Code.MALFORMED, path, "has a text that is no UTF-8") from None


def _head(data: bytes, at: int, path: str) -> tuple[int, int, int]:
    """Major type, number and where the rest begins."""
    if at >= len(data):
        raise Fault(Code.MALFORMED, path, f"ends after {len(data)} bytes")
    kind, small = data[at] >> 5, data[at] & 31
    at += 1
    if small < 24 and kind != 6:
        return kind, small, at
    size = 1 << max(0, small - 24)
    if not 24 <= small <= 27 or kind > 5 or size > len(data) - at:
        raise Fault(Code.MALFORMED, path, "has an indefinite length, a tag, a float, or ends too early")
    number = int.from_bytes(data[at : at + size], "big")
    if number < (24 if size == 1 else 1 << 4 * size):
        raise Fault(Code.MALFORMED, path, "has a number longer than it must be")
    return kind, number, at + size
