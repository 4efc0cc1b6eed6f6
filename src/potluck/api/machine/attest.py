"""What this installation's enclave is measured as, and evidence of the machine that this process runs on."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

from potluck.core.errors import UsageError, unwritable
from potluck.tee.attestation.attesters import REAL, REPORT, named
from potluck.tee.attestation.attesters.simulated import simulate
from potluck.tee.attestation.evidence import Evidence
from potluck.tee.attestation.workload import FILES, workload

WORDS = (*REAL, "simulated")


@dataclass(frozen=True)
class Written:
    """Evidence in files. report_data: hex of the 64 bytes that it carries; endorsements: leaf first."""

    format: str
    evidence: Path
    endorsements: tuple[Path, ...]
    report_data: str

    def document(self) -> Mapping[str, object]:
        """The JSON of `potluck tee attest`."""
        beside = [str(path) for path in self.endorsements]
        head: dict[str, object] = {"format": self.format, "evidence": str(self.evidence), "endorsements": beside}
        return head | {"report_data": self.report_data}


def measured() -> dict[str, object]:
    """The JSON of `potluck tee measure`: the digest over the code that an enclave's process loads, and over what."""
    return {"workload": workload().hex(), "version": version("potluck"), "files": list(FILES)}


def attest(word: str, nonce: str | None, report_data: str | None, device: Path | None, output: Path) -> Written:
    """Evidence of this machine, written into the folder `output`, which is made if it is not there.

    word: one of `WORDS`; nonce, report_data: hex, one of them; device: in place of the usual one. Raises UsageError:
    neither or both, too long, a file that is there already. Raises Unreachable: no such hardware.
    """
    data = _data(nonce, report_data)
    if word == "simulated":
        if device is not None:
            raise UsageError("simulated has no device", where="--device", hint="leave it out")
        made = simulate(data, workload(), int(time.time()))
    elif device is None:
        made = named(word).attest(data)
    else:
        made = getattr(import_module(f"potluck.tee.attestation.attesters.{word}"), REAL[word])(device).attest(data)
    return _written(made, data, output)


def _data(nonce: str | None, report_data: str | None) -> bytes:
    """64 bytes: as they are given, or a nonce filled up with zeros."""
    if (nonce is None) == (report_data is None):
        raise UsageError("give --nonce or --report-data", hint="the verifier must be able to compare one of them")
    option, text = ("--nonce", nonce) if nonce is not None else ("--report-data", report_data)
    try:
        data = bytes.fromhex(text or "")
    except ValueError:
        raise UsageError("is not hex", where=option, hint="an even number of hex digits, as in 00ff") from None
    if not data or len(data) > REPORT or (nonce is None and len(data) != REPORT):
        wanted = f"1 to {REPORT}" if nonce is not None else str(REPORT)
        raise UsageError(f"has {len(data)} bytes, not {wanted}", where=option)
    return data.ljust(REPORT, b"\0")


def _written(made: Evidence, data: bytes, output: Path) -> Written:
    folder = output.absolute()
    main = folder / ("evidence.json" if made.raw.startswith(b"{") else "evidence.bin")
    beside = [folder / f"endorsement-{number}.der" for number in range(1, len(made.endorsements) + 1)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, content in zip((main, *beside), (made.raw, *made.endorsements), strict=True):
            with path.open("xb") as file:
                file.write(content)
    except FileExistsError:
        raise UsageError("has evidence in it already", where=str(folder), hint="name another folder with -o") from None
    except OSError as error:
        raise unwritable(error, folder, "name another folder with -o") from None
    return Written(made.format, main, tuple(beside), data.hex())
