"""Letters over a real broker that is killed, restarted, filled, emptied: none is lost, none comes twice to a caller."""

import errno
import os
import re
import shutil
import threading
import time
from collections import Counter

import pytest

from potluck.core.errors import Unreachable, UsageError
from potluck.core.party import SERVER, site
from potluck.core.slices import LONG, whole
from potluck.net import mailbox, topology
from potluck.net.address import subject, token
from potluck.net.configuration import Limits
from potluck.net.pieces import MESSAGE, PIECE
from potluck.net.topology import Queues
from potluck.secret import spool
from support.examples import fewer
from support.net.broker_rig import Rig, rig, until

A, B = site("a"), site("b")


@pytest.fixture
def broker(tmp_path):
    with rig(tmp_path) as made:
        yield made


@pytest.fixture
def hurried(monkeypatch):
    """The broker waits a second for an acknowledgement; it is told more often that a letter is in work."""
    monkeypatch.setattr(topology, "ACK_WAIT", 1.0)
    monkeypatch.setattr(mailbox, "KEEP", 0.3)


def pair(made: Rig, **how: object):
    server, a = made.link(SERVER, **how), made.link(A)
    server.open(60)
    a.open(60)
    return server, a


def got(link, wait=60.0):
    letter = link.receive(wait)
    assert letter is not None
    letter.done()
    return whole(letter.data)


@pytest.mark.parametrize("size", fewer([0, 1, 1000, PIECE, PIECE + 1, 20_000_000], 0, PIECE + 1))
def test_a_letter_arrives_both_ways_as_it_was_sent(broker, size):
    server, a = pair(broker)
    data = os.urandom(size)
    a.send(SERVER, data, 60)
    assert got(server) == data
    server.send(A, data, 60)
    assert got(a) == data


@pytest.mark.slow
def test_a_long_letter_for_which_there_is_no_room_is_said_and_comes_when_there_is(broker, monkeypatch):
    server, a = pair(broker)
    data = os.urandom(LONG + PIECE)
    with monkeypatch.context() as patch:
        patch.setattr(spool.os, "pwrite", _full)
        server.send(A, data, 60)
        assert a.receive(0.5) is None
        assert isinstance(a.trouble, UsageError)
        assert (a.trouble.what, a.trouble.hint) == (
            f"a long letter cannot be kept there ({os.strerror(errno.ENOSPC)})",
            "set TMPDIR",
        )
        server.send(A, b"a short one comes", 60)
        assert got(a) == b"a short one comes"
        assert a.trouble is not None
    assert got(a) == data
    assert a.trouble is None


def _full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_letters_wait_for_a_party_that_comes_later_and_for_a_broker_that_restarts(broker):
    server = broker.link(SERVER)
    for i in range(5):
        server.send(B, b"%d" % i, 60)
    server.close()
    broker.stop()
    broker.start()
    b = broker.link(B)
    assert sorted(got(b) for _ in range(5)) == [b"%d" % i for i in range(5)]
    assert b.receive(0.2) is None


def test_a_letter_not_done_with_comes_again_to_the_next_process_and_a_done_one_does_not(hurried, broker):
    server, a = pair(broker)
    for text in (b"done", b"not done"):
        server.send(A, text, 60)
    letters = {letter.data: letter for letter in (a.receive(60), a.receive(60))}
    letters[b"done"].done()
    a.close()
    assert got(broker.link(A)) == b"not done"


def acknowledged(monkeypatch, link):
    """Lists that fill up: every message that is acknowledged, and how many letters are at a time."""
    messages, letters = [], []
    tell, finish_all = mailbox._tell, link._mailbox._finish_all

    async def told(session, replies, word):
        if word == mailbox.ACK:
            messages.extend(replies)
        await tell(session, replies, word)

    def finished():
        letters.append(len(link._mailbox._finished))
        finish_all()

    monkeypatch.setattr(mailbox, "_tell", told)
    monkeypatch.setattr(link._mailbox, "_finish_all", finished)
    return messages, letters


@pytest.mark.slow
def test_letters_done_with_are_acknowledged_once_and_all_together(hurried, broker, monkeypatch):
    server, a = pair(broker)
    messages, letters = acknowledged(monkeypatch, a)
    for body in (b"1", bytes(PIECE + 1), b"3"):
        server.send(A, body, 60)
    taken = [a.receive(60) for _ in range(3)]

    async def done_with():
        for letter in (*taken, taken[0]):  # on the line's own thread, so that nothing is said in between
            letter.done()

    a.wait_for(done_with(), 60)
    until(lambda: len(messages) == 4, "all pieces of the three letters are acknowledged")
    server.send(A, b"a later one", 60)
    assert got(a) == b"a later one"
    until(lambda: len(messages) == 5, "it is acknowledged")
    assert letters == [4, 1]  # one of them is said to be done with twice
    assert set(Counter(messages).values()) == {1}
    a.close()
    assert broker.link(A).receive(3 * topology.ACK_WAIT) is None


@pytest.mark.slow
@pytest.mark.parametrize("settles", [True, False])
def test_a_process_that_ends_before_it_acknowledged_says_it_as_it_hangs_up(hurried, broker, monkeypatch, settles):
    monkeypatch.setattr(mailbox, "LATER", 3600.0)
    server, a = pair(broker)
    messages, letters = acknowledged(monkeypatch, a)
    for body in (b"1", b"2"):
        server.send(A, body, 60)
    got(a)
    got(a)
    assert messages == []
    if settles:
        a.close()
        assert (letters, set(Counter(messages).values()), len(messages)) == ([2], {1}, 2)
        assert broker.link(A).receive(3 * topology.ACK_WAIT) is None
    else:  # the control: killed, it says nothing, and both come again
        monkeypatch.setattr(a._mailbox, "_finish_all", lambda: None)
        a.close()
        again = broker.link(A)
        assert {got(again), got(again)} == {b"1", b"2"}


@pytest.mark.slow
def test_a_letter_in_work_is_not_handed_out_twice(hurried, broker):
    server, a = pair(broker)
    server.send(A, b"slow work", 60)
    letter = a.receive(60)
    assert a.receive(3 * topology.ACK_WAIT) is None  # longer than the broker waits for an acknowledgement
    letter.done()
    letter.done()
    assert a.receive(0.2) is None


def test_done_never_raises(broker):
    server, a = pair(broker)
    server.send(A, b"1", 60)
    server.send(A, b"2", 60)
    one, two = a.receive(60), a.receive(60)
    broker.kill()
    one.done()
    a.close()
    two.done()
    with pytest.raises(Unreachable, match="closed"):
        a.receive(0.1)
    with pytest.raises(Unreachable, match="closed"):
        a.send(SERVER, b"", 0.1)


def test_ten_kills_of_the_broker_lose_no_letter(broker):
    server, a = pair(broker)
    sent, seen, failed = [], [], []
    over = threading.Event()

    def send():
        number = 0
        while not over.is_set():
            body = b"%06d" % number + bytes(1 if number % 50 else 3 * PIECE)
            try:
                a.send(SERVER, body, 60)
            except Unreachable as error:
                failed.append(error)
                return
            sent.append(number)
            number += 1

    sender = threading.Thread(target=send)
    sender.start()
    try:
        for _ in range(10):
            for _ in range(20):
                seen.append(int(got(server)[:6]))
            broker.kill()
            broker.start()
            seen.append(int(got(server)[:6]))
    finally:
        over.set()
        sender.join(70)
    assert failed == []
    while len(set(seen)) < len(sent):
        seen.append(int(got(server)[:6]))
    assert len(sent) > 200
    assert set(seen) >= set(sent)
    assert len(seen) == len(set(seen))


def test_a_broker_that_lost_its_store_is_set_up_again_and_old_acknowledgements_hit_nothing(broker):
    server, a = pair(broker)
    a.send(SERVER, b"before", 60)
    old = server.receive(60)
    broker.kill()
    broker.lose_store()
    broker.start()
    a.send(SERVER, b"after", 60)
    new = server.receive(60)
    assert new.data == b"after"
    old.done()
    server.close()
    again = broker.link(SERVER)
    assert got(again) == b"after"
    again.send(A, b"down", 60)
    assert got(a) == b"down"


def test_a_full_queue_refuses_in_words_and_lets_letters_through_once_it_is_emptied(broker):
    server = broker.link(SERVER, queues=Queues(letters=3))
    server.open(60)
    for i in range(3):
        server.send(B, b"%d" % i, 60)
    with pytest.raises(Unreachable, match="the queue to b is full"):
        server.send(B, b"3", 0.5)
    server.send(A, b"others are not in its way", 60)
    waiting = threading.Thread(target=server.send, args=(B, b"4", 60))
    waiting.start()
    b = broker.link(B)
    assert {got(b) for _ in range(4)} == {b"0", b"1", b"2", b"4"}
    waiting.join(60)


def test_one_full_queue_keeps_the_letters_of_others_from_nothing_when_they_go_out_at_once(broker):
    server = broker.link(SERVER, queues=Queues(letters=6))
    server.open(60)
    a = broker.link(A)
    for i in range(6):
        server.send(B, b"%d" % i, 60)
    failed = server.send_all([(B, b"6"), (A, bytes(3 * PIECE)), (A, b"small")], 0.5)
    assert list(failed) == [B]
    assert "the queue to b is full" in str(failed[B])
    assert {got(a), got(a)} == {bytes(3 * PIECE), b"small"}
    assert server.send_all([(A, b"once more")], 60) == {}
    assert got(a) == b"once more"


def test_a_letter_that_another_stream_keeps_is_not_handed_over(broker, monkeypatch):
    server, a = pair(broker)
    real = topology.parse
    monkeypatch.setattr(topology, "parse", lambda data: real(data) | {"stream": "other"})
    with pytest.raises(Unreachable, match="elsewhere"):
        server.send(A, b"1", 1)
    monkeypatch.undo()
    server.send(A, b"2", 60)
    assert got(a) == b"1"
    assert got(a) == b"2"


def test_letters_at_once_cannot_go_out_where_one_is_too_long(broker):
    _, _ = pair(broker)
    small = broker.link(B, largest=1000)
    with pytest.raises(UsageError, match="longer than 1000"):
        small.send_all([(SERVER, b"fits"), (SERVER, bytes(1001))], 1)


def test_a_full_disk_is_said_in_words(tmp_path):
    with rig(tmp_path, started=False) as made:
        made.prepare(limits=Limits(file=160 * 1024**2))
        made.start()
        server = made.link(SERVER)  # its stream shrinks to what the broker offers
        server.open(60)

        def said():
            with pytest.raises(Unreachable) as caught:
                server.send(B, bytes(200_000_000), 2)
            return re.search(r"store is full|no room left", str(caught.value))

        until(said, "the store is full, and the sender is told")  # a slow broker is still writing after two seconds


def test_a_letter_longer_than_allowed_is_not_sent(broker):
    _, _ = pair(broker)
    small = broker.link(B, largest=1000)
    with pytest.raises(UsageError, match="longer than 1000"):
        small.send(SERVER, bytes(1001), 1)


def test_nonsense_in_a_queue_is_thrown_away_and_blocks_nothing(broker):
    server, a = pair(broker)

    async def publish(link, data):
        session = await link.session(time.monotonic() + 60)
        await session.request(subject("fed", SERVER, A), data, 60)

    for data in (b"", b"nonsense", bytes(MESSAGE), b"PTLK" + bytes(100)):
        a.wait_for(publish(a, data), 60)
    a.send(SERVER, b"a letter", 60)
    assert got(server) == b"a letter"


def test_a_reader_that_takes_nothing_holds_a_bounded_number_of_bytes(broker):
    server, a = pair(broker)
    for _ in range(12):
        a.send(SERVER, bytes(10_000_000), 60)
    until(lambda: server._mailbox.full, "it holds so many that it fetches no more")
    assert server._mailbox._waiting < mailbox.PREFETCH + mailbox.LARGE + 2 * 10_000_000
    for _ in range(12):
        assert len(got(server)) == 10_000_000


def test_a_broker_that_numbers_its_messages_from_the_start_again_skips_no_letter(broker):
    """nats-server 2.10 may do so when it is killed with empty queues; readers then remember a position far ahead."""
    server, a = pair(broker)
    for i in range(20):
        a.send(SERVER, b"%d" % i, 60)
        got(server)
    broker.kill()
    (messages,) = (broker.folder / "broker/store").rglob("potluck_fed/msgs")
    shutil.rmtree(messages)
    broker.start()
    for i in range(5):
        a.send(SERVER, b"new %d" % i, 60)
    assert sorted(got(server) for _ in range(5)) == [b"new %d" % i for i in range(5)]


def test_a_site_that_names_anothers_queue_for_the_answer_places_only_the_brokers_words_there(broker):
    server, a = pair(broker)
    placed = []
    take = server._mailbox._take
    server._mailbox._take = lambda sender, data, reply: (placed.append((sender, data)), take(sender, data, reply))

    async def trick():
        session = await a.session(time.monotonic() + 60)
        await session.client.publish(subject("fed", SERVER, A), b"chosen", reply=subject("fed", SERVER, B))
        await session.client.flush(60)

    a.wait_for(trick(), 60)
    b = broker.link(B)
    b.send(SERVER, b"b's own", 60)
    assert got(server) == b"b's own"
    assert (token(A), b"chosen") in placed  # the control: the watch sees what comes
    assert all(b"chosen" not in data for sender, data in placed if sender == token(B))


@pytest.mark.slow
def test_forty_kills_with_large_letters_both_ways_lose_nothing_and_silence_nobody(broker):
    server, a = pair(broker)
    over = threading.Event()
    sent, seen, gaps = {A: [], SERVER: []}, {A: [], SERVER: []}, []

    def push(link, to):
        while not over.is_set():
            number = len(sent[to])
            link.send(to, b"%06d" % number + bytes(0 if number % 30 else 2_000_000), 30)
            sent[to].append(number)

    def pull(link, me):
        last = time.monotonic()
        while not (over.is_set() and time.monotonic() - last > 8):
            letter = link.receive(0.5)
            if letter is not None:
                gaps.append(time.monotonic() - last)
                last = time.monotonic()
                seen[me].append(int(letter.data[:6]))
                letter.done()

    threads = [threading.Thread(target=push, args=end) for end in ((server, A), (a, SERVER))]
    threads += [threading.Thread(target=pull, args=end) for end in ((server, SERVER), (a, A))]
    for thread in threads:
        thread.start()
    try:
        for _ in range(40):
            time.sleep(0.4)
            broker.kill()
            broker.start()
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
    for party in (A, SERVER):
        assert len(sent[party]) > 400
        assert set(seen[party]) >= set(sent[party])
        assert len(set(seen[party])) == len(seen[party])
    assert max(gaps) < 8
