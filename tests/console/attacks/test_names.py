"""What a hostile coordinator writes into a plan is text on the page, and nothing else."""

import json

import msgspec

from potluck.core.visible import MARKS, json_text, visible
from support.console import home as homes
from support.console.home import Visitor, words
from support.report.tree import Tree

EVIL = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></head><body onload=alert(1)>",
    "{{ 7 * 7 }}{% for x in ().__class__.__base__.__subclasses__() %}{{ x }}{% endfor %}",
    "javascript:alert(1)",
    "<form action=https://evil.example><button>Approve</button></form>",
    "a\r\nSet-Cookie: evil=1\r\n\r\n<h1>x",
    "\u202egnp.evorppa\u2066\x1b[2J\x00",
    "<base href=https://evil.example>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
]


def test_marks_in_heaps_cover_no_line_around():
    heap, thai, viet = "a" + "\u0336" * 40 + "b", "\u0e01\u0e35\u0e48", "e\u0302\u0323"
    assert visible(heap) == "a" + "\u0336" * MARKS + r"\u{336}" * (40 - MARKS) + "b"
    assert [visible(one) for one in (thai, viet, visible(heap))] == [thai, viet, visible(heap)]
    assert json.loads(json_text([heap, "a\u3164b"])) == [heap, "a\u3164b"]
    assert "\u3164" not in json_text(["a\u3164b"])


def elements(text):
    """The elements of a page with the names of their attributes."""
    tree = Tree(text)
    assert tree.errors == []
    return [(name, sorted(attributes)) for name, attributes, _ in tree.tags]


def test_a_name_purpose_column_or_asker_makes_no_element(home):
    evil = "".join(EVIL)
    visitor = Visitor(home).enter()
    data = homes.spec().data
    kind = data.columns["x"]

    def plan(name, purpose, column):
        read = msgspec.structs.replace(data, columns={column: kind, "z": kind})
        return homes.spec(name=name, purpose=purpose, data=read)

    bad, good = (
        homes.ask(home, plan(evil, evil, evil), "r3", asker=evil[:200]),
        homes.ask(home, plan("n", "p", "c"), "r4", asker="o"),
    )
    pages = [visitor.get(f"/requests/{one}") for one in (bad, good)]
    assert [one.status_code for one in pages] == [200, 200]
    assert elements(pages[0].text) == elements(pages[1].text)
    assert "set-cookie" not in pages[0].headers
    for text in (pages[0].text, visitor.get("/").text, visitor.get("/past").text):
        assert not set("\u202e\u2066\x1b\x00") & set(text)
    assert "{{ 7 * 7 }}" in words(pages[0].text)  # as it was written, not 49


def test_thousands_of_long_names_make_no_page_that_a_browser_chokes_on(home):
    """A plan has at most 4 MiB, of which a page shows the beginning; the whole can be taken along."""
    visitor = Visitor(home).enter()
    data = homes.spec().data
    kind = data.columns["x"]
    read = msgspec.structs.replace(data, columns={f"c{number}{'x' * 1000}": kind for number in range(2_000)})
    plan = homes.ask(home, homes.spec(purpose="p" * 100_000, data=read), "r3")
    for path in ("/", "/past", f"/requests/{plan}"):
        assert len(visitor.get(path).content) < 300_000, path
    page = visitor.get(f"/requests/{plan}")
    assert "more letters" in words(page.text)
    kept = visitor.get(f"/requests/{plan}/settings")
    assert kept.headers["content-disposition"] == f'attachment; filename="plan-{plan[:16]}.json"'
    assert len(kept.json()["data"]["columns"]) == 2_000
    assert Visitor(home).get(f"/requests/{plan}/settings").status_code == 303  # who is not signed in takes nothing
