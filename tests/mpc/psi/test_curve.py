"""An intersection of two or more owners is exactly the set of common keys, in one order, for those who may learn it."""

import os

import numpy as np
import pytest

from potluck.core.errors import DataError
from potluck.core.rounds import Abort
from potluck.mpc.psi import table as psi_table
from potluck.mpc.psi.curve import Blind, mapped, order
from potluck.mpc.psi.keys import digest_of, distinct
from potluck.testing.draws import seeded
from support.mpc.psi_rig import NAMES, gathering, keys_of, met, results


def sets(count, size, share):
    """Sets of `size` words with `share` of them common to all, each in an order of its own."""
    common = [f"c{number}" for number in range(round(size * share))]
    return [
        sorted(
            common + [f"{name}{number}" for number in range(size - len(common))], key=lambda word, of=name: word + of
        )
        for name in NAMES[:count]
    ]


def ordered(words):
    """Digests of words, ascending."""
    return b"".join(sorted(keys_of([word]) for word in words))


def check(about, owned):
    """Run it and hold it against Python's sets."""
    common = set.intersection(*map(set, owned))
    for party, found in results(about, owned).items():
        learns = party in about.to
        assert found.held.size == (len(common) if learns else None)
        assert found.held.common == (ordered(common) if learns and about.reveal == "members" else None)
    return len(common)


@pytest.mark.parametrize("reveal", ["size", "members"])
@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_size_and_members_are_right(count, reveal, share):
    assert check(gathering(count, reveal=reveal), sets(count, 10, share)) == round(10 * share)


@pytest.mark.parametrize(("count", "size"), [(2, 1000), (3, 400)])
def test_so_they_are_for_more_keys(count, size):
    assert check(gathering(count), sets(count, size, 0.5)) == size // 2


@pytest.mark.slow
@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize(("count", "reveal"), [(2, "size"), (3, "members")])
def test_a_hundred_thousand_keys_at_each_side(count, reveal, share):
    assert check(gathering(count, reveal=reveal), sets(count, 100_000, share)) == 100_000 * share


@pytest.mark.parametrize("to", [("ann",), ("cid",), ("bob", "cid")])
@pytest.mark.parametrize("reveal", ["size", "members"])
def test_whoever_is_named_learns_it_and_nobody_else(to, reveal):
    owned = [["a", "b", "c", "d"], ["b", "c", "d", "e"], ["c", "d", "e", "f"]]
    assert check(gathering(3, reveal=reveal, to=to), owned) == 2


@pytest.mark.parametrize("to", [("ann",), ("bob",), None])
def test_so_it_is_with_two(to):
    assert check(gathering(2, to=to), [["a", "b", "c"], ["b", "c", "d"]]) == 2


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("reveal", ["size", "members"])
def test_empty_and_lopsided_sides(count, reveal):
    wide = [f"k{number}" for number in range(200)]
    for owned in (
        [[]] * count,
        [[], *[wide] * (count - 1)],
        [*[wide] * (count - 1), []],
        [["k7"], *[wide] * (count - 1)],
    ):
        check(gathering(count, reveal=reveal), owned)


@pytest.mark.slow
@pytest.mark.parametrize("to", [("ann",), *(pytest.param(one, marks=pytest.mark.slow) for one in (("bob",), None))])
def test_two_engines_find_the_same(mpc_engine, to):
    assert check(gathering(2, protocol="rr22", to=to), [["a", "b", "c"], ["b", "c", "d"]]) == 2


def test_one_key_in_two_writings_is_one():
    composed, apart = "Zo\u00eb", "Zoe\u0308"
    assert composed != apart
    assert digest_of((composed, "a,b")) == digest_of((f" {apart}\n", "a,b "))
    assert digest_of(("Zoe", "a,b")) != digest_of((composed, "a,b"))
    assert digest_of(("01",)) != digest_of(("1",))
    assert digest_of(("a", " ")) is None


def test_of_a_key_that_comes_again_the_first_row_counts_or_it_is_refused_by_line():
    keys, lines = [("x",), ("y",), ("x ",), ("z",)], [2, 3, 5, 8]
    assert list(distinct(keys, lines, "ann", first=True).values()) == [0, 1, 3]
    with pytest.raises(DataError, match="ann: lines whose key occurs before: 5") as caught:
        distinct(keys, lines, "ann", what="lines")
    assert "x" not in str(caught.value).split("hint")[0].replace("DataError", "").replace("ann", "")
    with pytest.raises(DataError, match="lines without a key: 3"):
        distinct([("x",), ("",)], lines, "ann", what="lines", first=True)


def test_what_was_kept_is_taken_again_and_only_where_all_kept_it():
    owned = [["a", "b", "c"], ["b", "c", "d"], ["c", "b", "x"]]
    about = gathering(3)
    first = results(about, owned)
    kept = {party: found.held for party, found in first.items()}
    again = results(gathering(3, number=2), owned, kept=kept)
    assert all(found.reused and found.held is kept[party] for party, found in again.items())
    assert len({found.order for found in again.values()}) == 1
    some = dict(list(kept.items())[:2])
    fresh = results(gathering(3, number=3), owned, kept=some)
    assert not any(found.reused for found in fresh.values())
    assert {found.held.common for found in fresh.values()} == {ordered("bc")}


def test_multiplications_commute_and_a_point_of_small_order_is_refused():
    one, other = Blind(os.urandom), Blind(os.urandom)
    points = mapped(b"s", [b"a", b"b"])
    assert one.times(other.times(points)) == other.times(one.times(points))
    assert mapped(b"t", [b"a"]) != points[:1]
    with pytest.raises(Abort, match="small order"):
        one.times([bytes(32)])
    assert repr(one) == "Blind(hidden)"


def test_x25519_is_the_curve_of_rfc_7748():
    scalar = bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4")
    point = bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")
    result = bytes.fromhex("c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552")
    assert Blind(lambda size: scalar).times([point]) == [result]


def test_a_secret_order_is_an_order():
    found = order(os.urandom, 100)
    assert sorted(found.tolist()) == list(range(100))
    assert found.tolist() != list(range(100))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50, 3000])
def test_a_table_answers_for_its_tags_and_with_noise_for_others(count):
    draw = seeded(f"a table of {count}")  # else, with 50 keys, two strange tags now and then read the same
    tags = [draw(16) for _ in range(count)]
    numbers = np.frombuffer(draw(16 * count), "<u8").reshape(-1, 2)
    table = psi_table.made(tags, numbers, draw)
    assert (psi_table.read(table, count, tags) == numbers).all()
    strange = psi_table.read(table, count, [draw(16) for _ in range(100)])
    # Few cells combine to few answers: of a small table some strange tags read the same.
    assert len({row.tobytes() for row in strange}) > (99 if count >= 50 else 80)
    with pytest.raises(Abort, match="another size"):
        psi_table.read(table, count + 40, tags)


def test_a_table_that_does_not_come_out_is_salted_anew():
    salts = iter([bytes(16), b"\1" * 16])
    tags = [bytes([number]) * 16 for number in range(9)]
    drawn = []

    def draw(size):
        drawn.append(size)
        return next(salts) if size == 16 else bytes(size)

    def peeled(places, total, once=[]):  # noqa: B006
        once.append(1)
        return None if len(once) == 1 else real(places, total)

    real, psi_table._peeled = psi_table._peeled, peeled
    try:
        table = psi_table.made(tags, np.ones((9, 2), np.uint64), draw)
    finally:
        psi_table._peeled = real
    assert drawn[:2] == [16, 16]
    assert (psi_table.read(table, 9, tags) == 1).all()


def test_an_order_that_differs_ends_the_round_by_name():
    owned = [["a", "b"], ["a", "b"]]
    about = gathering(2)
    kept = {party: found.held for party, found in results(about, owned).items()}
    swapped = kept[about.owners[1]]
    turned = type(swapped)(swapped.token, swapped.size, swapped.common[16:] + swapped.common[:16])
    desks = met(gathering(2, number=2), owned, kept=kept | {about.owners[1]: turned})
    why = desks[about.owners[0]].abort
    assert (why.cause.name, why.party, why.step) == ("SURVIVORS", about.owners[1], "psi/order")
