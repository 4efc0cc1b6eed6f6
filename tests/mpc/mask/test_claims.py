"""What `mask` refuses before a run, and what its views claim: both follow from the same thresholds."""

import itertools

import pytest

from potluck.core.party import SERVER, site
from potluck.core.plan import Data, Federation, Plan, PrivacyPlan, Protect
from potluck.core.views import Form, breaks, together
from potluck.mpc.mask import protection as mask
from potluck.mpc.mask.graph import Shape


def plan(n, c=0, d=0, server="lying", noise="none"):
    return Plan(
        version=1,
        name="p",
        purpose="test",
        task="statistics",
        federation=Federation(sites=tuple(f"s{i}" for i in range(n)), corrupt=c, dropouts=d, server=server),
        data=Data(),
        protect=Protect(scheme="mask"),
        privacy=PrivacyPlan(noise=noise),
    )


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (plan(2), ["mask needs at least 3 sites", "hint: add a site"]),
        (plan(2, noise="reveal"), ["mask needs at least 3 sites"]),
        (plan(1, noise="shared"), ["at least 2 sites"]),
        (plan(3, 0, 2, noise="shared"), ["at least 2 sites", "dropouts"]),
        (plan(3, 1, 1), ["3 sites cannot bear 1 corrupt and 1 dropouts with a lying server", '"curious"']),
        (plan(10, 8, 1, noise="shared"), ["10 sites cannot bear 8 corrupt"]),
        (plan(10, 6, 5, "curious", noise="shared"), ["with a curious server"]),
        (plan(4, 1, 2, "curious"), ["1 are left in the sum where 2 must be", "shared noise"]),
        (plan(5, 0, 3, "curious"), ["1 are left"]),
        (plan(6, 4, 1, "curious"), ["4 sites that subtract themselves"]),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused_in_one_line_with_a_hint(made, words):
    problems = mask.check(made)
    assert problems
    assert all("\n" not in problem and ". hint: " in problem for problem in problems)
    for word in words:
        assert any(word in problem for problem in problems), problems


@pytest.mark.parametrize(
    "made",
    [
        plan(3),
        plan(3, 1),
        plan(4, 1, 1),
        plan(4, 1, 1, "curious"),
        plan(10, 1, 1),
        plan(2, noise="shared"),
        plan(2, noise="site"),
        plan(4, 2, 0, "curious"),
        plan(100, 5, 5),
        plan(60, 20, 15),
    ],
)
def test_a_plan_that_can_be_kept_is_not_refused(made):
    assert mask.check(made) == []
    assert mask.build(made).shape.sites == len(made.sites)


def test_the_number_that_turns_up_changes_no_threshold():
    assert mask.build(plan(10, 1, 1)).shape == Shape(10, 9, 7, True)
    assert mask.build(plan(10, 1, 1, "curious")).shape == Shape(10, 9, 6, False)
    assert mask.build(plan(1000, 50, 50)).shape == Shape(1000, 60, 41, True)


@pytest.mark.parametrize("server", ["lying", "curious"])
def test_every_party_has_a_view_of_every_sites_update(server):
    made = plan(5, 1, 1, server)
    rows = mask.views(made)
    assert {(row.party, row.of) for row in rows} == set(
        itertools.product((SERVER, *made.sites), [f"s{i}'s update" for i in range(5)])
    )
    assert all(row.form is Form.MASKED for row in rows if row.party == SERVER)
    said = "may do anything" if server == "lying" else "trusted to follow the protocol"
    assert all(said in row.note for row in rows if row.party == SERVER)
    texts = {str(row.breaks_if) for row in rows if row.party == SERVER}
    assert all("ML-KEM-768" in text and "X25519" in text for text in texts)
    assert all(("departs from the protocol" in text) == (server == "curious") for text in texts)


def opened(made, coalition):
    """Of whose update this coalition sees more than the protection promises."""
    rows = together(mask.views(made), frozenset(coalition))
    return {row.of.split("'")[0] for row in rows if row.form in (Form.PLAIN, Form.NOISED)}


@pytest.mark.parametrize(
    "made",
    [plan(4, 1, 1), plan(4, 1, 1, "curious"), plan(7, 1, 2), plan(7, 2, 1, "curious"), plan(10, 3, 2), plan(5, 0, 0)],
)
def test_the_corrupt_of_the_plan_and_the_server_open_nothing_of_others(made):
    corrupt = made.sites[: made.federation.corrupt]
    assert opened(made, {SERVER, *corrupt}) == {party.name for party in corrupt}


@pytest.mark.parametrize(
    ("made", "least"),
    [
        (plan(7, 1, 2), 3),  # t = 5: 2t - n
        (plan(4, 1, 1), 2),  # t = 3: 2t - n = 2, and m - 1 = 2
        (plan(3), 2),  # nobody may be missing: all others subtract themselves
        (plan(10, 1, 1), 4),  # t = 7: 2t - n
        (plan(10, 1, 0), 7),  # no drop-outs: only t root shares, in corrupt hands
        (plan(10, 1, 1, "curious"), 6),  # t
        (plan(6, 1, 2, "curious"), 3),  # m - 1 below t = 4
    ],
)
def test_how_many_sites_must_collude_with_the_server(made, least):
    for count in range(len(made.sites)):
        names = {party.name for party in made.sites[:count]}
        everything = {party.name for party in made.sites}
        assert opened(made, {SERVER, *made.sites[:count]}) == (everything if count >= least else names)


def test_without_the_server_only_subtraction_is_left():
    made = plan(7, 1, 2)
    assert opened(made, made.sites[:3]) == {"s0", "s1", "s2"}
    assert opened(made, made.sites[:4]) == {f"s{i}" for i in range(7)}  # m - 1 = 4 of 5 givers


@pytest.mark.parametrize(("noise", "broken"), [("none", Form.PLAIN), ("site", Form.NOISED), ("shared", Form.NOISED)])
def test_what_is_left_when_it_breaks_is_said(noise, broken):
    made = plan(7, 1, 2, noise=noise)
    rows = together(mask.views(made), frozenset({SERVER, *made.sites[:5]}))
    assert {row.form for row in rows if row.of == "s6's update"} == {broken}


def test_a_sparse_graph_names_its_own_bound():
    made = plan(100, 5, 5)
    row = next(row for row in mask.views(made) if row.party == SERVER)
    others = sorted(set(made.sites) - {site("s0")})
    assert not breaks(row.breaks_if, frozenset({SERVER, *others[:5]}))
    assert breaks(row.breaks_if, frozenset({SERVER, *others[:6]}))
    assert "16 neighbours" in row.note
    assert "2^-40" in row.note
