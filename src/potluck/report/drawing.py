"""The strokes that charts are made of: lines, words, hatching and the frame that names a picture.

All text passes through `safe`: escaped, and without what a reader cannot see.
"""

from collections.abc import Sequence
from html import escape

from potluck.report import words

ACCENT = "var(--accent,#0b7a6b)"
MUTED = "var(--muted,#6b7280)"
RULE = "var(--rule,#b9bdc6)"
INK = "var(--ink,currentColor)"
WARN = "var(--warn,#b3541e)"
LONGEST = 40
"""Letters that fit on a line of a phone."""
GROUND = "var(--ground,transparent)"


def line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: float = 1, dashes: str = "") -> str:
    """From (x1 %, y1 px) to (x2 %, y2 px). dashes: lengths of strokes and of gaps; empty: whole."""
    more = f' stroke-dasharray="{dashes}"' if dashes else ""
    ends = f'x1="{x1:.2f}%" y1="{y1:.1f}" x2="{x2:.2f}%" y2="{y2:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-width="{width}"{more}/>'


def stretched(x: float, y: float, width: float, height: float, parts: Sequence[str]) -> str:
    """Shapes that are drawn 100 units wide and `height` px high, from (x %, y px) on, `width` % wide."""
    box = f'x="{x:.2f}%" y="{y:.1f}" width="{width:.2f}%" height="{height:.1f}" viewBox="0 0 100 {height:.1f}"'
    return f'<svg {box} preserveAspectRatio="none" overflow="visible">{"".join(parts)}</svg>'


def text(x: str, y: float, said: str, *, anchor: str = "start", muted: bool = False) -> str:
    """Words at (x, y px)."""
    colour = MUTED if muted else INK
    return f'<text x="{x}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{safe(said)}</text>'


def label(said: str, y: float, width: str, *, strong: bool = False, short: str = "") -> str:
    """A name in its column; hovering and screen readers get the whole of it. short: what is written, where the whole is
    too long (`shortened`)."""
    weight = ' font-weight="600"' if strong else ""
    inner = f'<text x="0" y="13" fill="{INK}"{weight}>{safe(short or said)}</text>'
    return f'<svg x="0" y="{y - 9:.1f}" width="{width}" height="20" overflow="hidden">{heading(said)}{inner}</svg>'


def shortened(names: Sequence[str], most: int = LONGEST) -> list[str]:
    """Names of so many letters at most, cut in the middle, since what tells them apart mostly stands at an end. Two
    names that differ stay two: where cuts would make them alike, they are numbered."""
    cut = [one if len(one) <= most else f"{one[: most - most // 2 - 1]}…{one[-(most // 2) :]}" for one in names]
    whole: dict[str, list[str]] = {}
    for one, said in zip(names, cut, strict=True):
        known = whole.setdefault(said, [])
        if one not in known:
            known.append(one)
    return [
        said if len(whole[said]) == 1 else f"{said} ({whole[said].index(one) + 1})"
        for one, said in zip(names, cut, strict=True)
    ]


def hatch(ident: str) -> str:
    """Defines the hatching of the picture `ident`; `hatched(ident)` fills with it."""
    lines = f'<path d="M0 0V6" stroke="{ACCENT}" stroke-width="4"/>'
    size = 'width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"'
    return f'<defs><pattern id="{escape(ident)}-hatch" {size}>{lines}</pattern></defs>'


def hatched(ident: str) -> str:
    """A fill."""
    return f"url(#{escape(ident)}-hatch)"


def heading(said: str) -> str:
    """What hovering over a part says."""
    return f"<title>{safe(said)}</title>"


def safe(said: str) -> str:
    """Text fit for markup."""
    return escape(words.clean(said))


def svg(ident: str, title: str, desc: str, height: float, parts: Sequence[str], *, width: str = "100%") -> str:
    """The frame: `height` px high, named for those who cannot see it."""
    name = escape(ident)
    most = "" if width == "100%" else ' style="max-width:100%"'  # pages for people allow no style in an element
    box = f'width="{width}" height="{height:.0f}" font-size="13"{most}'
    role = f'role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    said = f'<title id="{name}-title">{safe(title)}</title><desc id="{name}-desc">{safe(desc)}</desc>'
    return f'<svg id="{name}" class="chart" {box} {role}>{said}{"".join(parts)}</svg>'
