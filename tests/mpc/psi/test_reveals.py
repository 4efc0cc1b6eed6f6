"""What each party of an intersection holds, and that a size does not say which keys it counts."""

import pytest

from potluck.api.plan.plan import Plan
from potluck.core.party import SERVER
from potluck.core.rounds import Abort
from potluck.core.views import breaks, together
from potluck.core.wire import load
from potluck.drivers.transcript import Transcript
from potluck.mpc.psi import many as psi_many
from potluck.mpc.psi import messages as m
from potluck.mpc.psi import two as psi_two
from potluck.mpc.psi.curve import mapped, split, tags
from potluck.tasks import catalog
from support.mpc.psi_rig import gathering, keys_of, met

# Long enough that random bytes do not spell one: three letters stood in one run of fifteen.
KEYS = [f"patient {name} 1957" for name in ("anna", "beate", "cemal", "dovid", "elias", "fayza")]
WORDS = [KEYS[:4], KEYS[1:5], KEYS[2:]]


@pytest.fixture
def heard(monkeypatch):
    """(reader, step, writer, opened body) of every note, in order."""
    found = []
    real = m.Circle.unsealed

    def unsealed(self, step, note):
        writer, body = real(self, step, note)
        found.append((self.me.party.name, step, writer.name, body))
        return writer, body

    monkeypatch.setattr(m.Circle, "unsealed", unsealed)
    return found


def bodies(transcript_folder):
    return b"".join(path.read_bytes() for path in transcript_folder.glob("*.bin"))


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("reveal", ["size", "members"])
def test_the_server_holds_sealed_notes_and_set_sizes(tmp_path, heard, count, reveal):
    about = gathering(count, reveal=reveal)
    desks = met(about, WORDS[:count], transcript=Transcript(tmp_path / "parcels"))
    assert not any(desk.abort for desk in desks.values())
    carried = bodies(tmp_path / "parcels")
    assert carried
    assert all(body not in carried for *_, body in heard if body)
    for words in WORDS:
        for word in words:
            assert word.encode() not in carried
            assert keys_of([word]) not in carried


@pytest.mark.parametrize("words", [[["a", "b"], ["c", "d"]], [["a", "b"], ["a", "b"]]])
def test_letters_have_the_same_sizes_whatever_all_have_in_common(words):
    found = []
    for sets in (words, [["a", "b"], ["a", "x"]]):
        for reveal in ("size", "members"):
            transcript = Transcript()
            met(gathering(2, reveal=reveal), sets, transcript=transcript)
            found.append([(move.label.step, move.size) for move in transcript.moves])
    assert found[0] == found[2]
    assert found[1] == found[3]


def test_who_is_not_named_gets_no_result(heard):
    met(gathering(3, to=("ann",)), WORDS)
    assert [reader for reader, step, _, _ in heard if step in (m.FOUND, m.ORDER, m.TABLES)] == ["ann", "ann"]
    heard.clear()
    met(gathering(2, to=("bob",)), WORDS[:2])
    assert {reader for reader, step, _, _ in heard if step in (m.FOUND, m.BACK)} == {"bob"}


def test_of_a_size_of_two_the_learner_cannot_tell_which_by_places(heard, monkeypatch):
    """What comes back is in another order than it left: by its place no point is a key's."""
    met(gathering(2, reveal="size", to=("ann",)), [[f"k{n}" for n in range(64)], [f"k{n}" for n in range(32, 96)]])
    (left,) = (body for reader, step, _, body in heard if (reader, step) == ("bob", m.SETS))
    (back,) = (body for reader, step, _, body in heard if (reader, step) == ("ann", m.BACK))
    assert len(left) == len(back) == 64 * 32
    orders = []
    real = psi_two.order
    monkeypatch.setattr(psi_two, "order", lambda draw, count: orders.append(real(draw, count)) or orders[-1])
    met(gathering(2, reveal="size", to=("ann",)), [[f"k{n}" for n in range(64)], ["k1"]])
    assert len(orders) == 3  # each its own list, and bob ann's once more
    orders.clear()
    met(gathering(2, to=("ann",)), [[f"k{n}" for n in range(64)], ["k1"]])
    assert len(orders) == 2


def test_of_a_size_of_three_nobody_holds_its_tags_in_its_keys_order(monkeypatch):
    """Rank test: the order in which an owner has its tags says nothing of its keys' order; of members it does."""
    held = []
    real = psi_many._numbers
    monkeypatch.setattr(psi_many, "_numbers", lambda seeds, own: held.append(list(own)) or real(seeds, own))
    words = [f"k{n}" for n in range(40)]
    met(gathering(3, reveal="members"), [words] * 3)
    assert held[0] == held[1] == held[2]
    held.clear()
    met(gathering(3, reveal="size"), [words] * 3)
    assert set(held[0]) == set(held[1]) == set(held[2])
    assert held[0] != held[1] != held[2] != held[0]


def test_of_a_key_that_only_some_have_the_tables_say_noise():
    """bea is at ann and bob and not at cid: what ann reads of bob's table is no other than of a table without bea."""
    seeds = {pair: bytes([number]) * 32 for number, pair in enumerate([("a", "b"), ("a", "c"), ("b", "c")], 1)}
    tag = tags(b"s", mapped(b"s", [b"bea"]))
    bob = psi_many._numbers([seeds["a", "b"], seeds["b", "c"]], tag)
    ann = psi_many._numbers([seeds["a", "b"], seeds["a", "c"]], tag)
    cid = psi_many._numbers([seeds["a", "c"], seeds["b", "c"]], tag)
    assert not (ann ^ bob ^ cid).any()
    assert (ann ^ bob).all()
    assert psi_many._numbers([seeds["a", "b"]], tag).tolist() != (ann ^ bob).tolist()


def test_a_hello_says_how_many_keys_there_are_and_nothing_made_of_them(tmp_path):
    transcript = Transcript(tmp_path / "parcels")
    met(gathering(2), WORDS[:2], transcript=transcript)
    read = [path.read_bytes() for path in sorted((tmp_path / "parcels").glob("*.bin"))]
    hellos = []
    for body in read:
        try:
            hellos.append(load(body, m.Hello))
        except Abort:
            continue
    assert [hello.count for hello in hellos] == [4, 4]
    assert {(hello.holds, hello.address, hello.certificate) for hello in hellos} == {(b"", "", b"")}


@pytest.fixture
def seen():
    """The views of a plan with three sites, by (party, thing), and of a coalition."""

    def views(reveal, to=(), sites=("ann", "bob", "cid"), collude=()):
        plan = Plan(
            name="p",
            purpose="x",
            task="intersect",
            federation={"sites": list(sites)},
            privacy={"noise": "none"},
            align={"keys": ["id"], "reveal": reveal, "to": list(to)},
        ).spec
        every = catalog.views(plan)
        if not collude:
            return {(str(view.party), view.of): view for view in every}
        known = {str(view.party): view.party for view in every}
        return {view.of: view.form.value for view in together(every, frozenset(known[name] for name in collude))}

    return views


def test_views_say_who_learns_what(seen):
    found = seen("members", ("ann",))
    assert found["ann", "the common keys"].form.value == "released"
    assert found["bob", "the common keys"].form.value == "nothing"
    assert found["bob", "the size"].form.value == "nothing"
    assert found["server", "bob's keys"].form.value == "ciphertext"
    assert found["bob", "bob's keys"].form.value == "plain"
    sized = seen("size")
    assert {sized[name, "the size"].form.value for name in ("ann", "bob", "cid")} == {"released"}
    assert {sized[name, "the common keys"].form.value for name in ("ann", "bob", "cid")} == {"nothing"}


def test_views_name_the_coalitions(seen):
    assert seen("members", ("ann",), collude=("server", "bob"))["the common keys"] == "nothing"
    assert seen("members", ("ann",), collude=("ann", "bob"))["bob's keys"] == "plain"
    assert seen("members", ("ann",), collude=("ann", "bob"))["what only some have in common"] == "released"
    assert seen("members", ("ann",), collude=("bob", "cid"))["what only some have in common"] == "nothing"
    assert seen("size", collude=("ann", "bob"))["the common keys"] == "nothing"
    assert seen("size", collude=("ann", "bob", "cid"))["the common keys"] == "released"
    two = seen("members", (), ("ann", "bob"))
    assert ("ann", "what only some have in common") not in two
    assert "RR22" in str(two["ann", "bob's keys"].breaks_if)
    assert not breaks(two["server", "bob's keys"].breaks_if, frozenset({SERVER}))


def test_points_are_of_one_round_alone():
    assert mapped(b"one", [b"k"]) != mapped(b"two", [b"k"])
    assert split(b"aabb", 2) == [b"aa", b"bb"]
