"""Contrast and manners of the style sheet, computed from its own colours (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from pathlib import Path

import pytest

import potluck.report

CSS = (Path(potluck.report.__file__).parent / "report.css").read_text()
TEXT = [
    ("ink", "ground"),
    ("ink", "panel"),
    ("ink", "warn-soft"),
    ("muted", "ground"),
    ("muted", "panel"),
    ("accent", "ground"),
    ("accent", "panel"),
    ("accent", "soft"),
    ("warn", "warn-soft"),
    ("warn", "ground"),
    ("ink", "soft"),
]


def _colours(block: str) -> dict[str, tuple[int, ...]]:
    found = re.findall(r"--([\w-]+): #([0-9a-f]{6});", block)
    return {name: tuple(int(value[i : i + 2], 16) for i in (0, 2, 4)) for name, value in found}


THEMES = {
    "light": _colours(CSS.split("}")[0]),
    "dark": _colours(CSS.split("prefers-color-scheme: dark")[1].split("}")[0]),
}


def _luminance(colour: tuple[float, ...]) -> float:
    parts = [c / 255 for c in colour]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_knows_its_ends():
    assert _contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert _contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("front", "back"), TEXT)
def test_text_has_contrast(theme, front, back):
    colours = THEMES[theme]
    assert _contrast(colours[front], colours[back]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_marks_have_contrast(theme):
    colours = THEMES[theme]
    for mark in ("accent", "muted", "warn", "ink"):
        assert _contrast(colours[mark], colours["ground"]) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_numbers_stay_readable_on_the_deepest_heat(theme):
    colours = THEMES[theme]
    grounds = re.findall(r"var\(--(\w+)\) calc\(var\(--depth, 0\) \* (\d+)%\), var\(--panel\)", CSS)
    assert [name for name, _ in grounds] == ["accent", "warn"]
    for name, share in grounds:
        part = int(share) / 100
        mixed = tuple(part * a + (1 - part) * p for a, p in zip(colours[name], colours["panel"], strict=True))
        assert _contrast(colours["ink"], mixed) >= 4.5, name


def test_focus_is_visible_and_motion_can_be_refused():
    assert re.search(r":focus-visible \{ outline: 3px solid var\(--accent\)", CSS)
    assert "prefers-reduced-motion" in CSS
    assert "outline: none" not in CSS.replace("main:focus, li:focus { outline: none; }", "")


def test_print_opens_what_is_folded_and_hides_what_cannot_be_clicked():
    printed = CSS.split("@media print")[1]
    assert "::details-content" in printed
    assert re.search(r"\.skip, nav \{ display: none; \}", printed)
    assert "@media screen and (prefers-color-scheme: dark)" in CSS, "print stays light"
