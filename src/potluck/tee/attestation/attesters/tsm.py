"""Reports of AMD SEV-SNP and quotes of Intel TDX through the kernel's one door for both: configfs-tsm.

Reference: Linux, Documentation/ABI/testing/configfs-tsm (6.7 and later). An entry is a folder; what is written to
`inblob` is signed when `outblob` is read. `generation` counts the writes: where it is not what this process has
written, somebody else wrote in between, and the report is thrown away. `auxblob` may hold AMD's certificates, as the
host gives them (GHCB specification, 56421, "SNP Extended Guest Request"). What a host does not give, Intel's collateral
above all, lies in a folder that whoever runs the machine keeps fresh. All of it is believed only by a verifier.

Nobody has run it on such a machine from here: it is tested against a folder that behaves as the kernel documents.
"""

import errno
import os
import uuid
from dataclasses import replace
from pathlib import Path

from potluck.core.errors import Unreachable
from potluck.tee.attestation.attesters import exactly
from potluck.tee.attestation.evidence import LARGEST, MOST, Evidence, Format

ROOT = Path("/sys/kernel/config/tsm/report")
ENDORSEMENTS = Path("/etc/potluck/endorsements")
PROVIDERS: dict[str, Format] = {"sev_guest": "snp", "tdx_guest": "tdx"}
TRIES, NAMES = 3, 64
ENTRY = 24
CERTIFICATES = tuple(
    uuid.UUID(text).bytes
    for text in (
        "63da758d-e664-4564-adc5-f4b93be8accd",  # VCEK
        "a8074bc2-a25a-483e-aae6-39c045a0b8a1",  # VLEK
        "4ab7b379-bbac-4fe4-a02f-05aef327c782",  # ASK, or ASVK
        "c0b406a4-a803-4952-9743-3fb6014cd0ae",  # ARK
        "92f81bc3-5811-4d3d-97ff-d19f88dc67ea",  # revocation list
    )
)
"""Kinds of certificates in AMD's table: leaf first, as evidence lists them."""


class Files:
    """The system calls that it makes; a test puts a kernel in their place."""

    def make(self, folder: Path) -> None:
        """A folder; configfs puts its files there."""
        folder.mkdir()

    def remove(self, folder: Path) -> None:
        """The folder, whose files configfs takes away."""
        folder.rmdir()

    def write(self, file: Path, data: bytes) -> None:
        """All of it in one call, as configfs takes it."""
        number = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(number, data)
        finally:
            os.close(number)

    def read(self, file: Path) -> bytes:
        """All of it, up to the bound of evidence. Raises OSError as the kernel does."""
        with file.open("rb", buffering=0) as stream:
            parts: list[bytes] = []
            while part := stream.read(LARGEST):
                parts.append(part)
                if sum(map(len, parts)) > LARGEST:
                    raise OSError(errno.EFBIG, "a file of more than 1 MiB")
            return b"".join(parts)


class TsmAttester:
    """The kernel's report about the confidential machine that it runs in.

    root: where configfs-tsm is mounted. kept: a folder whose files, in order of their names, travel as endorsements.
    """

    def __init__(self, root: Path = ROOT, files: Files | None = None, kept: Path = ENDORSEMENTS) -> None:
        self._root, self._files, self._kept = root, files or Files(), kept

    def attest(self, report_data: bytes) -> Evidence:
        """Evidence of the format `snp` or `tdx`, with the certificates that the host gave, and those that are kept.

        Raises Unreachable: no such machine or kernel, an empty report, another writer at every try, endorsements beyond
        what evidence may have.
        """
        exactly(report_data)
        try:
            entry = self._entry()
            try:
                found = self._evidence(entry, report_data)
            finally:
                self._files.remove(entry)
            return replace(found, endorsements=(*found.endorsements, *self._more(MOST - len(found.endorsements))))
        except OSError as error:
            hint = "it takes Linux 6.7, a confidential machine, configfs mounted, and the right to write there"
            raise Unreachable(f"no report: {error.strerror}", where=str(self._root), hint=hint) from None

    def _entry(self) -> Path:
        """A folder of our own: one that is there is another process's, or left by one that died."""
        for number in range(NAMES):
            folder = self._root / f"potluck-{os.getpid()}-{number}"
            try:
                self._files.make(folder)
            except FileExistsError:
                continue
            return folder
        raise Unreachable(
            f"{NAMES} entries of this process are there already", where=str(self._root), hint="rmdir them"
        )

    def _evidence(self, entry: Path, report_data: bytes) -> Evidence:
        for _ in range(TRIES):
            before = self._number(entry)
            self._files.write(entry / "inblob", report_data)
            try:
                raw, beside = self._files.read(entry / "outblob"), self._beside(entry)
            except BlockingIOError:  # a write came between ours and the report
                continue
            provider = self._files.read(entry / "provider").decode("ascii", "replace").strip()
            if self._number(entry) == before + 1:
                return _evidence(raw, beside, provider, entry)
        raise Unreachable(f"another process wrote to it at each of {TRIES} tries", where=str(entry))

    def _more(self, room: int) -> tuple[bytes, ...]:
        """The kept endorsements, read anew each time: collateral is good for days."""
        if not self._kept.is_dir():
            return ()
        names = sorted(one for one in self._kept.iterdir() if one.is_file() and not one.name.startswith("."))
        if len(names) > room:
            what = f"holds {len(names)} files, and {room} more endorsements may travel"
            raise Unreachable(what, where=str(self._kept), hint="one file for each certificate chain or collateral")
        return tuple(self._files.read(one) for one in names)

    def _number(self, entry: Path) -> int:
        text = self._files.read(entry / "generation").strip()
        if not text.isdigit() or len(text) > 20:
            raise Unreachable("generation is no number", where=str(entry))
        return int(text)

    def _beside(self, entry: Path) -> bytes:
        """auxblob: empty, or absent, where the host gave nothing."""
        try:
            return self._files.read(entry / "auxblob")
        except FileNotFoundError:
            return b""


def _evidence(raw: bytes, beside: bytes, provider: str, entry: Path) -> Evidence:
    kind = PROVIDERS.get(provider)
    if kind is None:
        what = f"provider {provider[:40]!r} is neither {' nor '.join(PROVIDERS)}"
        raise Unreachable(what, where=str(entry), hint="this machine's evidence has no verifier here")
    if not raw:
        what = f"{provider} gave an empty report, and no error"
        raise Unreachable(what, where=str(entry), hint="the host's quoting service or firmware does not answer")
    return Evidence(kind, raw, table(beside) if kind == "snp" else ())


def table(beside: bytes) -> tuple[bytes, ...]:
    """The certificates of AMD's table, leaf first; none where the host gave no table.

    Raises Unreachable: offsets beyond it, more than evidence may have.
    """
    found: list[tuple[int, bytes]] = []
    at = 0
    while at + ENTRY <= len(beside) and any(beside[at : at + ENTRY]):
        kind = beside[at : at + 16]
        offset, size = (int.from_bytes(beside[at + 16 + 4 * one : at + 20 + 4 * one], "little") for one in (0, 1))
        if offset + size > len(beside):
            raise Unreachable("the host's table of certificates points beyond its end", where="auxblob")
        if kind in CERTIFICATES and size:
            found.append((CERTIFICATES.index(kind), beside[offset : offset + size]))
        at += ENTRY
    if len(found) > MOST:
        raise Unreachable(f"the host's table has {len(found)} certificates, more than {MOST}", where="auxblob")
    return tuple(der for _, der in sorted(found))
