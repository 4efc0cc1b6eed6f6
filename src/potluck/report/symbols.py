"""Pictures that stand for one number or one idea: odds as a hundred squares, a run as a table.

As in `charts`: pure functions, titled and described, nothing by colour alone.
"""

import math

from potluck.report.drawing import ACCENT, GROUND, INK, MUTED, RULE, hatch, hatched, svg


def hundred(ident: str, title: str, desc: str, chance: int, reach: int) -> str:
    """A hundred squares: `chance` of them filled, those up to `reach` hatched, the others empty."""
    parts = [hatch(ident)]
    for index in range(100):
        x, y = 2 + 19 * (index % 10), 2 + 19 * (index // 10)
        if index < chance:
            look = f'fill="{MUTED}"'
        elif index < reach:
            look = f'fill="{hatched(ident)}" stroke="{ACCENT}" stroke-width="1.5"'
        else:
            look = f'fill="none" stroke="{RULE}" stroke-width="1.5"'
        parts.append(f'<rect x="{x}" y="{y}" width="15" height="15" rx="3" {look}/>')
    return svg(ident, title, desc, 190, parts, width="190")


def gathering(ident: str, title: str, desc: str, sites: int, covered: bool) -> str:
    """A table from above: each site's rows stay outside, its dish (hatched where covered) goes to the bowl."""
    many, drawn = sites > 16, min(sites, 90)
    dish = max(1.5, min(13.0, 160 / drawn - 1))
    parts = [hatch(ident), f'<circle cx="140" cy="140" r="104" fill="{GROUND}" stroke="{RULE}" stroke-width="2"/>']
    for index in range(drawn):
        turn = 2 * math.pi * index / drawn - math.pi / 2
        x, y = math.cos(turn), math.sin(turn)
        parts.append(
            f'<path d="M{140 + 56 * x:.1f} {140 + 56 * y:.1f}L{140 + 33 * x:.1f} {140 + 33 * y:.1f}" '
            f'stroke="{MUTED}" stroke-width="{1 if many else 2}" stroke-linecap="round"/>'
        )
        look = hatched(ident) if covered else "none"
        place = f'cx="{140 + 76 * x:.1f}" cy="{140 + 76 * y:.1f}"'
        parts.append(f'<circle {place} r="{dish:.1f}" fill="{look}" stroke="{ACCENT}" stroke-width="2"/>')
        if not many:
            left, top = 140 + 124 * x - 9, 140 + 124 * y - 7
            rows = "".join(f"M{left:.1f} {top + 5 * line_:.1f}h18" for line_ in range(4))
            parts.append(f'<path d="{rows}" stroke="{INK}" stroke-width="2" stroke-linecap="round"/>')
    parts.append(f'<circle cx="140" cy="140" r="24" fill="{ACCENT}"/>')
    sigma = f'<path d="M149 134v-4h-18l10 10-10 10h18v-4" fill="none" stroke="{GROUND}" stroke-width="2.5"/>'
    return svg(ident, title, desc, 280, [*parts, sigma], width="280")
