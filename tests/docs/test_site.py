"""The pages as a site: nothing is broken, nothing is fetched, all is reachable, and each shows what its source says."""

import importlib.util
import inspect
import json
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from markdown_it import MarkdownIt

import potluck
from support.docs.pages import DOCS, PAGES, ROOT
from support.docs.rendered import page_of, rendered
from support.docs.wheel import built, copied

pytestmark = pytest.mark.slow  # building it takes longer than all else that is asked of pages
SHOWN = [*PAGES, ROOT / "bench" / "README.md"]
LIBRARY = DOCS / "reference" / "library.md"


def place(site: Path, source: Path) -> Path:
    """The page of the site that is made of a page of the repository."""
    name = source.relative_to(ROOT)
    return site / (name.parent / "index.html" if name.name == "README.md" else name.with_suffix(".html"))


def glossary():
    """The module that marks words on pages."""
    spec = importlib.util.spec_from_file_location("glossary", DOCS / "site" / "glossary.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def broken(site: Path) -> list[str]:
    """Each link or file of a page that leads nowhere on the site."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page = page_of(path)
        for target in {*page.links, *page.loads}:
            name, anchor = urldefrag(unquote(target))
            if path.name == "404.html" or re.match(r"(https?|mailto|data):", name):
                continue
            other = (path.parent / name).resolve() if name else path
            if not other.is_file() or (anchor and other.suffix == ".html" and anchor not in page_of(other).ids):
                found.append(f"{path.relative_to(site)}: {target}")
    return found


def test_every_link_and_picture_leads_to_something(site):
    assert broken(site) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<article><h1 id="a">A</h1><a href="a.html#b">b</a><img src="c.png"></article>')
    assert sorted(broken(tmp_path)) == ["a.html: a.html#b", "a.html: c.png"]


def test_a_page_loads_nothing_from_elsewhere(site):
    assert len(list(site.rglob("*.html"))) > 100
    for path in site.rglob("*.html"):
        elsewhere = [one for one in page_of(path).loads if re.match(r"(\w+:)?//", one)]
        assert elsewhere == [], path
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*[\"']?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_every_page_is_on_the_site_and_can_be_found_by_its_words(site):
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    found = {one["location"].partition("#")[0] for one in index}
    for source in SHOWN:
        assert place(site, source).is_file(), source
        assert place(site, source).relative_to(site).as_posix() in found, source


def test_every_page_can_be_reached_from_the_front_page(site):
    seen, todo = set(), [site / "index.html"]
    while todo:
        path = todo.pop().resolve()
        if path not in seen and path.suffix == ".html":
            seen.add(path)
            todo += [path.parent / unquote(urldefrag(one)[0]) for one in page_of(path).links if "://" not in one]
    assert {path for path in site.resolve().rglob("*.html") if path.name != "404.html"} <= seen


@pytest.mark.parametrize("source", [one for one in SHOWN if one != LIBRARY], ids=lambda one: one.stem)
def test_the_site_shows_a_page_as_commonmark_does(source, site):
    """The site's Markdown is another dialect than a forge's: lists in lists, and lists after a line of text, get lost
    in it. The oracle is markdown-it, an implementation of CommonMark."""
    commonmark = MarkdownIt("commonmark", {"html": True}).enable("table")
    expected = rendered(commonmark.render(source.read_text(encoding="utf-8")), article=False)
    shown = page_of(place(site, source))
    assert (shown.elements, shown.depth) == (expected.elements, expected.depth)


def test_the_first_use_of_a_private_word_says_what_the_glossary_says(site):
    said = re.findall(r'<abbr title="([^"]+)">([^<]+)</abbr>', place(site, DOCS / "quickstart.md").read_text("utf-8"))
    assert ("an owner&#x27;s process, on the machine where the rows are.", "site") in said
    assert len(said) == len({title for title, _ in said})
    glossary = place(site, DOCS / "glossary.md")
    assert "<abbr" not in glossary.read_text(encoding="utf-8")
    words = re.findall(r"^- \*\*(.+?)\*\*: ", (DOCS / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {word.lower().replace(" ", "-") for word in words} <= page_of(glossary).ids


def test_words_are_told_in_text_alone_and_change_nothing_that_is_read():
    kept = "<code>plan</code>, <a href='x'>plan</a> plan<br>plan</p>"
    source = f"<h2>A plan</h2><p>Two plans <em>and a made-up row</em>: {kept}"
    shown = glossary().told(source, {"plan": 'says "what"', "row": "any", "made-up row": "nobody's"})
    plans, row = '<abbr title="says &quot;what&quot;">plans</abbr>', '<abbr title="nobody&#x27;s">made-up row</abbr>'
    assert shown == f"<h2>A plan</h2><p>Two {plans} <em>and a {row}</em>: {kept}"
    assert set(glossary().entries(DOCS / "glossary.md")) >= glossary().EVERYWHERE


def test_the_library_reference_has_every_name_once(site):
    page = page_of(place(site, LIBRARY))
    text = LIBRARY.read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: potluck\.(\w+)$", text, re.MULTILINE)) == sorted(potluck.__all__)
    assert {f"potluck.{name}" for name in potluck.__all__} <= page.ids
    returned = {inspect.signature(one).return_annotation for one in map(potluck.__getattr__, potluck.__all__)}
    ours = {
        f"{one.__module__}.{one.__name__}" for one in returned if getattr(one, "__module__", "").startswith("potluck.")
    }
    assert len(ours) > 8
    assert ours - {f"{one.__module__}.{one.__name__}" for one in (potluck.Run, potluck.Plan)} <= page.ids
    assert {"potluck.Plan.read", "potluck.Run.metrics", "potluck.Model.predict_proba"} <= page.ids


def test_a_notebook_is_a_page_with_what_its_cells_showed(site):
    notebooks = sorted((ROOT / "examples").glob("*.ipynb"))
    assert len(notebooks) >= 4
    for path in notebooks:
        page = (site / "examples" / f"{path.name}.html").read_text(encoding="utf-8")
        outputs = [cell["outputs"] for cell in json.loads(path.read_text("utf-8"))["cells"] if "outputs" in cell]
        assert page.count('<div class="shown">') == sum(map(bool, outputs)) > 4, path
        assert 'id="shown-' not in page, path
    pictures = (site / "examples" / "pictures.ipynb.html").read_text(encoding="utf-8").partition("<article")[2]
    assert "26,858 parameters trained" in pictures
    assert "data:image/png;base64," in pictures


@pytest.mark.browser
def test_search_works_from_a_folder_and_without_a_network(site, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--host-rules=MAP * ~NOTFOUND",
    ]
    flags += ["--virtual-time-budget=20000", "--dump-dom", f"{(site / 'index.html').as_uri()}?q=epsilon"]
    done = subprocess.run([chromium, *flags], capture_output=True, text=True, timeout=120, check=True)
    found = re.search(r'md-search-result__meta">\s*(\d+) matching documents', done.stdout)
    assert found
    assert int(found[1]) > 20


def test_a_site_with_a_broken_link_is_not_built(tmp_path):
    source = copied(tmp_path / "source")
    page = source / "docs" / "quickstart.md"
    page.write_text(page.read_text(encoding="utf-8") + "\n[lost](nowhere.md)\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"'docs/nowhere.md' is not found among documentation files"):
        built(source, tmp_path)
