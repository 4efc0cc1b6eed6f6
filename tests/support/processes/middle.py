"""The broker's owner as an enemy: it ends TLS with the broker's own certificate and changes what passes.

It reads the NATS client protocol (docs.nats.io, "NATS Protocol"): PUB, HPUB, MSG, HMSG carry payloads, everything else
is lines. Letters are messages on `potluck.<federation>.<to>.<from>`; every other subject passes untouched. A message to
a client is given to `tamper`, which says what is delivered instead: a list of payloads. Where that is none, the broker
is told that it was received, so that it is lost for good.
"""

import asyncio
import contextlib
import ssl
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from potluck.net.pieces import HEADER

Tamper = Callable[[str, bytes], list[bytes]]
"""(subject, payload) -> payloads."""


def renamed(message: bytes) -> bytes:
    """The same piece under a new letter's id: else the receiving link itself drops what it has seen."""
    magic, version, _, index, count, total = HEADER.unpack_from(message)
    return HEADER.pack(magic, version, uuid.uuid4().bytes, index, count, total) + message[HEADER.size :]


class Middle:
    """Listens where the broker should, connects to where it is. Use as a context."""

    def __init__(self, room: Path, listen: int, real: int, tamper: Tamper) -> None:
        self.tamper = tamper
        self._room, self._listen, self._real = room, listen, real
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    def __enter__(self) -> "Middle":
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()
        self._loop.close()

    async def _serve(self) -> None:
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(self._room / "server.pem", self._room / "server.key")
        server = await asyncio.start_server(self._client, "127.0.0.1", self._listen, ssl=own, limit=1 << 21)
        self._ready.set()
        await self._stop.wait()
        server.close()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.05)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.load_verify_locations(self._room / "ca.pem")
        back = None
        try:
            upstream, back = await asyncio.open_connection(
                "127.0.0.1", self._real, ssl=trust, server_hostname="127.0.0.1", limit=1 << 21
            )
            both = {
                asyncio.ensure_future(self._up(reader, back)),
                asyncio.ensure_future(self._down(upstream, writer, back)),
            }
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in both:
                    task.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        except OSError:
            pass
        finally:
            for one in (writer, back):
                if one is not None:
                    one.close()
                    with contextlib.suppress(OSError, asyncio.CancelledError):
                        await one.wait_closed()

    async def _up(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            out.write(data)
            await out.drain()

    async def _down(self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            words = line.decode().split()
            if not words or words[0].upper() not in ("MSG", "HMSG"):
                out.write(line)
                await out.drain()
                continue
            body = (await reader.readexactly(int(words[-1]) + 2))[:-2]
            headers = int(words[-2]) if words[0].upper() == "HMSG" else 0
            reply = words[3] if len(words) == (6 if headers else 5) else ""
            front, payload = body[:headers], body[headers:]
            parts = words[1].split(".")
            letter = parts[0] == "potluck" and len(parts) == 4
            payloads = self.tamper(words[1], payload) if letter else [payload]
            for one in payloads:
                out.write(_message(words, reply, front, one))
            if not payloads and reply:
                back.write(f"PUB {reply} 4\r\n+ACK\r\n".encode())
                await back.drain()
            await out.drain()


def _message(words: list[str], reply: str, front: bytes, payload: bytes) -> bytes:
    head = [words[0], words[1], words[2], *([reply] if reply else []), *([str(len(front))] if front else [])]
    line = " ".join([*head, str(len(front) + len(payload))])
    return line.encode() + b"\r\n" + front + payload + b"\r\n"
