"""Numbers as people read them: bytes, seconds, counts, and an epsilon as odds.

The odds: whoever must tell two neighbouring data sets apart by the output of an (epsilon, delta)-DP mechanism, each
being equally likely beforehand, is right with a probability of at most (e^epsilon + delta) / (1 + e^epsilon): the best
point of the region in Kairouz, Oh and Viswanath, "The composition theorem for differential privacy", section 2.
Stating it as a frequency is what people understood best in Nanayakkara et al., USENIX Security 2023. It is a
ceiling for the strongest adversary, not an estimate of what an attack reaches.
"""

import math
from collections.abc import Iterable
from datetime import UTC, datetime

from potluck.core import prose
from potluck.core.visible import seen
from potluck.dp.odds import odds as ceiling

WHO = {"row": "one row", "person": "one person", "site": "one whole site"}


def secret(unit: str, neighbours: str) -> str:
    """What an epsilon for these neighbours hides, as somebody might guess at it."""
    who = WHO.get(unit, "one unit")
    return f"whether {who} was among the data" if neighbours.startswith("add") else f"which of two values {who} held"


def clean(text: str) -> str:
    """Text without what a reader cannot see (`core.visible`); tabs, line breaks and fixed spaces stay."""
    if text.isascii() and text.isprintable():
        return text
    stays = "\t\n\r\N{NO-BREAK SPACE}"
    return "".join(one if one in stays or seen(one) else "\N{REPLACEMENT CHARACTER}" for one in text)


def size(number: float) -> str:
    """Bytes in decimal units: 812 B, 51 kB, 1.2 MB."""
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if abs(value) < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or abs(value) >= 9.95 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def duration(seconds: float) -> str:
    """4 ms, 0.31 s, 12.4 s, 3 min 5 s, 2 h 4 min."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def places(values: Iterable[float | None], digits: int = 4) -> int:
    """The decimals that numbers of one table share: so many that the largest has `digits` digits; whole ones none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    top = max(map(abs, known), default=0.0)
    if top == 0 or all(value == round(value) for value in known):
        return 0
    return min(6, max(0, digits - 1 - math.floor(math.log10(top))))


def fixed(value: float | None, decimals: int) -> str:
    """A number with `decimals` decimals, thousands apart."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:,.{decimals}f}".replace("-", "−")


def score(value: float | None, metric: str) -> str:
    """A metric: three decimals where it lies between 0 and 1, else significant digits."""
    if value is None:
        return "–"
    return prose.number(value) if metric in ("rmse", "perplexity") else f"{value:.3f}".replace("-", "−")


def epsilon(value: float | None) -> str:
    """An epsilon, rounded up to two decimals (a bound must not shrink in print)."""
    if value is None:
        return "–"
    return "∞" if math.isinf(value) else f"{math.ceil(round(value * 100, 6)) / 100:.2f}"


def remaining(cap: float, spent: float) -> str:
    """What a cap leaves beside an epsilon as it is printed: both together are the cap."""
    return f"{max(cap - math.ceil(round(spent * 100, 6)) / 100, 0.0):.2f}"


def hundred(spent: float, delta: float) -> int:
    """Of 100 guesses between two neighbouring data sets, at most so many are right: rounded up."""
    return min(100, math.ceil(round(ceiling(spent, delta), 6)))


def odds(spent: float, delta: float) -> str:
    """ "73 in 100"."""
    return f"{hundred(spent, delta)} in 100"


def moment(text: str) -> str:
    """An ISO 8601 time as "24 November 2026, 02:19 UTC"; any other text as it is."""
    when = _instant(text)
    return f"{when.day} {when:%B %Y, %H:%M} UTC" if when else text


def clock(text: str) -> str:
    """An ISO 8601 time as "24 Nov, 02:19:07", in UTC; any other text as it is."""
    when = _instant(text)
    return f"{when.day} {when:%b, %H:%M:%S}" if when else text


def _instant(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
