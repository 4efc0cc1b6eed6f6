"""What the real broker lets a site do: each thing that it may not, beside the one who may."""

import asyncio

import nats.errors
import pytest

from potluck.core.errors import Refused
from potluck.core.party import SERVER, site
from potluck.net.address import inbox, lease_stream, lease_subject, stream, subject, token
from potluck.net.session import Session, connect
from support.net.broker_rig import rig

A, B = site("a"), site("b")
FED = "fed"
QUEUE = stream(FED)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    with rig(tmp_path_factory.mktemp("rights")) as made:
        server = made.link(SERVER)
        server.open(10)
        server.send(B, b"for b only", 5)
        yield made


async def ask(session: Session, where: str, data: bytes) -> str:
    """ "denied", or how the broker answered."""
    try:
        return (await session.request(where, data, 2)).data.decode(errors="replace")
    except Refused:
        return "denied"
    except nats.errors.NoRespondersError:
        return "nobody"
    except nats.errors.TimeoutError:
        return "silent"


def asked(broker, party, where, data=b""):
    async def work():
        session = await connect(broker.account(party))
        try:
            return await ask(session, where, data)
        finally:
            await session.end()

    return asyncio.run(work())


def fetched(broker, party, reader):
    """What `party` gets when it asks for a letter of `reader`, or "denied"."""

    async def work():
        session = await connect(broker.account(party))
        try:
            got = asyncio.Queue()
            await session.listen(f"{inbox(party)}.x", got.put)
            await session.tell(next_of(reader), PULL, f"{inbox(party)}.x")
            await session.client.flush(60)
            await asyncio.sleep(0.05)
            return "denied" if session.denied else (await asyncio.wait_for(got.get(), 60)).data
        finally:
            await session.end()

    return asyncio.run(work())


def listens(broker, party, where):
    """Whether the broker lets `party` subscribe there."""

    async def work():
        session = await connect(broker.account(party))
        try:

            async def hear(message):
                pass

            await session.listen(where, hear)
            await session.client.flush(60)
            await asyncio.sleep(0.05)
            return not session.denied
        finally:
            await session.end()

    return asyncio.run(work())


PULL = b'{"batch": 1, "no_wait": true}'
CONSUMER = b'{"stream_name": "%s", "config": {"durable_name": "x", "ack_policy": "explicit"}}' % QUEUE.encode()
LAST = b'{"last_by_subj": "%s"}' % subject(FED, B, SERVER).encode()


def next_of(party):
    return f"$JS.API.CONSUMER.MSG.NEXT.{QUEUE}.{token(party)}"


@pytest.mark.parametrize(
    ("where", "data", "rightful"),
    [
        (subject(FED, SERVER, B), b"as b", B),
        (subject(FED, B, SERVER), b"as the server", SERVER),
        (subject(FED, B, A), b"past the server", None),
        (lease_subject(FED), b"as the server", SERVER),
        (next_of(B), PULL, None),
        (next_of(SERVER), PULL, None),
        (f"$JS.API.STREAM.INFO.{QUEUE}", b"", SERVER),
        (f"$JS.API.STREAM.INFO.{lease_stream(FED)}", b"", SERVER),
        (f"$JS.API.STREAM.MSG.GET.{QUEUE}", LAST, SERVER),
        (f"$JS.API.STREAM.CREATE.{QUEUE}", b"{}", SERVER),
        (f"$JS.API.STREAM.UPDATE.{QUEUE}", b"{}", SERVER),
        (f"$JS.API.CONSUMER.DURABLE.CREATE.{QUEUE}.x", CONSUMER, SERVER),
        (f"$JS.API.CONSUMER.CREATE.{QUEUE}.x", CONSUMER, SERVER),
        (f"$JS.API.CONSUMER.INFO.{QUEUE}.{token(B)}", b"", SERVER),
        ("$JS.API.STREAM.CREATE.mine", b'{"name": "mine", "subjects": ["mine"]}', None),
        (f"$JS.API.STREAM.PURGE.{QUEUE}", b"", None),
        (f"$JS.API.STREAM.DELETE.{QUEUE}", b"", None),
        (f"$JS.API.STREAM.MSG.DELETE.{QUEUE}", b'{"seq": 1}', None),
        (f"$JS.API.DIRECT.GET.{QUEUE}", LAST, None),
        (f"$JS.API.CONSUMER.DELETE.{QUEUE}.{token(B)}", b"", None),
        ("$JS.API.INFO", b"", None),
        (f"{inbox(B)}.letters.1", b"to b's inbox", None),
        ("$SYS.REQ.SERVER.PING", b"", None),
    ],
)
def test_a_site_cannot_publish_ask_or_fetch_what_is_not_its_own(broker, where, data, rightful):
    assert asked(broker, A, where, data) == "denied"
    if rightful is not None:
        assert asked(broker, rightful, where, data) not in ("denied", "silent")


@pytest.mark.parametrize(
    "where",
    [
        f"{inbox(B)}.>",
        f"{inbox(SERVER)}.>",
        "_INBOX.>",
        ">",
        subject(FED, B, SERVER),
        f"potluck.{FED}.>",
        "$JS.>",
        "$SYS.>",
    ],
)
def test_a_site_cannot_listen_to_others(broker, where):
    assert not listens(broker, A, where)
    assert listens(broker, A, f"{inbox(A)}.x")


def test_a_site_cannot_acknowledge_anothers_letters(broker):
    assert asked(broker, A, f"$JS.ACK.{QUEUE}.{token(B)}.1.1.1.1.0", b"+ACK") == "denied"


def test_a_site_may_do_what_it_must(broker):
    assert '"stream"' in asked(broker, A, subject(FED, SERVER, A), b"own queue")


def test_a_site_cannot_fetch_anothers_letter_and_its_owner_can(broker):
    assert fetched(broker, A, B) == fetched(broker, B, A) == "denied"
    assert fetched(broker, A, A) != "denied"
    assert b"for b only" in fetched(broker, B, B)
