"""What was found is kept beside the run, for its report: whole or not at all, and for the folder's owner alone."""

import time
from pathlib import Path

import msgspec

from potluck.core.prose import utc
from potluck.core.visible import json_text
from potluck.members import files
from potluck.report.proof.kept import ATTACKS, AUDITS, Attacks, Audits, Call, MadeUp, read

HINT = "give the folder of a run that can be written to"


def ready(folder: Path, plan_hash: str) -> None:
    """Known before anything is tried. Raises UsageError: what is kept there is damaged, or another plan's."""
    read(folder / ATTACKS, Attacks, plan_hash)
    read(folder / AUDITS, Audits, plan_hash)


def attacked(folder: Path, plan_hash: str, found: Call | MadeUp) -> Path:
    """The file that holds this beside what other coalitions found. Raises UsageError: it cannot be written."""
    path = folder / ATTACKS
    with files.alone(folder, HINT):
        before = read(path, Attacks, plan_hash) or Attacks(plan_hash=plan_hash)
        _write(path, before.joined(found))
    return path


def audited(folder: Path, found: Audits) -> Path:
    """The file that holds it, beside what an earlier audit proved. Raises UsageError: it cannot be written."""
    path = folder / AUDITS
    with files.alone(folder, HINT):
        before = read(path, Audits, found.plan_hash)
        _write(path, found.after(before) if before else found)
    return path


def now() -> str:
    """The time, as it is kept."""
    return utc(time.time())


def _write(path: Path, found: Attacks | Audits) -> None:
    plain = msgspec.json.decode(msgspec.json.encode(found))  # which has null for what is no number
    files.replace(path, json_text(plain).encode(), files.PRIVATE)
