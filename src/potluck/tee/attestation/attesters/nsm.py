"""Documents of AWS Nitro Enclaves from the enclave's own device, /dev/nsm.

Reference: Linux, include/uapi/linux/nsm.h: one ioctl with two vectors, a request and room for an answer, both CBOR, as
AWS's aws-nitro-enclaves-nsm-api words them. Report data goes into `user_data`, where the verifier compares it, and into
`nonce` as well, for a verifier that has no more than that.

Nobody has run it in such an enclave from here: it is tested against a device that answers as documented.
"""

import ctypes
import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from potluck.core.errors import Unreachable
from potluck.tee.attestation.attesters import exactly
from potluck.tee.attestation.evidence import Evidence
from potluck.tee.attestation.formats import cbor
from potluck.tee.attestation.verdict import Fault

DEVICE = Path("/dev/nsm")
ANSWER = 0x3000
"""Bytes of an answer at most, as the kernel has it."""


class Vector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Message(ctypes.Structure):
    """struct nsm_raw of the kernel: a request, and where its answer goes."""

    _fields_ = (("request", Vector), ("response", Vector))


RAW = (3 << 30) | (ctypes.sizeof(Message) << 16) | (0x0A << 8)
"""NSM_IOCTL_RAW: _IOWR(0x0A, 0x0, struct nsm_raw)."""
Ioctl = Callable[[int, int, Message], object]


class NsmAttester:
    """The hypervisor's document about the enclave that it runs in. ioctl: the system call."""

    def __init__(self, device: Path = DEVICE, ioctl: Ioctl | None = None) -> None:
        self._device, self._ioctl = device, ioctl or _system

    def attest(self, report_data: bytes) -> Evidence:
        """Evidence of the format `nitro`. Raises Unreachable: no enclave, or it gives no document."""
        try:
            answer = cbor.read(self._asked(_request(exactly(report_data))), "answer")
        except OSError as error:
            hint = "it is there in a Nitro enclave alone"
            raise Unreachable(f"no document: {error.strerror}", where=str(self._device), hint=hint) from None
        except Fault as fault:
            raise Unreachable(f"the device's answer cannot be read: {fault}", where=str(self._device)) from None
        match answer:
            case {"Attestation": {"document": bytes(document)}} if document:
                return Evidence("nitro", document)
            case {"Error": str(why)}:
                raise Unreachable(f"the device refused: {ascii(why[:40])[1:-1]}", where=str(self._device))
        raise Unreachable("the device's answer holds no document", where=str(self._device))

    def _asked(self, request: bytes) -> bytes:
        there, back = ctypes.create_string_buffer(request, len(request)), ctypes.create_string_buffer(ANSWER)
        vectors = (Vector(ctypes.addressof(there), len(request)), Vector(ctypes.addressof(back), ANSWER))
        message = Message(*vectors)
        number = os.open(self._device, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._ioctl(number, RAW, message)
        finally:
            os.close(number)
        return back.raw[: min(message.response.length, ANSWER)]


def _request(report_data: bytes) -> bytes:
    """{"Attestation": {"user_data": ..., "nonce": ..., "public_key": null}}."""
    fields = _word("user_data") + cbor.text(report_data) + _word("nonce") + cbor.text(report_data)
    return b"\xa1" + _word("Attestation") + b"\xa3" + fields + _word("public_key") + b"\xf6"


def _word(text: str) -> bytes:
    """A short text as CBOR."""
    return bytes([0x60 | len(text)]) + text.encode()


def _system(number: int, request: int, message: Message) -> object:
    return fcntl.ioctl(number, request, message, True)  # True: the answer's length is written into it
