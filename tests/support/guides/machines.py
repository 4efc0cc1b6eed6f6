"""Machines for a guide: network namespaces with addresses of their own, joined by a switch in one more namespace.

Nothing of it shows in this machine's own network: no interface, no address, no rule. Each namespace has its own
/etc/hosts (`ip netns exec` mounts /etc/netns/NAME/hosts over it). All is removed at the end, whatever happened.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from potluck.core.errors import UsageError
from potluck.net.broker import binary

NETNS = Path("/etc/netns")
PATIENCE = 120.0
NETWORK = "10.20.0"


def missing() -> str:
    """Why there can be no machines here; empty where there can."""
    if os.geteuid() != 0:
        return "needs root, to make network namespaces"
    absent = [name for name in ("ip", "nft") if shutil.which(name) is None]
    if absent:
        return f"needs {', '.join(absent)}"
    try:
        binary()
    except UsageError:
        return "needs nats-server"
    probe = f"potluck-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False)
    if made.returncode:
        return "needs network namespaces, which are not allowed here"
    subprocess.run(["ip", "netns", "del", probe], capture_output=True, check=True)
    return ""


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], capture_output=True, check=True)


@dataclass
class Terminal:
    """One terminal: the command that runs in it, and all that it has shown."""

    screen: Path
    child: subprocess.Popen[bytes] | None = None

    @property
    def shown(self) -> str:
        """What stands on the screen."""
        return self.screen.read_text(encoding="utf-8", errors="replace")

    def done(self) -> int:
        """Wait for the command in it; gives its exit code."""
        if self.child is None:
            return 0
        code = self.child.wait(PATIENCE)
        self.child = None
        return code

    def awaits(self, text: str) -> None:
        """Wait until the screen shows `text`. Raises AssertionError: it does not."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ended = self.child is None or self.child.poll() is not None
            if text in self.shown:
                return
            assert not ended, f"{self.screen.name} ended and never showed {text!r}:\n{self.shown}"
            time.sleep(0.05)
        raise AssertionError(f"{self.screen.name} does not show {text!r}:\n{self.shown}")


@dataclass
class Machine:
    """One machine: a namespace, an address, a home, terminals."""

    name: str
    namespace: str
    address: str
    home: Path
    terminals: dict[str, Terminal] = field(default_factory=dict)
    path: str = ""  # folders of programs, in place of this environment's

    def terminal(self, name: str) -> Terminal:
        """A terminal; a new one is blank."""
        if name not in self.terminals:
            screen = self.home.parent / f"{self.name}-{name or 'main'}.screen"
            screen.touch()
            self.terminals[name] = Terminal(screen)
        return self.terminals[name]

    def type(self, name: str, line: str) -> int:
        """Type a command; wait for it in the main terminal. Gives the exit code (0: it goes on)."""
        terminal = self.terminal(name)
        code = terminal.done()
        assert code == 0, f"{self.name}:{name} ended with {code} before {line!r}:\n{terminal.shown}"
        with terminal.screen.open("ab") as screen:
            terminal.child = self.start(["bash", "-c", f"exec {line}" if name else line], screen.fileno())
        return terminal.done() if not name else 0

    def start(self, command: Sequence[str], screen: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        """Start a program on this machine."""
        first = self.path or str(Path(sys.executable).parent)
        path = os.pathsep.join([first, "/usr/local/bin", "/usr/sbin", "/usr/bin", "/bin"])
        plain = {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "LOGNAME": "operator", "COLUMNS": "120"}
        ours = {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
        return subprocess.Popen(
            ["ip", "netns", "exec", self.namespace, *command],
            cwd=self.home,
            env=plain | ours,
            stdin=subprocess.DEVNULL,
            stdout=screen,
            stderr=screen,
        )

    def knows(self, name: str, address: str) -> None:
        """From now on a name is this address's."""
        hosts = NETNS / self.namespace / "hosts"
        kept = [line for line in hosts.read_text(encoding="utf-8").splitlines() if not line.endswith(f" {name}")]
        with hosts.open("r+", encoding="utf-8") as file:  # in place: it is mounted over the machine's own
            file.truncate(0)
            file.write("\n".join([*kept, f"{address} {name}", ""]))

    def reaches(self, address: str, port: int) -> bool:
        """Whether a connection from here comes about within a second."""
        code = f"import socket; socket.create_connection(({address!r}, {port}), 1).close()"
        return self.start([sys.executable, "-S", "-c", code]).wait(PATIENCE) == 0


class Machines:
    """Several machines on one switch. Use with `with`."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        mark = f"potluck-{os.getpid()}"
        self._switch = f"{mark}-switch"
        self._listeners: list[subprocess.Popen[bytes]] = []
        self._etc = NETNS.exists()
        self.of = {
            name: Machine(name, f"{mark}-{name}", f"{NETWORK}.{number}", folder / name)
            for number, name in enumerate(names, 1)
        }

    def __enter__(self) -> Self:
        try:
            _ip("netns", "add", self._switch)
            _ip("-n", self._switch, "link", "add", "switch", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "switch", "up")
            for number, machine in enumerate(self.of.values(), 1):
                self._plug(machine, f"port{number}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """End every process by its id, then remove every namespace and its files."""
        terminals = [one for machine in self.of.values() for one in machine.terminals.values()]
        children = [*self._listeners, *(one.child for one in terminals if one.child is not None)]
        for child in reversed(children):
            child.terminate()
        for child in reversed(children):
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for namespace in [*(machine.namespace for machine in self.of.values()), self._switch]:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
            shutil.rmtree(NETNS / namespace, ignore_errors=True)
        if not self._etc and NETNS.exists() and not any(NETNS.iterdir()):
            NETNS.rmdir()

    def listen(self, name: str, port: int) -> None:
        """Something on a machine that accepts connections, so that a block is seen to be one."""
        code = f"import socket; s=socket.create_server(('', {port})); print(flush=True)\nwhile 1: s.accept()[0].close()"
        screen = self.of[name].home.parent / f"{name}-{port}.screen"
        with screen.open("wb") as file:
            self._listeners.append(self.of[name].start([sys.executable, "-S", "-c", code], file.fileno()))
        Terminal(screen, self._listeners[-1]).awaits("\n")

    def _plug(self, machine: Machine, port: str) -> None:
        machine.home.mkdir(parents=True)
        own = NETNS / machine.namespace
        own.mkdir(parents=True)
        (own / "hosts").write_text(f"127.0.0.1 localhost {machine.name}\n", encoding="utf-8")
        _ip("netns", "add", machine.namespace)
        veth = ("type", "veth", "peer", "name", port, "netns", self._switch)
        _ip("link", "add", "eth0", "netns", machine.namespace, *veth)
        _ip("-n", self._switch, "link", "set", port, "master", "switch", "up")
        _ip("-n", machine.namespace, "addr", "add", f"{machine.address}/24", "dev", "eth0")
        _ip("-n", machine.namespace, "link", "set", "lo", "up")
        _ip("-n", machine.namespace, "link", "set", "eth0", "up")
        hosts = self.of[machine.name].start(["grep", "-q", f" {machine.name}$", "/etc/hosts"])
        assert hosts.wait(PATIENCE) == 0, "this machine's own /etc/hosts would be written"


def interrupt(terminal: Terminal) -> None:
    """Ctrl-C: the command ends by itself, with 0. Raises AssertionError: it does not."""
    assert terminal.child is not None
    terminal.child.send_signal(signal.SIGINT)
    code = terminal.done()
    assert code == 0, f"Ctrl-C gave {code}:\n{terminal.shown}"
