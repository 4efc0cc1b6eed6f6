"""Claims about the pages as such: nothing is broken, missing, stale or out of shape."""

import importlib.util
import re

import pytest

import potluck
from support.code import sources
from support.docs.pages import DOCS, PAGES, ROOT, anchors, headings, links, prose, ticks
from support.places import SRC

CONCEPTS = sorted(p for p in (DOCS / "concepts").glob("*.md") if p.name != "protections.md")
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
FIVE = ["What it hides", "From whom", "Cost", "What it does not hide", "How to check"]


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_page_and_a_heading(page):
    broken = []
    for target in links(page):
        name, _, anchor = target.partition("#")
        other = (page.parent / name) if name else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            broken.append(target)
    assert broken == []


def test_every_page_of_the_docs_can_be_reached_from_the_readme():
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        todo += [page.parent / target.partition("#")[0] for target in links(page) if target.partition("#")[0]]
    assert sorted(page for page in PAGES if page.resolve() not in seen) == []


def test_whoever_follows_a_page_sees_all_of_a_verdict():
    """`summary` is its line of costs: usefulness and what is to be minded are in the verdict itself."""
    shown = [*PAGES, *(ROOT / "examples").rglob("*.py"), *(ROOT / "examples").rglob("*.ipynb")]
    text = {path: path.read_text(encoding="utf-8") for path in shown}
    assert sum("check(" in one for one in text.values()) > 5
    assert [path for path, one in text.items() if re.search(r"(check\(.*\)|\bverdict)\.summary\(", one)] == []


@pytest.mark.parametrize("page", CONCEPTS, ids=lambda page: page.stem)
def test_a_concept_answers_the_same_five_questions(page):
    assert [heading for heading in headings(page) if heading in FIVE] == FIVE


def test_decisions_are_numbered_without_gaps_and_have_the_same_parts():
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for page in DECISIONS:
        title, *parts = headings(page)
        assert title.startswith(f"{page.name[:4]}: "), page
        assert parts == ["Context", "Decision", "Consequences"], page


def test_every_source_of_a_view_is_a_page_and_a_heading_that_exist():
    named = {row["source"] for plan in generator().PLANS.values() for row in potluck.explain(plan).rows()}
    for text in sources().values():
        named |= set(re.findall(r"docs/[\w/.-]+\.md(?:#[\w-]+)?", text))
    assert len(named) >= 3
    for source in named:
        name, _, anchor = source.partition("#")
        assert (ROOT / name).is_file(), source
        assert not anchor or anchor in anchors(ROOT / name), source


def test_the_tables_of_threats_are_what_the_views_say():
    page = (ROOT / "THREATS.md").read_text(encoding="utf-8")
    assert page == generator().filled(page), "run: .venv/bin/python docs/generate.py"


def test_a_stale_table_is_noticed():
    page = (ROOT / "THREATS.md").read_text(encoding="utf-8")
    stale = page.replace("| server | a's update | masked |", "| server | a's update | nothing |")
    assert stale != page
    assert generator().filled(stale) == page


def test_pages_are_written_for_people_of_any_machine():
    for page in PAGES:
        assert not re.search(r"/(?:work|home|root|tmp)/", page.read_text(encoding="utf-8")), page


def test_code_that_a_page_names_by_its_path_is_there():
    """Decisions say what was so when they were taken."""
    for page in PAGES:
        if page.parent.name != "decisions" and page.name != "CHANGELOG.md":
            named = [tick for tick in ticks(prose(page)) if re.fullmatch(r"(\w[\w.-]*/)+\w+\.py", tick)]
            missing = [
                one
                for one in named
                if not any((place / one).is_file() for place in (ROOT, ROOT / "src", SRC, ROOT / "bench"))
            ]
            assert missing == [], page
            tests = [one for one in ticks(prose(page)) if re.fullmatch(r"tests(/\w+)+", one)]
            assert [one for one in tests if not (ROOT / one).is_dir()] == [], page


def test_lines_of_the_architecture_are_as_short_as_lines_of_code():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if len(line) > 120] == []


def test_the_readme_fits_a_screen_and_a_half():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 135


def test_pictures_are_small():
    for picture in (DOCS / "images").iterdir():
        assert picture.stat().st_size < 200_000, picture
