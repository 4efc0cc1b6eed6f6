"""The part of CBOR (RFC 8949) that a Nitro document is written in, read strictly.

Numbers, byte strings, texts, arrays, maps, null and booleans, all of definite length and in their shortest form, with
no key twice: so that bytes have one meaning. Tags, floats and anything of indefinite length are refused. Nothing is
allocated for a length before that many bytes are there.
"""

from potluck.tee.attestation.formats.cursor import Cursor

Value = int | bytes | str | bool | list["Value"] | dict[int | str, "Value"] | None
DEEPEST = 4
SIMPLE: dict[int, bool | None] = {20: False, 21: True, 22: None}


def read(data: bytes, path: str) -> Value:
    """The one value that fills all of `data`. Raises Fault: malformed, where the bytes are not exactly that."""
    cursor = Cursor(data, path)
    value = _value(cursor, DEEPEST)
    cursor.end()
    return value


def text(value: bytes) -> bytes:
    """A byte string as CBOR."""
    size = len(value)
    for more, least in enumerate((24, 1 << 8, 1 << 16, 1 << 32)):
        if size < least:
            head = bytes([0x40 | size]) if more == 0 else bytes([0x57 + more]) + size.to_bytes(1 << more - 1, "big")
            return head + value
    raise ValueError("a byte string of 4 GiB")


def _value(cursor: Cursor, deep: int) -> Value:
    kind, number = _head(cursor)
    if kind in (0, 1):
        return number if kind == 0 else -1 - number
    if kind == 2:
        return cursor.take(number)
    if kind == 3:
        try:
            return cursor.take(number).decode()
        except UnicodeDecodeError:
            raise cursor.fault("has a text that is no UTF-8") from None
    if kind == 7:
        if number not in SIMPLE:
            raise cursor.fault("has a simple value that is neither null nor a boolean")
        return SIMPLE[number]
    if deep == 0 or number > cursor.rest():  # an item is a byte at least
        raise cursor.fault(f"nests deeper than {DEEPEST}, or says more items than it has bytes")
    if kind == 4:
        return [_value(cursor, deep - 1) for _ in range(number)]
    found: dict[int | str, Value] = {}
    for _ in range(number):
        key = _value(cursor, deep - 1)
        if not isinstance(key, int | str) or isinstance(key, bool) or key in found:
            raise cursor.fault("has a key twice, or one that is neither number nor text")
        found[key] = _value(cursor, deep - 1)
    return found


def _head(cursor: Cursor) -> tuple[int, int]:
    """Major type and number."""
    if not cursor.rest():
        raise cursor.fault(f"ends after {len(cursor.data)} bytes")
    first = cursor.number(1)
    kind, small = first >> 5, first & 31
    if small < 24 and kind != 6:
        return kind, small
    size = 1 << max(0, small - 24)
    if not 24 <= small <= 27 or kind > 5 or size > cursor.rest():
        raise cursor.fault("has an indefinite length, a tag, a float, or ends too early")
    number = cursor.number(size)
    if number < (24 if size == 1 else 1 << 4 * size):
        raise cursor.fault("has a number longer than it must be")
    return kind, number
