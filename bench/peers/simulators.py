"""pfl-research and Flower's simulation as peers: FedAvg of a small network over many clients on one machine.

They live in an environment of their own, made when it is first measured, and find torch behind what is their own. In
favour of the peers: no privacy mechanism, no metrics, no evaluation, rows in memory, one thread a process, so that none
waits for another. pfl-research has one process where there is no graphics card; Flower has Ray's actors, one a core.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".venv" / "simulators"
PFL, FLOWER = "pfl==0.6.0", "flwr[simulation]==1.42.0"
MORE = ("multiprocess==0.70.19", "prv-accountant==0.2.0")
"""What importing pfl takes, beside what is here."""
LONGEST = 300.0
"""Seconds after which a peer is given up."""
Peer = Literal["pfl", "flower"]
NAMES: dict[Peer, str] = {"pfl": "pfl-research 0.6, one process", "flower": "Flower 1.42, Ray, an actor a core"}


class Missing(Exception):
    """The peer cannot be measured here, and why."""


def rounds(peer: Peer, file: Path, cohort: int, many: int, rate: float) -> list[float]:
    """Seconds of so many rounds, after a first one that does not count. file: rows by client (`harness.clients`).

    Raises Missing: it cannot be installed or does not run here.
    """
    asked = [
        str(_python()),
        str(HERE / "simulations" / f"{peer}_simulation.py"),
        str(file),
        str(cohort),
        str(many + 1),
        str(rate),
    ]
    quiet = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "FLWR_TELEMETRY_ENABLED": "0",
             "RAY_USAGE_STATS_ENABLED": "0", "PFL_PYTORCH_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}  # fmt: skip
    try:
        done = subprocess.run(asked, env=quiet, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        raise Missing(f"it took more than {LONGEST:.0f} s") from None
    if done.returncode:
        raise Missing(f"it ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    found: list[float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found[1:]


def _python() -> Path:
    """The interpreter of the peers' environment. Raises Missing."""
    python, made = HOME / "bin" / "python", HOME / "made"
    asked = "\n".join([FLOWER, PFL, *MORE])
    if not (made.exists() and made.read_text(encoding="utf-8") == asked):
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        try:
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(HOME)], check=True, capture_output=True)
            subprocess.run([*pip, FLOWER], check=True, capture_output=True)
            subprocess.run([*pip, "--no-deps", PFL, *MORE], check=True, capture_output=True)
        except (subprocess.CalledProcessError, OSError) as error:
            raise Missing(f"its environment cannot be made ({type(error).__name__})") from None
        made.write_text(asked, encoding="utf-8")
    lend(HOME)
    return python


def lend(home: Path) -> None:
    """Have an environment find torch where this one has it, by the path behind all links: each time, since either may
    have been moved since it was made. Raises Missing: torch is not here."""
    found = find_spec("torch")
    if found is None or found.origin is None:
        raise Missing("torch is not here")
    (own,) = home.glob("lib/python*/site-packages")
    (own / "lent.pth").write_text(f"{Path(found.origin).resolve().parents[1]}\n", encoding="utf-8")
