"""Quotes from a TPM 2.0, spoken to in its own language over the kernel's resource manager: no library, no process.

Reference: TPM 2.0 Library, Part 3: TPM2_ReadPublic, TPM2_PCR_Read, TPM2_Quote. The attestation key is in the TPM
already, at a persistent handle and with an empty password (the guide says how it gets there, and how an owner comes to
trust it).
"""

import base64
import hashlib
import json
import os
import socket
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from potluck.core.errors import Unreachable
from potluck.tee.attestation.attesters import exactly
from potluck.tee.attestation.evidence import Evidence
from potluck.tee.attestation.formats import tpm_structures as s
from potluck.tee.attestation.formats.cursor import Cursor
from potluck.tee.attestation.verdict import Fault

DEVICE, HANDLE = Path("/dev/tpmrm0"), 0x81010002
"""The kernel's resource manager, and where the guide puts the attestation key."""
PLAIN, SESSIONS = 0x8001, 0x8002
READ_PUBLIC, PCR_READ, QUOTE = 0x173, 0x17E, 0x158
PASSWORD = bytes.fromhex("00000009 40000009 0000 00 0000")
"""An authorization area with an empty password (TPM_RS_PW)."""
TOO_LONG, NO_KEY = 0x1D5, (0x18B, 0x184)
"""TPM_RC_SIZE of the first parameter; TPM_RC_HANDLE and TPM_RC_VALUE of the first handle."""
BUSY = (0x922, 0x908)
"""TPM_RC_RETRY, TPM_RC_YIELDED."""
HEAD, LARGEST, TRIES, SECONDS = 10, 4096, 5, 30.0
ALL = tuple(range(s.REGISTERS))


class Channel(Protocol):
    """One command there, one answer back."""

    def __call__(self, command: bytes) -> bytes: ...


class TpmError(Exception):
    """A TPM's own refusal."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"TPM error {code:#05x}")


class TpmAttester:
    """A TPM's quote over `registers` of one bank.

    device: the resource manager, or a socket on which a software TPM listens; handle: of the attestation key; bank:
    SHA-256 or SHA-384 (`tpm_structures`). The quote repeats the report data, or its SHA-256 where the TPM has no room.
    """

    def __init__(
        self, device: Path = DEVICE, handle: int = HANDLE, registers: Sequence[int] = ALL, bank: int = s.SHA256
    ) -> None:
        self._device, self._handle = device, handle
        self._registers, self._bank = tuple(sorted(registers)), bank

    def attest(self, report_data: bytes) -> Evidence:
        """Evidence of the format `tpm`. Raises Unreachable: no TPM, no such key, registers that do not stand still."""
        exactly(report_data)
        try:
            with _opened(self._device) as channel:
                return self._evidence(channel, report_data)
        except OSError as error:
            hint = "the process needs the right to read and write it (group tss)"
            raise Unreachable(f"no TPM answers: {error.strerror}", where=str(self._device), hint=hint) from None
        except TpmError as error:
            hint = "make an attestation key there first: the guide says how" if error.code in NO_KEY else ""
            raise Unreachable(f"the TPM refused: {error}", where=f"{self._handle:#x}", hint=hint) from None
        except Fault as fault:
            raise Unreachable(f"the TPM's answer cannot be read: {fault}", where=str(self._device)) from None

    def _evidence(self, channel: Channel, report_data: bytes) -> Evidence:
        key = _key(channel, self._handle)
        for _ in range(TRIES):
            values = _values(channel, self._bank, self._registers)
            message, signature = self._quote(channel, report_data)
            state = hashlib.new(s.HASHES[s.signature(signature, "signature").hash].name)
            for number in self._registers:
                state.update(values[number])
            if s.quote(message, "quote").digest == state.digest():
                return _file(key, message, signature, [values.get(number) for number in ALL])
        raise Unreachable("registers changed at every try", where=str(self._device), hint="attest when it has started")

    def _quote(self, channel: Channel, data: bytes) -> tuple[bytes, bytes]:
        """TPMS_ATTEST and TPMT_SIGNATURE over report data, or over its SHA-256."""
        head, tail = self._handle.to_bytes(4, "big") + PASSWORD, _selection(self._bank, self._registers)
        scheme = s.NULL.to_bytes(2, "big")  # that of the key
        try:
            answer = _call(channel, SESSIONS, QUOTE, head + s.sized(data) + scheme + tail)
        except TpmError as error:
            if error.code != TOO_LONG:
                raise
            short = hashlib.sha256(data).digest()
            answer = _call(channel, SESSIONS, QUOTE, head + s.sized(short) + scheme + tail)
        cursor = Cursor(answer, "TPM2_Quote")
        inner = Cursor(cursor.take(cursor.number(4)), "TPM2_Quote")
        message = inner.sized(LARGEST)
        return message, inner.data[inner.at :]


def _key(channel: Channel, handle: int) -> bytes:
    """The key's SubjectPublicKeyInfo, DER."""
    cursor = Cursor(_call(channel, PLAIN, READ_PUBLIC, handle.to_bytes(4, "big")), "TPM2_ReadPublic")
    return s.der(s.public(cursor.sized(LARGEST), "attestation key").key)


def _values(channel: Channel, bank: int, registers: Sequence[int]) -> dict[int, bytes]:
    """Register -> value; a TPM says eight at once."""
    found: dict[int, bytes] = {}
    while rest := [one for one in registers if one not in found]:
        cursor = Cursor(_call(channel, PLAIN, PCR_READ, _selection(bank, rest)), "TPM2_PCR_Read")
        cursor.number(4)  # how often registers have changed: the quote's digest tells it better
        numbers = [one for _ in range(_few(cursor)) for one in _selected(cursor, bank)]
        values = [cursor.sized(s.DIGEST) for _ in range(_few(cursor))]
        if not values or len(values) != len(numbers):
            raise Unreachable(f"the TPM does not say register {rest[0]} of the bank {bank:#06x}", where="TPM2_PCR_Read")
        found |= zip(numbers, values, strict=True)
    return found


def _few(cursor: Cursor) -> int:
    count = cursor.number(4)
    if count > s.BANKS:
        raise cursor.fault(f"lists {count}, more than {s.BANKS}")
    return count


def _selected(cursor: Cursor, bank: int) -> list[int]:
    """Registers of one TPMS_PCR_SELECTION, if it is of that bank."""
    same = cursor.number(2) == bank
    bits = int.from_bytes(cursor.take(cursor.number(1)), "little")
    return [one for one in ALL if same and bits >> one & 1]


def _selection(bank: int, registers: Sequence[int]) -> bytes:
    """TPML_PCR_SELECTION of one bank."""
    bits = sum(1 << one for one in registers)
    return b"\0\0\0\1" + bank.to_bytes(2, "big") + b"\3" + bits.to_bytes(3, "little")


def _call(channel: Channel, tag: int, code: int, body: bytes) -> bytes:
    """One command's answer behind its head. Raises TpmError, Fault."""
    command = tag.to_bytes(2, "big") + (HEAD + len(body)).to_bytes(4, "big") + code.to_bytes(4, "big") + body
    for _ in range(TRIES):
        cursor = Cursor(channel(command), "answer")
        cursor.number(2)
        size, result = cursor.number(4), cursor.number(4)
        if size != len(cursor.data):
            raise cursor.fault(f"has {len(cursor.data)} bytes and says {size}")
        if result not in BUSY:
            break
    if result:
        raise TpmError(result)
    return cursor.data[HEAD:]


@contextmanager
def _opened(device: Path) -> Iterator[Channel]:
    """A device takes a command with one write, and gives its answer to one read; a socket is a stream."""
    if stat.S_ISSOCK(device.stat().st_mode):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stream:
            stream.settimeout(SECONDS)
            stream.connect(str(device))
            yield lambda command: _streamed(stream, command)
        return
    number = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield lambda command: _exchanged(number, command)
    finally:
        os.close(number)


def _exchanged(number: int, command: bytes) -> bytes:
    os.write(number, command)
    return os.read(number, LARGEST)


def _streamed(stream: socket.socket, command: bytes) -> bytes:
    stream.sendall(command)
    answer = b""
    while len(answer) < HEAD or len(answer) < min(int.from_bytes(answer[2:6], "big"), LARGEST):
        part = stream.recv(LARGEST)
        if not part:
            raise ConnectionResetError(0, "it hung up")
        answer += part
    return answer


def _file(key: bytes, message: bytes, signature: bytes, pcrs: Sequence[bytes | None]) -> Evidence:
    text = {name: base64.b64encode(data).decode() for name, data in (("message", message), ("signature", signature))}
    values = [None if one is None else one.hex() for one in pcrs]
    file = {"ak_public": base64.b64encode(key).decode(), "tpm_quote": text | {"pcrs": values}}
    return Evidence("tpm", json.dumps(file).encode())
