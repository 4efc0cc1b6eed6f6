"""What stands between the library's link and the network: TLS 1.3 both ways, with exactly the job's certificates.

The library's own server also answers whoever speaks to it without TLS, and ties no certificate to a rank. So it never
listens to the network: its sockets lie in a folder that only this user may enter, and this relay alone speaks to other
machines. What comes in must show the certificate of another party; what goes out to a rank must find the certificate of
that rank at the other end. Everything else is closed before a byte of it reaches the library.

    the library -> unix:J.sock -> here -> TLS -> the address of rank J -> its relay -> unix:J.sock -> its library
"""

import asyncio
import contextlib
import os
import ssl
import threading
import time
from collections.abc import Sequence
from typing import Any

from potluck.engines.frames import OpError

PIECE = 1 << 18
HANDSHAKE = 10.0
"""Seconds that a caller has to show who it is."""
CALLERS = 64
"""Connections from outside at a time."""
PAUSE = 0.2
END = "-----END CERTIFICATE-----"


def certificates(trusted: bytes) -> list[bytes]:
    """The certificates of a PEM file, each in DER. Raises OpError: it is no such file."""
    try:
        blocks = [block + END for block in trusted.decode("ascii").split(END)[:-1]]
        return [ssl.PEM_cert_to_DER_cert(block.strip()) for block in blocks]
    except ValueError:
        raise OpError("certificates and key are PEM texts") from None


def context(server: bool, certificate: bytes, key: bytes, trusted: bytes) -> ssl.SSLContext:
    """TLS 1.3, with a certificate asked of the other side. Raises OpError: these are no certificates and key."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False  # the certificate itself is compared
    made.verify_mode = ssl.CERT_REQUIRED
    files = [_memory(certificate), _memory(key)]
    try:
        made.load_cert_chain(*(f"/proc/self/fd/{number}" for number in files))
        made.load_verify_locations(cadata=trusted.decode("ascii"))
    except (ssl.SSLError, ValueError):
        raise OpError("certificates and key are PEM texts") from None
    finally:
        for number in files:
            os.close(number)
    return made


def _memory(text: bytes) -> int:
    """A file that is nowhere on a disk, with this text. Raises OpError: empty or beyond 64 KiB."""
    if not 1 <= len(text) <= 1 << 16:
        raise OpError("certificates and key are PEM texts")
    number = os.memfd_create("pem")
    os.write(number, text)
    return number


class Relay:
    """The relay of one party. The folder of its sockets is the worker's current folder, so that names are short."""

    def __init__(
        self, rank: int, addresses: Sequence[str], own: tuple[bytes, bytes], trusted: bytes, seconds: float
    ) -> None:
        """own: certificate and key, PEM; trusted: all parties' certificates by rank, PEM. seconds: to reach a party."""
        self._rank, self._addresses, self._seconds = rank, addresses, seconds
        self._known = certificates(trusted)
        if len(self._known) != len(addresses):
            raise OpError("as many certificates as parties")
        self._inward, self._outward = (context(server, *own, trusted) for server in (True, False))
        self._loop = asyncio.new_event_loop()
        self._callers = 0

    def start(self) -> list[str]:
        """Listen, as long as the process lives; gives the library's addresses by rank.

        Raises OpError: the own address cannot be listened at.
        """
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        except OSError:
            raise OpError("the own address cannot be listened at") from None
        return [f"unix:{rank}.sock" for rank in range(len(self._addresses))]

    async def _listen(self) -> None:
        host, port = _parted(self._addresses[self._rank])
        await asyncio.start_server(
            self._called, host, port, ssl=self._inward, ssl_handshake_timeout=HANDSHAKE, limit=PIECE
        )
        for rank in range(len(self._addresses)):
            if rank != self._rank:
                await asyncio.start_unix_server(self._caller(rank), f"{rank}.sock", limit=PIECE)

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Another party calls: to the library, if it is one."""
        others = [one for rank, one in enumerate(self._known) if rank != self._rank]
        if _shown(writer) not in others or self._callers >= CALLERS:
            writer.close()
            return
        self._callers += 1
        try:
            for _ in range(int(HANDSHAKE / PAUSE)):  # the library may not listen yet
                with contextlib.suppress(OSError):
                    await _joined(reader, writer, *await asyncio.open_unix_connection(f"{self._rank}.sock"))
                    return
                await asyncio.sleep(PAUSE)
            writer.close()
        finally:
            self._callers -= 1

    def _caller(self, rank: int) -> Any:
        """What takes the library's connections to `rank`."""
        host, port = _parted(self._addresses[rank])

        async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            until = time.monotonic() + self._seconds
            while time.monotonic() < until:
                with contextlib.suppress(OSError):  # nobody there yet, or not with a certificate of this job
                    ends = await asyncio.open_connection(
                        host, port, ssl=self._outward, ssl_handshake_timeout=HANDSHAKE, limit=PIECE
                    )
                    if _shown(ends[1]) == self._known[rank]:
                        await _joined(reader, writer, *ends)
                        return
                    ends[1].close()
                await asyncio.sleep(PAUSE)
            writer.close()

        return call


def _shown(writer: asyncio.StreamWriter) -> bytes | None:
    """The certificate that the other side has proved to have, DER."""
    found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(True)
    return found


async def _joined(
    one: asyncio.StreamReader, back: asyncio.StreamWriter, other: asyncio.StreamReader, forth: asyncio.StreamWriter
) -> None:
    """Carry bytes both ways until either side ends."""
    ways = [asyncio.ensure_future(_carried(one, forth)), asyncio.ensure_future(_carried(other, back))]
    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for writer in (back, forth):
        writer.close()
    for way in ways:
        way.cancel()


async def _carried(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await source.read(PIECE):
            sink.write(piece)
            await sink.drain()


def _parted(address: str) -> tuple[str, int]:
    """host:port apart. Raises OpError: it is not that."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise OpError("an address is host:port")
    return host.strip("[]"), int(port)
