"""What is on the site, for mkdocs: the repository's own files, each in its own place, so that a link works in both.

Nothing is copied or listed twice: the menu is docs/README.md. This module only says which files are pages, and what
mkdocs does not know by itself: notebooks, and the file name behind the language of a block.
"""

import re
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

# mkdocs has this folder on its path while it loads this file.
import glossary
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from notebook import Notebook

ROOT = Path(__file__).parents[2]
CONTENTS = Path("docs/README.md")
FILES = (
    *("README.md", "THREATS.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "NOTICE"),
    *(
        "examples/README.md",
        "bench/README.md",
        "bench/proof.md",
        "bench/results.json",
        "src/potluck/demo/heart/heart-disease.names",
        "locks/program.txt",
        "locks/broker.txt",
    ),
)
"""Pages outside of docs, and what pages lead to."""
KINDS = (".md", ".png", ".css", ".js")
EXAMPLES = "examples/README.md"
EXAMPLE = re.compile(r"\]\((?!\.\./|https?:)([^)#]+)\)")
IN_MENU = re.compile(r"^- \[(?P<title>.+?)\]\((?P<page>[^)]+)\)", re.MULTILINE)
TITLED = re.compile(r"^```(\w+) (\S.*)$", re.MULTILINE)
TO_NOTEBOOK = re.compile(r"\]\(([^)]+\.ipynb)\)")
UNUSED = ("assets/javascripts/lunr", "assets/**/*.map")
"""Of the theme: words of other languages, and what its own authors debug with."""
LAST = ("docs/decisions/", "CHANGELOG.md")
GLOSSARY = "docs/glossary.md"
_notebooks: dict[str, Notebook] = {}
_words: dict[str, str] = {}


def on_config(config: MkDocsConfig) -> None:
    """The menu: a section for each heading of docs/README.md, and that page last."""
    config.nav = [*sections(), {"All pages": str(CONTENTS)}]


def sections() -> Iterator[dict[str, list[dict[str, str]]]]:
    """Heading, and of each entry title and page."""
    for part in (ROOT / CONTENTS).read_text(encoding="utf-8").split("\n## ")[1:]:
        heading, _, body = part.partition("\n")
        yield {heading: [{found["title"]: _name(found["page"])} for found in IN_MENU.finditer(body)]}


def on_files(files: Files, config: MkDocsConfig) -> None:
    """In place of what mkdocs found in one folder, all files of the site by their paths in the repository."""
    for file in list(files):
        if file.src_dir == config.docs_dir:
            files.remove(file)
    _notebooks.clear()
    _words.update(glossary.entries(ROOT / GLOSSARY))
    for path in paths():
        name = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(path)))
        if path.suffix == ".ipynb":
            _notebooks[_name_of_page(name)] = book = Notebook.read(path)
            files.append(File.generated(config, _name_of_page(name), content=book.markdown))


def paths() -> Iterator[Path]:
    """All files of the site. What lies in examples and is not listed there is not ours: it may be a run or a ledger."""
    yield from (ROOT / name for name in FILES)
    yield from sorted(path for path in (ROOT / "docs").rglob("*") if path.suffix in KINDS)
    listed = (ROOT / EXAMPLES).read_text(encoding="utf-8")
    yield from sorted({(ROOT / EXAMPLES).parent / name for name in EXAMPLE.findall(listed)})


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """A link to a notebook leads to its page; the file name behind a block's language becomes the block's title.

    Decisions and changes stand last among what a search finds: they say why, and whoever searches asks how."""
    if page.file.src_uri.startswith(LAST):
        page.meta["search"] = {"boost": 0.001}  # a title counts a thousandfold
    if page.file.src_uri in _notebooks:
        return markdown
    if page.file.src_uri == GLOSSARY:
        return glossary.with_anchors(markdown)
    return TITLED.sub(r'```\1 title="\2"', TO_NOTEBOOK.sub(r"](\1.md)", markdown))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """What a notebook's cells showed is HTML already; elsewhere words of the glossary say what they mean."""
    name = page.file.src_uri
    if name in _notebooks:
        return _notebooks[name].filled(html)
    return html if name == GLOSSARY else glossary.told(html, glossary.of_page(_words, name))


def on_post_build(config: MkDocsConfig) -> None:
    """Leave out what no page loads, which is a third of the site, and add the licence of the theme's files."""
    site = Path(config.site_dir)
    theme = distribution("mkdocs-material")
    (site / "assets" / "LICENSE").write_text(theme.read_text("licenses/LICENSE") or "", encoding="utf-8")
    for pattern in UNUSED:
        for path in site.glob(pattern):
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        for one in path.iterdir():
            _remove(one)
        path.rmdir()
    else:
        path.unlink()


def _name(link: str) -> str:
    """A link of docs/README.md as a page's name."""
    name = (ROOT / CONTENTS.parent / link).resolve().relative_to(ROOT).as_posix()
    return _name_of_page(name) if name.endswith(".ipynb") else name


def _name_of_page(notebook: str) -> str:
    return f"{notebook}.md"
