"""A plan carried out by real processes on this machine, as `potluck up` does it, and what is read off it.

Broker, server and sites are processes of their own over loopback: TLS, one nkey a party, durable streams, ledgers on
disk. A round is timed by the server, from its first letter to the opened sum. Memory is each process's peak (VmHWM).
"""

import csv
import json
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.crowd import read_once
from potluck.api.local.run import run
from potluck.api.network.household import settle
from potluck.api.network.processes import Processes
from potluck.api.plan.plan import opened
from potluck.tasks.sources import tables

CROWD = Path(__file__).with_name("crowd.py")
WARM = 3
"""Rounds that are left out: keys, imports, a stream that is made."""
POLL = 0.05


@dataclass(frozen=True, slots=True)
class Shape:
    """What is run. sites: how many; layers: of a network (none: logistic regression of two features); rounds: timed."""

    sites: int
    protect: str
    rounds: int
    layers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Deployed:
    """What came of it. seconds: of each timed round; peak: bytes by process; steps: a round's letters, (down, sizes)
    in the order of its steps; start: seconds until the first round was over."""

    seconds: list[float]
    peak: dict[str, int]
    steps: list[tuple[bool, list[int]]]
    start: float

    def sent(self, sites: int) -> float:
        """Bytes that a site sends in a round, on the average."""
        return sum(sum(sizes) for down, sizes in self.steps if not down) / sites


def deployed(shape: Shape, crowd: bool = False) -> Deployed:
    """Real processes. crowd: all sites in one process, each with its own home, link and ledger.

    Raises RuntimeError: the server's last word, where it did not end well.
    """
    with TemporaryDirectory(prefix="potluck-bench-") as temp:
        return carried_out(written(shape, Path(temp)), WARM, crowd)


def carried_out(path: Path, warm: int, crowd: bool = False) -> Deployed:
    """A plan and its files in a folder of their own, by real processes. warm: rounds that are left out.

    Raises RuntimeError: the server's last word, where it did not end well.
    """
    if crowd:
        read_once()
    room = path.parent
    plan = opened(path)
    spec, _ = tables(plan, None)
    out = room / "out"
    out.mkdir()
    house = settle(plan, spec, out, room / "ledgers", record=False)
    commands = dict(house.commands)
    if crowd:
        homes = [str(house.folder / commands.pop(name)[-1]) for name in house.sites.values()]
        server = commands.pop("server")
        commands |= {"crowd": [sys.executable, str(CROWD), *homes], "server": [*server, "--wait", "600"]}
    peak: dict[str, int] = {}
    began = time.time()
    with Processes(commands, dict.fromkeys(commands, out / "logs"), lambda event, name: None) as processes:
        while (code := processes.tend("server")) is None:
            for name in commands:
                peak[name] = max(peak.get(name, 0), _peak(processes.pid(name)))
            time.sleep(POLL)
        if code:
            raise RuntimeError(processes.last_word("server"))
    document = json.loads((out / "run.json").read_text(encoding="utf-8"))
    seconds = [one["seconds"] for one in document["rounds"]]
    steps = _steps(out / "transcript.jsonl", warm + 1)
    return Deployed(seconds[warm:], peak, steps, time.time() - began - sum(seconds))


def in_memory(shape: Shape) -> list[float]:
    """Seconds of each round of the same plan with all parties in this process: what remains without a network."""
    with TemporaryDirectory(prefix="potluck-bench-") as temp:
        room = Path(temp)
        run(written(shape, room), out=room / "out", ledger=room / "ledgers")
        document = json.loads((room / "out" / "run.json").read_text(encoding="utf-8"))
        return [one["seconds"] for one in document["rounds"]][WARM:]


def written(shape: Shape, room: Path) -> Path:
    """The plan and the sites' rows, as files in `room`."""
    draw = random.Random(1)
    names = [f"s{index:03d}" for index in range(shape.sites)]
    for name in names:
        with (room / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("x", "z", "y"))
            for _ in range(20):
                x, z = draw.gauss(0, 1), draw.gauss(0, 1)
                rows.writerow((round(x, 3), round(z, 3), int(x + z + draw.gauss(0, 1) > 0)))
    path = room / "plan.toml"
    path.write_text(_text(shape, names), encoding="utf-8")
    return path


def _text(shape: Shape, names: list[str]) -> str:
    model = f'kind = "network"\nlayers = {list(shape.layers)}' if shape.layers else 'kind = "logistic"'
    method = '"average"\nrate = 0.01' if shape.layers else '"gradient"'
    files = "\n".join(f'{name} = "{name}.csv"' for name in names)
    corrupt = int(shape.protect == "mask")
    return f"""version = 1
name = "bench"
purpose = "time a round"
task = "train"
[federation]
sites = {json.dumps(names)}
corrupt = {corrupt}
patience = 120
[data.columns]
x = {{ kind = "number", low = -6, high = 6 }}
z = {{ kind = "number", low = -6, high = 6 }}
y = {{ kind = "category", values = ["0", "1"] }}
[data.target]
column = "y"
positive = ["1"]
[data.split]
test = 0.2
[data.files]
{files}
[model]
{model}
[training]
method = {method}
rounds = {shape.rounds + WARM}
[protect]
with = "{shape.protect}"
[privacy]
noise = "none"
"""


def _peak(pid: int) -> int:
    """VmHWM in bytes; 0 where the process is gone or this is no Linux."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in text.splitlines() if line.startswith("VmHWM")), 0)


def _steps(transcript: Path, number: int) -> list[tuple[bool, list[int]]]:
    """The letters of a round, by step."""
    steps: dict[tuple[bool, str], list[int]] = {}
    for line in transcript.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        if one["round"] == number:
            steps.setdefault((one["from"] == "server", one["step"]), []).append(one["bytes"])
    return [(down, sizes) for (down, _), sizes in steps.items()]
