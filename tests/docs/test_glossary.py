"""The glossary has every private word, once, and nothing in it is stale."""

import re
from itertools import chain

import pytest

from support.code import sources
from support.docs.pages import DOCS, ROOT, links, prose, ticks
from support.places import SRC

PAGE = DOCS / "glossary.md"
ENTRY = re.compile(r"^- \*\*(.+?)\*\*: ", re.MULTILINE)
PRIVATE = """
abort advert anchor ask band block boot booster bounded broker canary candidate card carrier cell charge client cohort
compute_party coordinator course credentials dealer demand desk dialect driver encoded engine exchange exposure fact
false_alarm federation_file finished_model fold graph grid guarded half head helper home house imprint journal kind
label learner lease ledger letter level line link look made-up_row mark marker member microbatch note notice office
opened owner parcel participation party plan policy port promise property_inference proposal protection reach reader
record redo reduction rehearsal release room roster round run runner seat settled shadow signal_to_noise simulation site
slot spread step string survivors tally task terms tie traits transcript unit Unlaid update view vote word worker
worst_unit"""


def entries() -> list[str]:
    return ENTRY.findall(PAGE.read_text(encoding="utf-8"))


def test_every_private_word_has_one_entry():
    assert sorted(entries()) == sorted(word.replace("_", " ") for word in PRIVATE.split())


def test_entries_of_a_section_are_in_order():
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        found = ENTRY.findall(section)
        assert found == sorted(found, key=str.lower)


@pytest.mark.parametrize("word", entries())
def test_a_word_in_the_glossary_is_used_elsewhere(word):
    pages = (path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md") if path != PAGE)
    use = re.compile(rf"\b{word}s?\b", re.IGNORECASE)
    assert any(use.search(text) for text in chain(sources().values(), pages))


def test_places_that_the_glossary_names_exist():
    named = [tick for tick in ticks(prose(PAGE)) if "/" in tick and not tick.startswith("mask/")]
    assert len(named) > 10
    assert [tick for tick in named if not (SRC / tick).exists()] == []


def test_readme_and_architecture_lead_to_it():
    assert "docs/glossary.md" in links(ROOT / "README.md")
    assert "docs/glossary.md" in links(ROOT / "ARCHITECTURE.md")
