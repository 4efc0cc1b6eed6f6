"""A federation as real processes over a real broker, each of which can be killed at an exact letter and started again.

Sites and server run the real program through `driven.py`; the broker is `potluck broker`. Waits are on conditions and
bounded. `leaves_nothing` is to be asked at the end: no process, no file outside the homes, no value of a row and no key
in anything but the owner's own files.
"""

import base64
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tomli_w

from potluck.api.network import members as api
from potluck.api.plan.plan import Plan
from potluck.core.errors import UsageError
from potluck.core.rounds import CHARGE
from potluck.members.home import SiteHome
from potluck.net import broker
from potluck.owner.chain import Chain
from support.owner.policies import OPEN

HERE = Path(__file__).parent
SERVER = "server"
BROKER = "broker"
CANARY = "0.271828182845904"
"""In a column of every site's rows; must be nowhere else."""


@dataclass(frozen=True)
class Trap:
    """Where to die: moment ("before send", "after send", "on receipt", "when done") of the letter of that step and
    round. peer: only of letters from or to it; pid_file: whose process dies instead of the driven one."""

    moment: str
    step: str
    round: int
    peer: str = ""
    pid_file: str = ""


@dataclass(frozen=True)
class Ended:
    """How a process ended."""

    code: int
    out: str
    words: str

    @property
    def document(self) -> dict[str, Any]:
        assert self.code == 0, self.words
        return json.loads(self.out)


@dataclass
class Child:
    """One process. out, words: its stdout and stderr."""

    process: subprocess.Popen[bytes]
    out: Path
    words: Path

    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self, seconds: float) -> Ended:
        """Wait for its end, at most so long. It hangs: it is killed, and that is an error."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"still running after {seconds} s: {self.words.read_text()[-2000:]}") from None
        return Ended(code, self.out.read_text(), self.words.read_text())

    def stop(self, sign: int = signal.SIGTERM) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(sign)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Raises AssertionError: not true in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@dataclass
class Rig:
    """A federation in a folder: `homes`, `fed`, and what the driver writes in `watch`."""

    folder: Path
    frames: Mapping[str, pd.DataFrame | None]
    policies: Mapping[str, str] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    starts: int = 0
    fed_name: str = "fed"
    """Of the coordinator's home: another one after it was put back elsewhere. The broker stays in the first."""

    @property
    def fed(self) -> Path:
        return self.folder / self.fed_name

    @property
    def watch(self) -> Path:
        return self.folder / "watch"

    def home(self, name: str) -> Path:
        return self.folder / name

    def found(self, *ports: int) -> None:
        """Homes, keys, cards, the signed file. A site without a frame has its rows where its policy says. ports: of the
        broker, or of its three nodes."""
        now = time.time()
        self.rooms()
        api.federation_new(self.fed, ",".join(f"tls://127.0.0.1:{port}" for port in ports), now, 30)
        for name, frame in self.frames.items():
            api.site_new(self.home(name), None)
            (self.home(name) / "policy.toml").write_text(self.policies.get(name, OPEN))
            if frame is not None:
                frame.to_csv(self.home(name) / "rows.csv", index=False)
        api.federation_add(self.fed, [self.home(n) / f"{n}.card" for n in self.frames], now)
        for name in self.frames:
            api.site_join(self.home(name), self.fed / "federation.toml", now, "")

    def rooms(self) -> None:
        """The folders beside the homes."""
        for name in ("watch", "temporary", "cwd", "plans", "runs"):
            (self.folder / name).mkdir(parents=True)

    # Processes.

    def spawn(self, name: str, *verb: object, driven: bool = True) -> Child:
        """Start a process. driven: with the traps."""
        self.starts += 1
        assert name not in self.children or not self.children[name].alive()
        front = [str(HERE / "driven.py"), str(self.watch), name] if driven else ["-m", "potluck"]
        out, words = (self.watch / f"{name}.{self.starts}.{kind}" for kind in ("out", "err"))
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
        with out.open("wb") as data, words.open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, *front, *map(str, verb)],
                stdin=subprocess.DEVNULL,
                stdout=data,
                stderr=said,
                cwd=self.folder / "cwd",
                env=inherited | {"TMPDIR": str(self.folder / "temporary"), "POTLUCK_RIG": self.mark},
            )
        child = self.children[name] = Child(process, out, words)
        return child

    def start(self, *names: str) -> None:
        """Start the broker, or nodes of it ("broker-2"), or sites, those that do not run."""
        for name in names:
            if name in self.children and self.children[name].alive():
                continue
            if name.startswith(BROKER):
                node, home = int(name.partition("-")[2] or 0), self.folder / "fed"
                self.spawn(name, "broker", home, *(("--node", node) if node else ()), driven=False)
                wait_for(lambda node=node, home=home: broker.answers(home, node), 120, f"the {name} answers")
            else:
                self.spawn(name, "site", "run", self.home(name))

    def serve(self, plan: Path, *more: object, wait: float = 20) -> Child:
        """Start the server."""
        return self.spawn(SERVER, "server", "run", self.fed, plan, "--json", "--wait", wait, *more)

    def plan(self, plan: Plan, name: str) -> Path:
        """The plan as a file, without the rows' places, under a purpose of its own."""
        tables = {**present(plan.tables), "purpose": name}
        path = self.folder / "plans" / f"{name}.toml"
        path.write_text(tomli_w.dumps(tables))
        return path

    def close(self) -> None:
        """End all, the server and the sites first."""
        for name in sorted(self.children, key=lambda one: one.startswith(BROKER)):
            self.children[name].stop()

    # Traps.

    def trap(self, name: str, trap: Trap) -> None:
        """Whoever is called `name` dies there."""
        (self.watch / f"{name}.sprung").unlink(missing_ok=True)
        fresh = self.watch / f"{name}.fresh"
        fresh.write_text(json.dumps(asdict(trap)))
        fresh.rename(self.watch / f"{name}.trap")

    def sprung(self, name: str) -> bool:
        return (self.watch / f"{name}.sprung").exists()

    def disarm(self) -> None:
        for path in self.watch.glob("*.trap"):
            path.unlink()

    @property
    def broker_pid(self) -> str:
        return str(self.fed / "broker" / "nats.pid")

    # What was written down.

    def letters(self, name: str, moment: str, run: str) -> list[dict[str, Any]]:
        """The driver's lines about a run."""
        path = self.watch / f"{name}.letters"
        lines = map(json.loads, path.read_text().splitlines()) if path.exists() else ()
        return [line for line in lines if line["moment"] == moment and line["run"] == run]

    def runs(self) -> list[str]:
        """The names of the coordinator's runs, the newest first."""
        paths = sorted((self.fed / "runs").glob("*/journal.sqlite"), key=lambda one: one.stat().st_mtime, reverse=True)
        return [path.parent.name for path in paths]

    def rounds(self, run: str) -> list[dict[str, Any]]:
        """The journal's rounds: number, kind, step, opened, may_have_left, givers."""
        path = self.fed / "runs" / run / "journal.sqlite"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            rows = db.execute("SELECT number, kind, step, opened, may_have_left, told FROM rounds ORDER BY number")
            names = ("number", "kind", "step", "opened", "left")
            return [
                dict(zip(names, row[:5], strict=True)) | {"givers": json.loads(row[5] or "{}").get("givers", [])}
                for row in rows
            ]

    def causes(self, run: str) -> list[str]:
        """Why the rounds of a run that came to nothing did."""
        path = self.fed / "runs" / run / "journal.sqlite"
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            return [str(row[0]) for row in db.execute("SELECT cause FROM rounds WHERE cause IS NOT NULL")]

    def charged(self, name: str, run: str) -> list[int]:
        """The rounds of a run that a site's ledger was charged for."""
        with contextlib.closing(Chain(SiteHome.at(self.home(name)).ledger)) as chain:
            keys = [str(row[0]) for row in chain.read("SELECT key FROM facts ORDER BY seq")]
        front = f"{CHARGE}{run}/"
        return [int(key.removeprefix(front)) for key in keys if key.startswith(front)]

    def budget(self, name: str) -> dict[str, Any]:
        """`potluck site budget --json`."""
        return self.spawn(f"{name}-budget", "site", "budget", self.home(name), "--json", driven=False).end(120).document

    # The end.

    def processes(self) -> list[int]:
        """Whatever was started from here and still is, grandchildren too, zombies as well."""
        found = []
        mark = f"POTLUCK_RIG={self.mark}".encode()
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if mark in (path / "environ").read_bytes():
                    found.append(int(path.name))
        return found + _zombies()

    def leaves_nothing(self) -> None:
        """Ask after `close`. Raises AssertionError: a process, a stray file, or something private is left."""
        wait_for(lambda: not self.processes(), 60, "no process is left")
        assert list((self.folder / "temporary").rglob("*")) == []
        assert list((self.folder / "cwd").rglob("*")) == []
        places = {"watch", "temporary", "cwd", "plans", "runs", "fed", *self.frames}
        assert {path.name for path in self.folder.iterdir() if not path.name.startswith("fed-")} <= places
        strays = [p for p in self.folder.rglob("*") if p.name.endswith((".part", ".tmp", "-journal"))]
        assert strays == []
        self.nothing_private()

    def nothing_private(self) -> None:
        """No value of a row and no key anywhere but where it belongs."""
        keys = [p for p in self.folder.rglob("*") if p.is_file() and (p.parent.name == "keys" or p.suffix == ".key")]
        secrets = {CANARY.encode(): "a value of a row"}
        for path in keys:
            text = path.read_bytes().strip()
            assert path.stat().st_mode & 0o077 == 0
            secrets |= {part: path.name for part in (text, *_raw(text)) if len(part) >= 24}
        for path in self.folder.rglob("*"):
            if not path.is_file() or path in keys or path.name.startswith("rows."):
                continue
            data = path.read_bytes()
            found = {what for secret, what in secrets.items() if secret in data}
            assert not found, f"{path}: {found}"


def _raw(text: bytes) -> Iterator[bytes]:
    with contextlib.suppress(ValueError):
        yield base64.b64decode(text, validate=True)


def _zombies() -> list[int]:
    """Children of this process that nobody has waited for."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            if fields[0] == "Z" and int(fields[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found


def present(table: Mapping[str, Any]) -> dict[str, Any]:
    """A plan's tables as TOML can say them."""
    return {k: present(v) if isinstance(v, Mapping) else v for k, v in table.items() if v is not None}


def laid_out(folder: Path, plan: Plan, frames: Mapping[str, pd.DataFrame]) -> Path:
    """The plan's file in this folder, beside the files of rows that it names."""
    for name, frame in frames.items():
        frame.to_csv(folder / f"rows.{name}.csv", index=False)
    tables = present(plan.tables)
    data = {**tables["data"], "files": {name: f"rows.{name}.csv" for name in frames}}
    path = folder / "plan.toml"
    path.write_text(tomli_w.dumps(tables | {"data": data}))
    return path


def need_broker() -> None:
    """Skip, with a reason, where there is no nats-server."""
    try:
        broker.binary()
    except UsageError as error:
        pytest.skip(str(error))
