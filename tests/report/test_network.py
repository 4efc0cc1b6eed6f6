"""What the page says of a run across machines, and what it must not say of one in a single process."""

import msgspec
import pytest

from potluck.core import prose
from potluck.report import details as d
from potluck.report import matrix, network, words
from support.report.samples import HEADS, HEART, across, carried, clear, heart, statistics
from support.report.tree import Tree


def said(page, change=None, network_change=None):
    run, details = across()
    if network_change:
        details = msgspec.structs.replace(details, network=msgspec.structs.replace(details.network, **network_change))
    return Tree(page(run, msgspec.structs.replace(details, **(change or {})))).words()


def flat(text):
    return " ".join(text.split())


def test_it_names_the_federation_its_version_and_the_broker(page):
    text = flat(said(page))
    assert "Across machines: federation hospitals , its file in version 3; letters went by the broker" in text
    assert "tls://broker.example:4222" in text
    assert "rehearsal" not in text
    assert "in one process" not in text


def test_the_timeline_says_when_why_and_what_came_to_nothing(page):
    text = flat(said(page))
    assert "round 3: va (silent); round 9: va (silent)" in text
    assert "The server was started again twice during the run" in text
    assert (
        "before round 3 (too few answers); before round 7 (silent, then bad signature: hungarian (mask/input))" in text
    )
    assert "24 Nov, 02:19:13" in text
    assert "Opened (UTC)" in text


def test_a_quiet_run_has_no_column_for_tries_and_no_word_of_a_restart(page):
    _, details = across()
    calm = tuple(msgspec.structs.replace(one, tries=(), why={}, dropped=()) for one in details.timeline)
    text = said(page, {"timeline": calm}, {"resumed": 0})
    assert "Tries" not in text
    assert "started again" not in text
    assert "No site dropped out." in text


def test_very_many_tries_do_not_fill_the_page(page):
    _, details = across()
    many = tuple(msgspec.structs.replace(one, tries=("silent",)) for one in details.timeline)
    text = flat(said(page, {"timeline": many}))
    assert "before round 12 (silent); and 9 more, in the table." in text
    assert "before round 13" not in text


def test_every_head_is_on_the_page_in_full_and_in_short(page):
    text = said(page)
    for head in HEADS:
        assert f"{head.hash[:16]}…" in text
        assert head.hash in text
        assert head.signature in text
        assert f"{head.entry:,}" in text
    assert "potluck site budget --export" in text
    assert "potluck.owner.evidence.verify_export" in text


def test_the_helper_that_the_page_names_exists():
    from potluck.owner import evidence

    assert callable(evidence.verify_export)


def test_a_site_without_a_last_word_is_named(page):
    assert "No last word came from va: of its ledger this page knows no end." in said(page)
    text = said(page, None, {"heads": ()})
    assert f"No last word came from {prose.listed(HEART)}: of their ledgers" in text
    assert "Signed ledger heads" not in text
    whole = (*HEADS, msgspec.structs.replace(HEADS[0], site="va"))
    assert "No last word" not in said(page, None, {"heads": whole})


def test_the_caveats_say_what_the_broker_is_and_what_a_stolen_key_opens(page):
    text = said(page)
    assert "It cannot read a letter, change one, or pass one off as another's." in text
    assert "steals a site's long-term key, even years later" in text
    assert "The coordinator" in text
    assert "opens every update" not in text
    text = said(page, {"protect": "clear"})
    assert "steals the server's long-term key, even years later, opens every update" in text
    assert "sealed once more" not in text
    run, details = statistics()
    text = Tree(page(run, msgspec.structs.replace(details, network=d.Network(federation="f", version=1, broker="b"))))
    assert "A key stolen later" not in text.words(), "no letter with a result goes to a site"


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("tls://127.0.0.1:4222", True),
        ("tls://localhost:4222", True),
        ("tls://[::1]:4222", True),
        ("tls://broker.example:4222", False),
        ("tls://localhost.example:4222", False),
        ("tls://127.0.0.1.example:4222", False),
        ("tls://10.0.0.1:4222", False),
        ("", False),
    ],
)
def test_a_run_on_one_machine_is_called_one(page, address, here):
    assert ("One machine" in said(page, None, {"broker": address})) == here


def test_the_brokers_column_stands_beside_the_servers():
    _, details = across()
    assert matrix.short(details.views, HEART).head == ("Server", "Broker", matrix.OWNER, matrix.OTHERS)
    assert matrix.full(details.views, HEART).head == ("Server", "Broker", *HEART)


def test_in_one_process_nobody_carries_letters_and_no_view_says_so(page):
    run, details = heart()
    views = (*details.views, *carried(HEART))
    text = page(run, msgspec.structs.replace(details, views=views))
    assert ">Broker<" not in text
    assert "ciphertext" not in Tree(text).words()
    assert ">Broker<" in page(run, msgspec.structs.replace(details, views=views, in_process=False))
    assert "Across machines" not in Tree(text).words()
    assert "Signed ledger heads" not in Tree(text).words()


def test_clear_no_longer_says_that_the_wire_reads_along(page):
    text = Tree(page(*clear())).words()
    assert "the server gets each site's update" in text
    assert "reads its traffic" not in text


def test_a_short_hash_is_not_cut():
    assert network.short("ab") == "ab"
    assert network.network(d.Details()) is None


def test_times_that_are_none_stay_text():
    assert words.clock("2026-11-24T02:19:07.120+02:00") == "24 Nov, 00:19:07"
    assert words.clock("soon") == "soon"
    assert words.moment("0001-01-01T00:00:00+23:00") == "0001-01-01T00:00:00+23:00"


def test_whose_parties_are_is_said_in_their_cards_words_and_not_at_all_where_none_says_it(page):
    """Any member writes its own card: what is in it changes no tag."""
    assert "Whose the parties are" not in said(page)
    run, details = across()

    def tree(one):
        parties = (d.Party(name="the coordinator", where="Ward 7, FI"), one)
        told = msgspec.structs.replace(details.network, parties=parties)
        return Tree(page(run, msgspec.structs.replace(details, network=told)))

    hostile = tree(d.Party(name="va", where="</td><script>alert(1)</script>", contact="a\u202eb"))
    plain = tree(d.Party(name="va", where="x", contact="y"))
    assert [tag for tag, _, _ in hostile.tags] == [tag for tag, _, _ in plain.tags]
    assert "The coordinator Ward 7, FI –" in flat(plain.words())
    assert "\u202e" not in hostile.words()
