"""`potluck broker`: the real nats-server as a child process, in the foreground, until it is told to end."""

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from potluck.api.network.members import federation_post
from potluck.api.network.membership.compared import held_against, shown
from potluck.api.network.processes import die_with_parent
from potluck.core.errors import PotluckError, Refused, Unreachable, UsageError
from potluck.members import charter
from potluck.members.home import CoordinatorHome
from potluck.net import broker

PATIENCE = 30.0
"""Seconds until the program must accept connections; a large store takes a while to read."""
GRACE = 15.0


@dataclass(frozen=True)
class Served:
    """A broker that ran and ended: what the verb prints as JSON."""

    binary: str
    version: str
    address: str
    folder: str


def serve(
    folder: Path,
    renew: bool = False,
    ready: Callable[[Served], None] = lambda served: None,
    node: int = 0,
    say: Callable[[str], None] = lambda words: None,
) -> Served:
    """Run FOLDER's broker until SIGTERM, SIGINT or Ctrl-C; SIGHUP makes it read its configuration again.

    renew: a new certificate first. ready: called when it accepts connections. node: which of several nodes, 0 where
    there is one. say: words about the federation file, which is put up where the broker shows an older one or none: it
    was away when that was signed, or lost its store. Raises UsageError: files are missing, the certificate expired, the
    port is taken, the program is missing or refuses its configuration. Unreachable: it ended by itself, or does not
    answer.
    """
    if renew:
        broker.renew(folder, time.time(), node)
    broker.check(folder, time.time(), node)
    _of_today(folder, node)
    command = broker.arguments(folder, node)
    host, port = broker.listens(folder, node)
    room = broker.room(folder, node)
    served = Served(command[0], version(command[0]), f"{host}:{port}", str(room.absolute()))
    with _child(command, room) as child:
        try:
            _await(child, folder, node)
            ready(served)
            threading.Thread(target=_put_up, args=(folder, say), name="potluck-file", daemon=True).start()
            code = child.wait()
        except KeyboardInterrupt:
            return served
    if code:
        raise Unreachable(f"nats-server ended with exit code {code}", where=served.address, hint=_log(room))
    return served


def _put_up(folder: Path, say: Callable[[str], None]) -> None:
    """The home's federation file is up, unless the broker shows one that is not older. A folder without the
    coordinator's keys (a node elsewhere) puts up none."""
    try:
        home = CoordinatorHome.at(folder)
        it = home.open(time.time()).federation
        text = shown(home, PATIENCE)
        if held_against(home, text) and text == home.federation.read_bytes():
            return
        if home.restored.exists():
            return
    except Refused as error:
        say(str(error))
        return
    except PotluckError:  # a node's folder, or one of three that cannot do anything alone yet: the server says it
        return
    why = federation_post(folder, PATIENCE)
    say(f"{why}: the next start of the server puts up the federation file" if why else f"it shows version {it.version}")


def _of_today(folder: Path, node: int) -> None:
    """A configuration that an earlier Potluck wrote lacks rights that parties need today: it is written anew."""
    home, room = CoordinatorHome(folder), broker.room(folder, node)
    if home.issued.is_file() and home.federation.is_file():
        it = charter.read(home.federation)
        if f"potluck_{it.id}_members" not in (room / "nats.conf").read_text(encoding="utf-8"):
            broker.configure(room, it.id, it.addresses, node or 1, it.users())


def version(binary: str) -> str:
    """What the program says that it is. Raises UsageError: it does not run."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(f"cannot be run ({type(error).__name__})", where=binary, hint="install nats-server") from None
    return said.stdout.strip().rsplit(" ", 1)[-1].removeprefix("v")


@contextlib.contextmanager
def _child(command: list[str], room: Path) -> Iterator[subprocess.Popen[str]]:
    """The program, which never outlives this block, nor this process."""

    def ask_again(signum: int, frame: FrameType | None) -> None:
        child.send_signal(signal.SIGHUP)

    before = signal.getsignal(signal.SIGHUP)
    child = subprocess.Popen(  # noqa: S603
        command,
        cwd=room,
        env=broker.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        umask=0o077,  # its log and letters are for this user alone
        start_new_session=True,  # Ctrl-C goes to this process alone, which passes it on
        preexec_fn=die_with_parent if sys.platform == "linux" else None,
    )
    signal.signal(signal.SIGHUP, ask_again)
    try:
        yield child
    finally:
        signal.signal(signal.SIGHUP, before)
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(GRACE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child.stderr is not None:
            child.stderr.close()


def _await(child: subprocess.Popen[str], folder: Path, node: int) -> None:
    room = broker.room(folder, node)
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if child.poll() is not None:
            said = (child.stderr.read() if child.stderr is not None else "").strip()
            what = said.splitlines()[-1] if said else f"exit code {child.returncode}"
            raise UsageError(f"nats-server does not start: {what}", where=str(room), hint=_log(room))
        if broker.answers(folder, node):
            return
        time.sleep(0.05)
    raise Unreachable("nats-server does not accept connections", where=str(room), hint=_log(room))


def _log(room: Path) -> str:
    return f"see {room / 'nats.log'}"
