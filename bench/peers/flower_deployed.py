"""Flower's stock deployment as the peer: SuperLink, three SuperNodes, and an app whose nodes do nothing, or train.

In favour of the peer: no TLS, no node authentication, no state on disk, no installing of an app's dependencies in a
run, telemetry off, and a round is one message to every node and back. It lives in an environment of its own, made
when it is first measured.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from potluck.api.network.processes import die_with_parent

HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".venv" / "flower"
APP, TRAINING = HERE / "flower_app", HERE / "flower_training"
NODES = 3
WARM = 1
LONGEST = 240.0
"""Seconds after which the peer is given up."""


class Missing(Exception):
    """The peer cannot be measured here, and why."""


def name() -> str:
    """The peer as it is pinned, with nodes that do nothing."""
    return f"{trainer()}, no-op nodes"


def trainer() -> str:
    """The peer as it is pinned."""
    return f"Flower {_pin().partition('==')[2]} deployed, no TLS"


def rounds(words: int, many: int) -> list[float]:
    """Seconds of `many` rounds with an array of `words` 64-bit floats, after a first one that does not count.

    Raises Missing: it cannot be installed or started here.
    """
    return _timed(APP, many, f"words={words}")


def training(what: str, weights: str, rows: Path, batch: int, rate: float, many: int) -> list[float]:
    """Seconds of `many` rounds of FedAvg with one of the bench's modules, after a first one that does not count.

    rows: the folder with a file of arrays for each node. torch is this environment's own. Raises Missing.
    """
    wishes = f'what="{what}" weights="{weights}" rows="{rows}" batch={batch} rate={rate}'
    return _timed(TRAINING, many, wishes)


def _timed(app: Path, many: int, wishes: str) -> list[float]:
    programs = _installed()
    with TemporaryDirectory(prefix="flower-bench-") as temp, ExitStack() as stack:
        room, out = Path(temp), Path(temp) / "seconds.json"
        port, *others = _ports(1 + NODES)
        link = f"127.0.0.1:{port}"
        (room / "config.toml").write_text(
            f'[superlink]\ndefault = "bench"\n[superlink.bench]\naddress = "{link}"\ninsecure = true\n',
            encoding="utf-8",
        )
        environment = os.environ | {"FLWR_HOME": temp, "FLWR_TELEMETRY_ENABLED": "0"}
        environment |= {"PYTHONPATH": str(HERE.parent), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"

        def start(*command: str) -> subprocess.Popen[bytes]:
            log = stack.enter_context((room / f"{len(list(room.iterdir()))}.log").open("wb"))
            process = subprocess.Popen(
                [str(programs / command[0]), *command[1:]],
                env=environment,
                cwd=room,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
            stack.callback(_end, process)
            return process

        address = ("--insecure", "--host", "127.0.0.1", "--port")
        start("flower-superlink", *address, str(port), "--disable-runtime-dependency-installation")
        _wait(lambda: _answers(port), "its SuperLink does not answer")
        for place, other in enumerate(others):
            settings = ("--superlink", link, "--node-config", f"place={place}")
            start("flower-supernode", *address, str(other), *settings)
        settled = f'rounds={many + WARM} nodes={NODES} out="{out}" {wishes}'
        started = start("flwr", "run", str(app), "bench", "--run-config", settled)
        _wait(lambda: started.poll() is not None, "its run does not start")
        if started.returncode:
            raise Missing("its run does not start")
        _wait(lambda: len(_seconds(out)) == many + WARM, "its rounds take too long")
        return _seconds(out)[WARM:]


def _installed() -> Path:
    """The folder of its programs. Raises Missing."""
    programs = HOME / "bin"
    if (programs / "flower-superlink").exists():
        _lent()
        return programs
    try:
        subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=True, capture_output=True)
        install = [str(programs / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", _pin()]
        subprocess.run(install, check=True, capture_output=True, timeout=LONGEST)
    except (OSError, subprocess.SubprocessError) as error:
        raise Missing(f"it cannot be installed here ({type(error).__name__})") from None
    _lent()
    return programs


def _lent() -> None:
    """Its environment finds this one's torch, behind what is its own: both train with the same."""
    found = find_spec("torch")
    if found is not None and found.origin is not None:
        (folder,) = HOME.glob("lib/python*/site-packages")
        (folder / "lent.pth").write_text(f"{Path(found.origin).parents[1]}\n", encoding="utf-8")


def _pin() -> str:
    lines = (HERE.parent / "peers.txt").read_text(encoding="utf-8").splitlines()
    return next(line.strip() for line in lines if line.startswith("flwr=="))


def _seconds(out: Path) -> list[float]:
    if not out.exists():
        return []
    found: list[float] = json.loads(out.read_text(encoding="utf-8"))
    return found


def _ports(many: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(many)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def _wait(until: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + LONGEST
    while not until():
        if time.monotonic() > end:
            raise Missing(what)
        time.sleep(0.1)


def _end(process: subprocess.Popen[bytes]) -> None:
    """With everything that it started: it starts a process a message."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
