"""The page in a real browser: no sideways scrolling, no letters on top of each other, dark, printable, focus visible.

The page itself runs no script; a wrapper page with the report in frames of a given width measures it from outside
(a headless window cannot be made as narrow as a phone). Without Chromium these tests are skipped, and fail in CI.
"""

import html
import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import msgspec
import pytest

from potluck.report.page import render
from support.console.browser import chromium as playwright
from support.report.samples import SAMPLES, proved, write
from support.report.tree import Tree

pytestmark = pytest.mark.browser

SHOWN = ("heart", "across", "statistics", "shown", "clear", "aborted", "sixty")
A4 = 688
"""px between the margins of a page."""
WIDTHS = (360, 390, 768, 1280)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

MEASURE = """
<script>
const found = {};
const overlaps = (svg) => {
  const boxes = [...svg.querySelectorAll("text")].map((t) => {
    const own = t.getBoundingClientRect(), frame = svg.getBoundingClientRect();
    const clip = t.parentNode === svg ? 100 : parseFloat(t.parentNode.getAttribute("width"));
    return {said: t.textContent, left: own.left, top: own.top + 2, bottom: own.bottom - 2,
            right: Math.min(own.right, frame.left + frame.width * clip / 100)};
  });
  const hits = [];
  boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b) => {
    const apart = a.left >= b.right || b.left >= a.right || a.top >= b.bottom || b.top >= a.bottom;
    if (!apart) hits.push(a.said + " | " + b.said);
  }));
  return hits;
};
const measure = (frame) => {
  const page = frame.contentDocument, root = page.documentElement, skip = page.querySelector(".skip");
  const view = frame.contentWindow;
  for (const one of page.querySelectorAll("details")) one.open = true;
  const small = [...page.querySelectorAll("p,td,th,li,dd,dt,a,text")]
    .filter((e) => parseFloat(view.getComputedStyle(e).fontSize) < 11.9).map((e) => e.textContent.slice(0, 20));
  skip.focus();
  const focused = view.getComputedStyle(skip);
  return {
    scroll: root.scrollWidth, client: root.clientWidth, background: view.getComputedStyle(page.body).backgroundColor,
    overlaps: [...page.querySelectorAll("svg.chart")].flatMap(overlaps), small,
    tags: ["section", "svg", "td", "th", "details"].map((name) => page.getElementsByTagName(name).length),
    outline: focused.outlineStyle + " " + focused.outlineWidth, skip: skip.getBoundingClientRect().left,
  };
};
window.onload = () => {
  for (const frame of document.querySelectorAll("iframe")) found[frame.id] = measure(frame);
  const out = document.createElement("pre");
  out.id = "measured";
  out.textContent = JSON.stringify(found);
  document.body.replaceChildren(out);
};
</script>
"""


@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium on this machine")
    return path


@pytest.fixture(scope="module")
def reports(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    pages = {}
    for name in SHOWN:
        pages[name] = folder / f"{name}.html"
        pages[name].write_text(render(write(folder / name, *SAMPLES[name]())), encoding="utf-8")
    pages["proved"] = folder / "proved.html"
    pages["proved"].write_text(render(proved(folder / "proved")), encoding="utf-8")
    return pages


def _browse(chromium: str, folder: Path, target: Path, *flags: str) -> str:
    profile = folder / "profile"
    shutil.rmtree(profile, ignore_errors=True)
    command = [chromium, *FLAGS, f"--user-data-dir={profile}", *flags, target.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout


def _measured(chromium: str, folder: Path, reports: dict[str, Path], *flags: str) -> dict[str, dict]:
    frames = []
    for name, page in reports.items():
        for width in WIDTHS:
            box = f'id="{name}-{width}" style="width:{width}px;height:900px;border:0"'
            frames.append(f'<iframe {box} srcdoc="{html.escape(page.read_text())}"></iframe>')
    wrapper = folder / "wrapper.html"
    wrapper.write_text(f'<!doctype html><meta charset="utf-8"><body>{MEASURE}{"".join(frames)}', encoding="utf-8")
    dom = _browse(
        chromium, folder, wrapper, "--window-size=1400,1000", "--virtual-time-budget=30000", "--dump-dom", *flags
    )
    body = re.search(r'<pre id="measured">(.*?)</pre>', dom, re.S)
    assert body, dom[:500]
    return json.loads(html.unescape(body[1]))


@pytest.fixture(scope="module")
def light(chromium, reports, tmp_path_factory):
    return _measured(chromium, tmp_path_factory.mktemp("light"), reports)


def test_no_width_makes_the_page_scroll_sideways(light):
    assert len(light) == (len(SHOWN) + 1) * len(WIDTHS)
    for name, seen in light.items():
        assert seen["client"] == int(name.split("-")[1])
        assert seen["scroll"] <= seen["client"], name


def test_no_letters_of_a_chart_lie_on_one_another(light):
    assert {name: seen["overlaps"] for name, seen in light.items() if seen["overlaps"]} == {}


def test_no_letters_are_too_small(light):
    assert {name: seen["small"][:5] for name, seen in light.items() if seen["small"]} == {}


def test_the_skip_link_comes_into_view_with_a_visible_outline(light):
    for name, seen in light.items():
        assert seen["outline"] == "solid 3px", name
        assert seen["skip"] == 0, name


@pytest.mark.slow
def test_it_is_light_by_day_and_dark_by_night(light, chromium, reports, tmp_path):
    assert light["heart-390"]["background"] == "rgb(255, 255, 255)"
    dark = _measured(chromium, tmp_path, {"heart": reports["heart"]}, "--blink-settings=preferredColorScheme=0")
    assert dark["heart-390"]["background"] == "rgb(20, 23, 28)"


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_screenshots_are_not_blank(chromium, reports, tmp_path, theme):
    flags = ["--blink-settings=preferredColorScheme=0"] if theme == "dark" else []
    shot = tmp_path / f"{theme}.png"
    _browse(chromium, tmp_path, reports["heart"], f"--screenshot={shot}", "--window-size=1280,900", *flags)
    body = shot.read_bytes()
    assert struct.unpack(">II", body[16:24]) == (1280, 900)
    assert len(body) > 30_000


def _pages(chromium: str, folder: Path, page: Path) -> int:
    pdf = folder / "report.pdf"
    _browse(chromium, folder, page, f"--print-to-pdf={pdf}", "--no-pdf-header-footer")
    body = pdf.read_bytes()
    assert body.startswith(b"%PDF-")
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", body))


@pytest.mark.slow
def test_print_shows_what_is_folded_away_on_screen(chromium, reports, tmp_path):
    folded, unfolded = tmp_path / "full.html", tmp_path / "unfolded.html"
    folded.write_text(render(reports["heart"].with_suffix(""), full=True))
    unfolded.write_text(folded.read_text().replace("<details>", "<details open>"))
    assert _pages(chromium, tmp_path, folded) == _pages(chromium, tmp_path, unfolded) > 5


@pytest.mark.parametrize(
    "name",
    ["proved", *(pytest.param(one, marks=pytest.mark.slow) for one in ("heart", "statistics", "across", "sixty"))],
)
def test_a_report_is_printed_on_two_pages(chromium, reports, tmp_path, name):
    assert _pages(chromium, tmp_path, reports[name]) <= 2


@pytest.mark.slow
def test_what_is_printed_is_no_wider_than_paper(reports, tmp_path):
    names = ("alpha", "beta", "gamma")
    run, details = SAMPLES["heart"]()
    one = details.views[0]
    many = [msgspec.structs.replace(one, party=who, of=of) for who in names for of in ("the sum", "the model")]
    wide = msgspec.structs.replace(details, views=(*details.views, *many))
    reports = reports | {"wide": tmp_path / "wide.html"}
    reports["wide"].write_text(render(write(tmp_path / "wide", run, wide)), encoding="utf-8")
    with playwright() as browser:
        page = browser.new_page(viewport={"width": A4, "height": 1000})
        page.emulate_media(media="print")
        for name, path in reports.items():
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= A4, name


@pytest.mark.slow
def test_a_keyboard_reaches_every_link_fold_and_wide_table(reports):
    wanted = "a[href], summary, [tabindex='0']"
    with playwright() as browser:
        page = browser.new_page(viewport={"width": 400, "height": 900})
        page.goto(reports["heart"].as_uri())
        shown = f"[...document.querySelectorAll({wanted!r})].filter((one) => one.checkVisibility())"
        page.evaluate(f"{shown}.forEach((one, place) => {{ one.dataset.place = place }})")
        places = page.evaluate(f"{shown}.length")
        reached = []
        for _ in range(places):
            page.keyboard.press("Tab")
            look = "getComputedStyle(document.activeElement)"
            assert page.evaluate(f"{look}.outlineStyle + {look}.outlineWidth") == "solid3px"
            reached.append(int(page.evaluate("document.activeElement.dataset.place")))
        assert reached == list(range(places))
        page.focus("summary")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.parentElement.open")


def test_the_browser_builds_the_tree_that_was_written(light, reports):
    for name, page in reports.items():
        ours = Tree(page.read_text())
        counts = [len(ours.named(tag)) for tag in ("section", "svg", "td", "th", "details")]
        assert light[f"{name}-390"]["tags"] == counts
