"""The federation file at a real broker: who may put it up and who reads it, and links that go on under other keys."""

import asyncio
import queue

import nats.errors
import pytest

from potluck.core.errors import Refused, Unreachable, UsageError
from potluck.core.party import SERVER, site
from potluck.members.offer import LARGEST
from potluck.net import broker as room
from potluck.net import notice
from potluck.net.address import NOTICE, notice_stream
from potluck.net.link import Link
from potluck.net.session import connect
from support.net.broker_rig import rig, seed, until

A, B, C = site("a"), site("b"), site("c")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with rig(tmp_path_factory.mktemp("notice")) as made:
        yield made


def reading(broker, party, **more):
    """A link of `party` and what it is shown."""
    shown = queue.Queue()
    link = Link(broker.account(party), take=shown.put, **more)
    broker.links.append(link)
    link.open(30)
    return link, shown


def put(broker, text):
    notice.post(broker.account(SERVER), broker.parties, text, 10)


def test_a_member_gets_the_newest_file_at_once_and_when_it_connects(broker):
    put(broker, b"one")
    _, shown = reading(broker, A)
    assert shown.get(timeout=30) == b"one"
    put(broker, b"two")
    assert shown.get(timeout=30) == b"two"
    put(broker, b"three")
    assert notice.shown(broker.account(SERVER), 10) == b"three"
    assert reading(broker, B)[1].get(timeout=30) == b"three"  # the last one alone


def test_only_the_server_puts_a_file_up(broker):
    put(broker, b"true")

    async def work(party, text):
        session = await connect(broker.account(party))
        try:
            await notice.put(session, text)
        finally:
            await session.end()

    with pytest.raises(Refused):
        asyncio.run(work(A, b"of a's making"))
    assert reading(broker, B)[1].get(timeout=30) == b"true"
    asyncio.run(work(SERVER, b"of the server's"))  # the control
    assert reading(broker, B)[1].get(timeout=30) == b"of the server's"


def test_a_member_may_not_change_or_remove_what_is_up(broker):
    put(broker, b"true")

    async def work():
        session = await connect(broker.account(A))
        try:
            for verb in ("STREAM.DELETE", "STREAM.PURGE", "STREAM.UPDATE", "STREAM.MSG.DELETE", "STREAM.INFO"):
                with pytest.raises((Refused, nats.errors.Error)):
                    await session.request(f"$JS.API.{verb}.{notice_stream(broker.federation)}", b"{}", 1.0)
            return await notice.read(session)  # the control
        finally:
            await session.end()

    assert asyncio.run(work()) == b"true"


def test_a_file_of_a_thousand_members_is_shown_and_a_longer_one_is_refused_in_words(broker):
    _, shown = reading(broker, A)
    put(broker, bytes(NOTICE))
    while shown.get(timeout=30) != bytes(NOTICE):
        pass
    assert reading(broker, B)[1].get(timeout=30) == bytes(NOTICE)  # by the way of who connects
    with pytest.raises(UsageError, match="by mail"):
        put(broker, bytes(NOTICE + 1))
    assert LARGEST == NOTICE  # what a site takes


def test_who_asks_again_is_sent_the_file_once(broker, monkeypatch):
    put(broker, b"old")
    monkeypatch.setattr(notice, "AGAIN", 0.05)
    asked, sent, newer = [], [], notice._newer

    async def noted(session, after):
        found = await newer(session, after)
        asked.append(after)
        sent.extend([found[1]] if found else [])
        return found

    monkeypatch.setattr(notice, "_newer", noted)
    reading(broker, A)
    until(lambda: len(asked) > 2, "it has asked again")
    assert sent == [b"old"]
    put(broker, b"new")
    until(lambda: b"new" in sent, "a newer one is found by asking")
    assert sent == [b"old", b"new"]


def test_where_no_broker_is_nothing_is_waited_for_long(tmp_path):
    with rig(tmp_path, started=False) as made, pytest.raises(Unreachable):
        notice.post(made.account(SERVER), made.parties, b"x", 0.5)


def test_nothing_is_read_where_nothing_is_up_and_the_link_works(tmp_path):
    with rig(tmp_path) as made:
        server = made.link(SERVER)
        server.open(30)
        a, shown = reading(made, A)
        server.send(A, b"a letter", 10)
        assert a.receive(30).data == b"a letter"
        assert shown.empty()


def test_members_come_and_change_keys_and_nobody_is_disconnected_for_good(tmp_path):
    """As the verbs do it: the configuration first, then the broker reads it, then the file is up."""
    with rig(tmp_path) as made:
        server = made.link(SERVER)
        server.open(30)
        waits, listed = seed()
        b, shown = reading(made, B, accounts=lambda: (made.account(B), made.account(B, seed=waits)))
        a, told = reading(made, A)
        made.users[B] = listed  # b's new key, while b holds both
        fresh, made.users[C] = seed()
        made.prepare()
        assert room.reload(tmp_path)
        put_up = (*made.parties, C)
        notice.post(made.account(SERVER), put_up, b"with c", 30)
        assert told.get(timeout=30) == shown.get(timeout=30) == b"with c"
        server.keep(put_up)
        made.seeds[C] = fresh
        c, _ = reading(made, C)
        for party, link in ((A, a), (B, b), (C, c)):
            server.send(party, b"to each", 30)
            assert link.receive(30).data == b"to each"
            link.send(SERVER, b"and back", 30)
            assert server.receive(30).data == b"and back"


def test_who_is_removed_is_out_at_once(tmp_path):
    with rig(tmp_path) as made:
        server = made.link(SERVER)
        server.open(30)
        a, _ = reading(made, A)
        del made.users[A]
        made.prepare()
        assert room.reload(tmp_path)
        until(lambda: isinstance(a.trouble, Refused), "a is out")
        with pytest.raises(Refused, match="does not know this key"):
            a.receive(1)
        server.send(B, b"others go on", 30)


def test_a_link_goes_where_the_broker_is_now(tmp_path):
    with rig(tmp_path / "one") as one:
        place = [one.account(SERVER)]
        link = Link(place[0], one.parties, accounts=lambda: tuple(place))
        one.links.append(link)
        link.open(30)
        with rig(tmp_path / "two") as two:
            place[0] = two.account(SERVER)
            link.reconnect()
            until(lambda: link.account.url == two.url and link.trouble is None, "it is there")
            link.send(A, b"x", 30)
            link.close()
