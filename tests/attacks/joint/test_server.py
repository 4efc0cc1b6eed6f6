"""A curious server of a fit: what it carries, and what it makes of it with guesses of keys."""

import numpy as np
import pytest

from potluck.core.party import SERVER, site
from potluck.core.rounds import Abort, Cause
from potluck.core.seeded import fraction
from potluck.core.wire import dump, load
from potluck.mpc.fit import messages as m
from potluck.mpc.psi.keys import digest_of
from potluck.tasks import catalog
from potluck.tasks.fit import halves as vertical
from support.parties.fit_scene import frames, plan, pooled, result, sat

SPLIT = {"test": 0.3, "seed": 5}


def held(key):
    return fraction(5, b"key\0" + digest_of((key,))) < 0.3


@pytest.mark.parametrize("owners", [2, 3])
def test_sides_that_follow_from_keys_do_not_pass_the_server(owners):
    """In the order of keys' hashes they would say to who guesses keys which of them all owners have."""
    given = frames(rows=80, owners=owners)
    desks, post = sat(plan(owners, data__split=SPLIT), given)
    at_server = {move.label.step for move in post.transcript.moves if SERVER in (move.to, move.sender)}
    assert m.SPLIT not in at_server
    found = desks[site("o0")].result
    assert found.metrics.rows == sum(map(held, pooled(given, owners).id))


def test_all_owners_hold_out_the_same_rows_by_key(monkeypatch):
    sides, real = [], vertical.by_key
    monkeypatch.setattr(vertical, "by_key", lambda *about: sides.append(real(*about)) or sides[-1])
    result(plan(3, data__split=SPLIT), frames(rows=80, owners=3))
    assert len(sides) == 3
    assert all((one == sides[0]).all() for one in sides)


def lying(party, half, to):
    """The server's half, which hands on another split to one owner."""
    if party != SERVER:
        return (yield from half)
    inbox = None
    while True:
        try:
            exchange = half.send(inbox)
        except StopIteration as stop:
            return stop.value
        send = dict(exchange.send)
        if exchange.label.step == m.SPLIT and to in send:
            said = load(send[to].body, m.Held)
            turned = np.packbits(~np.unpackbits(np.frombuffer(said.bits, np.uint8), count=said.rows).astype(bool))
            send[to] = type(send[to])(send[to].label, dump(m.Held(said.rows, turned.tobytes())))
        inbox = yield type(exchange)(
            exchange.label, send, exchange.expect, exchange.at_least, exchange.hops, read=exchange.read
        )


def test_a_split_that_one_owner_was_told_otherwise_gives_no_model(monkeypatch):
    wanted = site("o1")
    right = vertical.direct
    monkeypatch.setattr(
        "support.parties.fit_scene.direct", lambda context, me: lying(SERVER, right(context, me), wanted)
    )
    with pytest.raises(Abort) as caught:
        result(plan(3), frames(rows=80, owners=3))
    assert (caught.value.cause, caught.value.party) == (Cause.TERMS, wanted)


@pytest.mark.parametrize(("split", "form"), [({"column": "fold"}, "released"), (SPLIT, "nothing")])
def test_what_the_server_carries_of_the_split_is_what_its_views_say(split, form):
    """Who hands on which rows are held out knows how many are common, too."""
    made = plan(data__split=split)
    _, post = sat(made, frames(rows=60))
    carried = any(move.label.step == m.SPLIT for move in post.transcript.moves if move.to == SERVER)
    views = {view.of: view.form.value for view in catalog.views(made.spec) if view.party == SERVER}
    assert carried == (form == "released")
    assert views["which rows are held out"] == views["the size"] == form


def test_a_split_by_a_key_column_is_refused():
    errors, _ = catalog.TASKS.of("fit").check(plan(data__split={"column": "id"}).spec)
    assert any(line.startswith("data.split.column: rows are matched by it") for line in errors)
    errors, _ = catalog.TASKS.of("fit").check(plan().spec)
    assert not errors
