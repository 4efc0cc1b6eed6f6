"""The short table may merge only what the claims say of every site."""

from msgspec.structs import replace

from potluck.core.views import Form
from potluck.report import matrix
from potluck.report.details import Seen
from support.report.samples import HEART, views


def _cell(table, thing, party):
    return dict(table.rows)[thing][table.head.index(party)]


def test_equal_claims_of_all_sites_merge_into_one_cell():
    table = matrix.short(views(HEART), HEART)
    assert table.head == ("Server", matrix.OWNER, matrix.OTHERS)
    assert [thing for thing, _ in table.rows] == ["A site's update", "The sum", "The model", "A site's metrics"]
    (claim,) = _cell(table, "A site's update", "Server")
    assert (claim.form, claim.times, len(claim.notes)) == (Form.MASKED, 0, 1)
    assert table.notes[claim.notes[0] - 1].breaks_if.startswith("2 of the other sites collude, or both")


def test_one_site_that_is_worse_off_is_not_hidden_by_the_others():
    changed = [replace(v, form=Form.PLAIN) if (v.party, v.of) == ("server", "va's update") else v for v in views(HEART)]
    claims = _cell(matrix.short(changed, HEART), "A site's update", "Server")
    assert [(claim.form, claim.times) for claim in claims] == [(Form.MASKED, 3), (Form.PLAIN, 1)]


def test_one_condition_that_differs_keeps_its_own_note():
    changed = [
        replace(v, breaks_if="server colludes") if (v.party, v.of) == ("hungarian", "va's update") else v
        for v in views(HEART)
    ]
    table = matrix.short(changed, HEART)
    (claim,) = _cell(table, "A site's update", matrix.OTHERS)
    assert "server colludes" in {table.notes[number - 1].breaks_if for number in claim.notes}
    assert len(claim.notes) == 2


def test_the_full_table_says_exactly_what_the_views_say():
    claimed = views(HEART)
    table = matrix.full(claimed, HEART)
    assert table.head == ("Server", *HEART)
    for view in claimed:
        thing = view.of if "'s " in view.of else "T" + view.of[1:]
        party = "Server" if view.party == "server" else view.party
        (claim,) = _cell(table, thing, party)
        assert claim.form is view.form
        said = {table.notes[number - 1].breaks_if for number in claim.notes}
        assert said <= {view.breaks_if}


def test_only_an_owner_that_sees_its_own_is_marked_as_such():
    table = matrix.full(views(HEART), HEART)
    for thing, cells in table.rows:
        for party, (claim,) in zip(table.head, cells, strict=True):
            assert claim.own == thing.startswith(f"{party}'s ")


def test_the_legend_alarms_nobody_of_what_is_a_partys_own():
    plain = [(own, words) for form, own, words in matrix.short(views(HEART), HEART).legend if form is Form.PLAIN]
    assert plain == [(True, matrix.OWN)]
    changed = [replace(v, form=Form.PLAIN) if (v.party, v.of) == ("server", "va's update") else v for v in views(HEART)]
    table = matrix.short(changed, HEART)
    assert [own for form, own, _ in table.legend if form is Form.PLAIN] == [True, False]
    assert {form for form, _, _ in table.legend} == {one.form for _, row in table.rows for cell in row for one in cell}


def test_what_no_view_states_is_not_stated():
    table = matrix.full(
        (Seen(party="a", of="a's update", form=Form.PLAIN), Seen(party="b", of="the sum", form=Form.SUM)), ("a", "b")
    )
    assert _cell(table, "a's update", "b") == ()


def test_names_that_contain_one_another_are_told_apart():
    names = ("va", "va's annex", "nova")
    seen = [
        Seen(party="server", of=f"{name}'s update", form=Form.MASKED, breaks_if="va, nova collude") for name in names
    ]
    assert matrix.owner("va's annex's update", names) == "va's annex"
    table = matrix.short(seen, names)
    (claim,) = _cell(table, "A site's update", "Server")
    texts = {table.notes[number - 1].breaks_if for number in claim.notes}
    assert texts == {"va, nova collude", "the other sites collude"}


def test_many_sites_get_the_short_table_with_few_notes():
    names = tuple(f"s{n}" for n in range(60))
    claimed = [
        Seen(
            party="server",
            of=f"{name}'s update",
            form=Form.MASKED,
            breaks_if=f"{name} colludes and something of its own falls",
        )
        for name in names
    ]
    assert matrix.full(claimed, names) is None
    odd = [replace(view, breaks_if=f"case {index}") for index, view in enumerate(claimed)]
    assert len(matrix.short(odd, names).notes) == matrix.MOST
    assert len(matrix.short(claimed, names).notes) == 1


def test_a_site_that_is_called_like_an_article_changes_no_prose():
    """The notes of an intersection under other names are the same notes."""
    text = "decided, as a quantum computer would, or a site's long-term box key is stolen"

    def told(names):
        seen = [
            Seen(
                party=party,
                of=f"{of}'s keys",
                form=Form.NOTHING,
                breaks_if=f"{text}, or all of {', '.join(sorted({of, names[1]}))}, server collude, or {of} colludes",
            )
            for of in names
            for party in ("server", *names)
            if party != of
        ]
        return [note.breaks_if for note in matrix.short(seen, names).notes]

    assert len(told(("a", "b", "c"))) == len(told(("north", "south", "west"))) > 0
    assert all(one.startswith(text) for one in told(("a", "b", "c")))
    assert any(one.endswith(", or its owner colludes") for one in told(("a", "b", "c")))
