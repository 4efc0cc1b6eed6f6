"""Known answers. They were computed from the papers and RFCs with separate code: HKDF from hmac, polynomials by hand.

Boxes are an exception: HPKE draws its own randomness, so their vectors replay opening, not sealing.
"""

import hashlib
import json

import numpy as np
import pytest

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause, RoundId, Terms
from potluck.mpc.mask.graph import Graph, sound, thresholds
from potluck.mpc.mask.messages import DealtHalf, Kept, Shares
from potluck.mpc.mask.notes import open_half, open_shares
from potluck.mpc.mask.pairs import Root, pair_mask, self_mask, session
from potluck.mpc.mask.roster import SettledRoster
from potluck.secret.box import BoxKey, PublicBoxKey
from potluck.secret.container import Secret
from potluck.secret.shamir import join, split
from support.mpc.masked import masked
from support.places import ROOT, TESTS

FOLDER = ROOT / "vectors" / "mpc"


def read(name):
    return json.loads((FOLDER / name).read_text())


def hidden(text):
    return Secret(bytes.fromhex(text))


def named(pattern):
    found = sorted(path.name for path in FOLDER.glob(pattern))
    assert found
    return found


@pytest.mark.parametrize("name", ["shamir.json", "shamir_edge.json"])
def test_shares_are_those_of_the_vector(name):
    vector = read(name)
    drawn = iter(vector["drawn"])
    points = [int(x) for x in vector["shares"]]
    shares = split(hidden(vector["secret"]), vector["least"], points, lambda size: bytes.fromhex(next(drawn)))
    assert {str(x): share.expose().hex() for x, share in shares.items()} == vector["shares"]
    last = dict(list(shares.items())[-vector["least"] :])
    assert join(last, vector["least"]).expose().hex() == vector["secret"]


@pytest.mark.parametrize("name", named("shamir_bad_*.json"))
def test_bad_shares_are_refused(name):
    vector = read(name)
    with pytest.raises(ValueError):
        join({int(x): hidden(share) for x, share in vector["shares"].items()}, vector["least"])


def terms(vector):
    round_ = RoundId(vector["run"], vector["number"])
    return Terms(round_, bytes.fromhex(vector["terms"]), "once", (site("a"), site("b")), 2, 4, 32)


def both(vector):
    said = session(terms(vector))
    return Root(hidden(vector["roots"]["a"]), said), Root(hidden(vector["roots"]["b"]), said)


def test_the_pair_mask_is_that_of_the_vector():
    vector = read("pair_mask.json")
    said = session(terms(vector))
    assert said.hex() == vector["session"]
    a, b = both(vector)
    for name, root in (("a", a), ("b", b)):
        assert root.public[0].hex() == vector["mask_keys"][name]
        assert hashlib.sha256(root.public[1]).hexdigest() == vector["pair_keys_sha256"][name]
    half, agreed = a.toward(site("b")), b.agreement.agree(a.public[0])
    assert (half.expose().hex(), agreed.expose().hex()) == (vector["half"], vector["agreed"])
    key = pair_mask(agreed, half, said, a.public, b.public)
    assert key.expose().hex() == vector["key"]
    own = self_mask(hidden(vector["seed"]), said, a.public)
    assert own.expose().hex() == vector["self_key"]
    assert masked(np.array(vector["words"], "<u4"), plus=[own, key]).tolist() == vector["masked_by_a"]


@pytest.mark.parametrize("name", ["pair_mask_bad_half.json", "pair_mask_bad_agreed.json"])
def test_either_half_alone_does_not_give_the_mask(name):
    vector = read(name)
    a, b = both(vector)
    key = pair_mask(hidden(vector["agreed"]), hidden(vector["half"]), session(terms(vector)), a.public, b.public)
    assert key.expose().hex() != vector["key"]


@pytest.mark.parametrize("name", named("pair_mask_bad_*_key.json"))
def test_a_key_of_low_order_is_refused(name):
    vector = read(name)
    with pytest.raises(Abort) as stopped:
        Root(hidden(vector["root"]), session(terms(vector))).agreement.agree(bytes.fromhex(vector["mask_key"]))
    assert stopped.value.cause is Cause.KEYS


def test_thresholds_are_those_of_the_vector():
    for row in read("thresholds.json")["rows"]:
        plan = (row["sites"], row["corrupt"], row["dropouts"], row["server"])
        assert thresholds(*plan) == (row["k"], row["t"]), row
        if row["k"] == row["sites"] - 1:
            assert sound(row["sites"], row["corrupt"], row["t"], row["server"])


def test_cohorts_that_cannot_be_carried_are_refused():
    for row in read("thresholds_bad_cohort.json")["rows"]:
        _, least = thresholds(row["sites"], row["corrupt"], row["dropouts"], row["server"])
        assert not sound(row["sites"], row["corrupt"], least, row["server"]), row


def open_note(vector):
    """(root share, seed share), half: as the vector's receiver opens them."""
    some_key = PublicBoxKey(BoxKey(hidden(vector["channel"])).public)
    table = SettledRoster(None, None, bytes.fromhex(vector["roster"]), {}, Graph({}, {}), some_key)
    dealer, receiver = site(vector["dealer"]), site(vector["receiver"])
    kept = Kept(bytes.fromhex(vector["root_commitment"]), bytes.fromhex(vector["seed_commitment"]))
    shares = Shares(kept, bytes.fromhex(vector["share_box"]))
    half = DealtHalf(bytes.fromhex(vector["half_commitment"]), bytes.fromhex(vector["half_box"]))
    root = Root(hidden(vector["receiver_root"]), session(terms(vector)))
    return (
        lambda: open_shares(table, dealer, receiver, BoxKey(hidden(vector["channel"])), shares),
        lambda: open_half(table, dealer, receiver, root, half),
    )


def test_a_note_opens_as_in_the_vector():
    vector = read("note.json")
    shares, half = open_note(vector)
    held = shares()
    assert held.root.expose().hex() == vector["root_share"]
    assert held.seed.expose().hex() == vector["seed_share"]
    assert half().expose().hex() == vector["half"]


@pytest.mark.parametrize("name", named("note_bad_*.json"))
def test_a_bad_note_is_refused_and_names_its_dealer(name):
    vector = read(name)
    for attempt in open_note(vector):
        with pytest.raises(Abort) as stopped:
            attempt()
        assert stopped.value.cause.value == vector["cause"]
        assert stopped.value.party == site(vector["dealer"])
        assert stopped.value.party != SERVER


READERS = ("mask/test_vectors.py", "share/test_vectors.py")


def test_every_vector_is_used():
    text = "".join((TESTS / "mpc" / name).read_text() for name in READERS)
    patterns = ("parts_bad_*.json", "shamir_bad_*.json", "pair_mask_bad_*_key.json", "note_bad_*.json")
    matched = {path.name for pattern in patterns for path in FOLDER.glob(pattern)}
    assert all(path.name in matched or path.name in text for path in FOLDER.glob("*.json"))
