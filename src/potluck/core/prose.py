"""Counts, lists and numbers as sentences have them; moments as JSON has them."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

SMALL = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def agree(number: int, one: str, many: str) -> str:
    """`one` beside 1, else `many`."""
    return one if number == 1 else many


def a(noun: str) -> str:
    """ "a text", "an image"."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def count(number: int, noun: str, plural: str = "") -> str:
    """ "one round", "four sites", "60 sites"."""
    word = SMALL[number] if 0 <= number < len(SMALL) else f"{number:,}"
    return f"{word} {agree(number, noun, plural or noun + 's')}"


def capital(text: str) -> str:
    """With a capital at its start, the rest untouched."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """With a capital at its start and a full stop at its end, where it has none."""
    return capital(text) + ("" if text.endswith((".", "?", "!")) else ".")


def listed(items: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def utc(seconds: float) -> str:
    """A moment in whole seconds, ISO 8601. seconds: since 1970."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def number(value: float | None, digits: int = 4) -> str:
    """A number in `digits` significant digits, thousands apart; whole numbers in full."""
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == round(value) and abs(value) < 1e15:
        text = f"{value:,.0f}"
    elif abs(value) >= 1e7 or 0 < abs(value) < 1e-4:
        return power(value, digits)
    else:
        places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{min(places, 6)}f}"
    return text.replace("-", "−")


def power(value: float, digits: int) -> str:
    """ "1.2 × 10⁻⁷"; a power of ten without the factor."""
    factor, exponent = f"{value:.{digits - 1}e}".split("e")
    factor = factor.rstrip("0").rstrip(".") if "." in factor else factor
    ten = "10" + str(int(exponent)).translate(RAISED)
    return (ten if factor == "1" else f"{factor} × {ten}").replace("-", "−")
