"""The broker's bytes: the documentation's own examples, another reader of the same bytes, any cut, and hostile ones."""

import asyncio
import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.protocol.parser import Parser

from potluck.net import connection
from potluck.net.connection import BrokerError, Connection, Ended, Login, Said
from potluck.net.protocol import LINE, MOST, Malformed, Message, Reader

HEADED = b"HMSG FOO.BAR 9 34 45\r\nNATS/1.0\r\nFoodGroup: vegetable\r\n\r\nHello World\r\n"


def read(*pieces):
    """What a reader hands on of bytes that come in these pieces, and the reader."""
    found = []
    reader = Reader(lambda number, message: found.append((number, message)), lambda *line: found.append(line))
    for piece in pieces:
        reader.feed(piece)
    return found, reader


def by_the_library(data):
    """The same bytes, read by the general client library: (subscription, subject, reply, payload)."""
    found = []

    class Told:
        async def _process_msg(self, sid, subject, reply, payload, header):
            found.append((b"%d" % sid, subject.decode(), reply.decode(), payload))

    asyncio.run(Parser(Told()).parse(data))
    return found


@pytest.mark.parametrize(
    ("data", "number", "message"),
    [
        (b"MSG FOO.BAR 9 11\r\nHello World\r\n", b"9", Message("FOO.BAR", "", b"Hello World")),
        (b"MSG FOO.BAR 9 GREETING.34 11\r\nHello World\r\n", b"9", Message("FOO.BAR", "GREETING.34", b"Hello World")),
        (HEADED, b"9", Message("FOO.BAR", "", b"Hello World")),
        (HEADED.replace(b"9 34", b"9 BAZ.69 34"), b"9", Message("FOO.BAR", "BAZ.69", b"Hello World")),
        (b"HMSG a 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n", b"1", Message("a", "", b"", "503")),
        (b"HMSG a 1 28 28\r\nNATS/1.0 404 No Messages\r\n\r\n\r\n", b"1", Message("a", "", b"", "404 No Messages")),
    ],
)
def test_messages_are_read_as_the_documentation_says(data, number, message):
    assert read(data)[0] == [(number, message)]


names = st.text("abc$_.0123456789", min_size=1, max_size=12)
messages = st.tuples(names, st.integers(0, 9), st.one_of(st.just(""), names), st.binary(max_size=40), st.booleans())


def written(subject, number, reply, data, headed):
    where = f"{subject} {number} {reply} ".replace("  ", " ").encode()
    head = b"NATS/1.0\r\nA: b\r\n\r\n" if headed else b""
    sizes = b"%d %d" % (len(head), len(head) + len(data)) if headed else b"%d" % len(data)
    return b"%bMSG %b%b\r\n%b%b\r\n" % (b"H" if headed else b"", where, sizes, head, data)


@given(st.lists(messages, max_size=5), st.lists(st.integers(0, 400), max_size=6))
def test_the_same_messages_come_however_the_bytes_are_cut_and_as_the_library_reads_them(sent, cuts):
    data = b"".join(written(*one) for one in sent)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    cut = [data[start:end] for start, end in pairwise(places)]
    found = [(number, it.subject, it.reply, it.data) for number, it in read(*cut)[0]]
    assert found == [(b"%d" % number, subject, reply, body) for subject, number, reply, body, _ in sent]
    assert found == by_the_library(data)


@pytest.mark.parametrize(
    "data",
    [
        b"MSG a 1\r\n",
        b"MSG a 1 2 3 4\r\n",
        b"MSG a 1 x\r\n",
        b"MSG a 1 -1\r\n",
        b"MSG a 1 %d\r\n" % (MOST + 1),
        b"MSG a 1 5\r\nHello, \r\n",
        b"MSG \xff 1 0\r\n\r\n",
        b"HMSG a 1 5\r\n",
        b"HMSG a 1 9 5\r\n",
        b"HMSG a 1 -1 5\r\n",
        b"HMSG a 1 4 4\r\nHTTP\r\n",
        b"x" * LINE,
    ],
)
def test_what_is_not_of_the_protocol_is_malformed(data):
    with pytest.raises(Malformed):
        read(data)


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([b"MSG ", b"HMSG ", b"a 1 ", b"3", b"\r\n"]))))
def test_a_reader_of_any_bytes_says_malformed_and_nothing_else(pieces):
    with contextlib.suppress(Malformed):
        read(*pieces)


def test_a_reader_holds_no_more_than_one_line_or_message():
    _, reader = read(b"MSG a 1 %d\r\n" % MOST, bytes(MOST))
    assert len(reader._came) == MOST
    _, reader = read(b"x" * (LINE - 1))
    assert len(reader._came) == LINE - 1


INFO = b'INFO {"server_id":"S","nonce":"n"}\r\n'


def talk(serve, work):
    """`work(connection, events)` against a broker that does `serve(reader, writer)`, without TLS."""

    async def both():
        served = []

        async def serving(reader, writer):
            served.append(asyncio.current_task())
            with contextlib.suppress(asyncio.CancelledError):
                await serve(reader, writer)
            writer.transport.abort()

        server = await asyncio.start_server(serving, "127.0.0.1", 0)
        events = []
        login = Login("U", lambda nonce: f"signed {nonce}")
        made = Connection(login, events.append, lambda: events.append("ended"))
        port = server.sockets[0].getsockname()[1]
        await asyncio.get_running_loop().create_connection(lambda: made, "127.0.0.1", port)
        try:
            return await asyncio.wait_for(work(made, events), 60)
        finally:
            made.abort()
            server.close()
            for task in served:
                task.cancel()
            await asyncio.wait(served)
            await until(lambda: made.ended)

    return asyncio.run(both())


def saying(*words):
    """A broker that says something after CONNECT and PING, then only listens."""

    async def serve(reader, writer):
        writer.write(INFO)
        await reader.readuntil(b"PING\r\n")
        for word in words:
            writer.write(word)
        while await reader.read(1000):
            pass

    return serve


async def until(true):
    while not true():
        await asyncio.sleep(0.01)


def test_a_broker_that_answers_the_first_ping_has_let_us_in_and_its_messages_are_heard():
    async def work(made, events):
        made.subscribe("a", events.append)
        await made.ready
        await until(lambda: len(events) == 2)
        return list(events)

    heard = talk(saying(b"+OK\r\nPONG\r\n", b"MSG a 1 1\r\nx\r\nMSG b 2 1\r\ny\r\nMSG a 1 1\r\nz\r\n"), work)
    assert [message.data for message in heard] == [b"x", b"z"]  # y is of a subscription that nobody made


def test_the_nonce_is_signed_and_what_is_written_in_one_turn_leaves_at_once():
    came = []

    async def serve(reader, writer):
        writer.write(INFO)
        came.append(await reader.readuntil(b"PING\r\n"))
        writer.write(b"PONG\r\n")
        came.append(await reader.read(10_000))

    async def work(made, events):
        await made.ready
        made.publish("to", b"one", "back", {"Key": "value"})
        made.publish("to", b"two")
        await until(lambda: "ended" in events)

    talk(serve, work)
    assert b'"sig": "signed n"' in came[0]
    head = b"NATS/1.0\r\nKey: value\r\n\r\n"
    assert came[1] == b"HPUB to back 24 27\r\n%bone\r\nPUB to 3\r\ntwo\r\n" % head


@pytest.mark.parametrize("word", [b"MSG a 1 x\r\n", b"nonsense\r\n", b"INFO nonsense\r\n", b"INFO [1]\r\n"])
def test_a_broker_that_speaks_nonsense_has_lost_the_connection(word):
    async def work(made, events):
        with pytest.raises(Ended):
            await made.ready
        assert events == ["ended"]

    talk(saying(word), work)


def test_a_refusal_is_said_in_the_brokers_words_and_a_forbidden_subject_ends_nothing():
    async def work(made, events):
        with pytest.raises(Said, match="Authorization Violation"):
            await made.ready
        await until(lambda: "ended" in events)

    talk(saying(b"-ERR 'Authorization Violation'\r\n"), work)

    async def again(made, events):
        await made.ready
        await until(lambda: events)
        return list(events)

    assert talk(saying(b"PONG\r\n-ERR 'Permissions Violation for Publish to \"x\"'\r\n"), again) == [
        'Permissions Violation for Publish to "x"'
    ]


def test_a_broker_that_answers_no_ping_has_lost_the_connection_and_whoever_waits_is_told(monkeypatch):
    monkeypatch.setattr(connection, "PING", 0.01)

    async def work(made, events):
        await made.ready
        with pytest.raises(BrokerError):
            await made.flush()
        assert "ended" in events
        with pytest.raises(Ended):
            await made.flush()

    talk(saying(b"PONG\r\n"), work)


def test_a_broker_that_reads_nothing_lets_a_writer_wait_until_it_is_gone():
    async def serve(reader, writer):
        writer.write(INFO)
        await reader.readuntil(b"PING\r\n")
        writer.write(b"PONG\r\n")
        await asyncio.Event().wait()

    async def work(made, events):
        await made.ready
        while not made.full:
            made.publish("a", bytes(500_000))
            await asyncio.sleep(0)
        waiting = asyncio.ensure_future(made.room())
        await asyncio.sleep(0)
        assert not waiting.done()
        made.abort()
        await waiting

    talk(serve, work)
