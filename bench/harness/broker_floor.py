"""The floor of a round over the network: the same letters, by size and step, through the same broker, and nothing else.

nats-py on one event loop: TLS 1.3, one nkey a party, one durable file stream, every message published with the
broker's acknowledgement, fetched, acknowledged. No signature, no seal, no ledger, no splitting, no protocol.
"""

import asyncio
import logging
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import nats
import nkeys
from nats.aio.client import Client
from nats.js.client import JetStreamContext

from potluck.core.party import SERVER, Party, site
from potluck.net import broker
from potluck.net.address import inbox, token

HOST = "127.0.0.1"
IDENTITY = "floor"
logging.getLogger("asyncio").setLevel(logging.ERROR)  # a TLS stream's own noise
LARGEST = 512 * 1024
PATIENCE = 30.0
Steps = Sequence[tuple[bool, Sequence[int]]]


def floor(steps: Steps, sites: int, rounds: int) -> list[float]:
    """Seconds of each of `rounds` exchanges of a round's letters."""
    parties = [SERVER, *(site(f"s{index:03d}") for index in range(sites))]
    seeds: dict[Party, str] = {}
    users: dict[Party, str] = {}
    for party in parties:
        raw = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        seeds[party], users[party] = bytes(raw).decode(), nkeys.from_seed(bytearray(raw)).public_key.decode()
    with TemporaryDirectory(prefix="potluck-floor-") as temp, socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
        free.close()
        authority = broker.prepare(Path(temp), IDENTITY, [(HOST, port)], users, time.time())
        process = subprocess.Popen(
            broker.arguments(Path(temp)),
            cwd=Path(temp) / broker.ROOM,
            env=broker.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not broker.answers(Path(temp)):
                if process.poll() is not None:
                    raise RuntimeError("the broker has ended")
                time.sleep(0.02)
            return asyncio.run(_rounds(parties, seeds, f"tls://{HOST}:{port}", authority, (steps, rounds)))
        finally:
            process.terminate()
            process.wait(10)


async def _rounds(
    parties: list[Party], seeds: dict[Party, str], url: str, authority: str, work: tuple[Steps, int]
) -> list[float]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=authority)
    clients = {party: await _connected(url, context, seeds[party], party) for party in parties}
    try:
        streams = {party: client.jetstream(timeout=PATIENCE) for party, client in clients.items()}
        stream = f"potluck_{IDENTITY}"
        await streams[SERVER].add_stream(name=stream, subjects=[f"potluck.{IDENTITY}.*.*"], retention="workqueue")
        readers = {}
        for party in parties:
            name, subject = token(party), f"potluck.{IDENTITY}.{token(party)}.*"
            await streams[SERVER].add_consumer(stream, durable_name=name, filter_subject=subject, ack_policy="explicit")
            readers[party] = await streams[party].pull_subscribe_bind(durable=name, stream=stream)
        steps, rounds = work
        return [await _round(streams, readers, steps, index) for index in range(rounds)]
    finally:
        for client in clients.values():
            await client.close()


async def _connected(url: str, context: ssl.SSLContext, seed: str, party: Party) -> Client:
    return await nats.connect(
        url, tls=context, tls_hostname=HOST, tls_handshake_first=True, nkeys_seed_str=seed, inbox_prefix=inbox(party)
    )


async def _round(
    streams: dict[Party, JetStreamContext],
    readers: dict[Party, JetStreamContext.PullSubscription],
    steps: Steps,
    index: int,
) -> float:
    sites = [party for party in streams if party != SERVER]
    started = time.perf_counter()
    for number, (down, sizes) in enumerate(steps):
        ways = [(SERVER, one) if down else (one, SERVER) for one in sites[: len(sizes)]]
        moves = list(zip(ways, sizes, strict=True))
        pieces = {to: 0 for (_, to), _ in moves}
        for (_, to), size in moves:
            pieces[to] += -(-size // LARGEST)
        sent = (_publish(streams[a], a, b, size, f"{index}.{number}") for (a, b), size in moves)
        await asyncio.gather(*sent, *(_fetch(readers[to], many) for to, many in pieces.items()))
    return time.perf_counter() - started


async def _publish(stream: JetStreamContext, sender: Party, to: Party, size: int, name: str) -> None:
    subject = f"potluck.{IDENTITY}.{token(to)}.{token(sender)}"
    sizes = [min(LARGEST, size - at) for at in range(0, size, LARGEST)]
    one = (
        stream.publish(subject, bytes(many), headers={"Nats-Msg-Id": f"{sender.name}.{to.name}.{name}.{part}"})
        for part, many in enumerate(sizes)
    )
    await asyncio.gather(*one)


async def _fetch(reader: JetStreamContext.PullSubscription, many: int) -> None:
    while many:
        for message in await reader.fetch(min(many, 16), timeout=PATIENCE):
            await message.ack()
            many -= 1
