"""Make homes by another program's hand: what a federation's machines hold after real runs, for tests of an upgrade.

    git worktree add /tmp/before COMMIT
    PYTHONPATH=/tmp/before/src .venv/bin/python tests/support/upgrade/make.py tests/support/upgrade

It writes `homes.tar.xz`: homes with keys that are good for nothing else and files that expire after ten years, and
`told.json`, what the verbs of that program said of them. It is not run by a test: what it wrote is kept.

north approves runs by two persons, south plans by their hash, west by policy; alpha is a compute party. `mean` ended
well, `wait` waits for persons, `heart` was killed in the middle, at the server and at north. One person at north
approved `later` before anybody asked for it; south denied `never`.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from potluck import Plan
from potluck.api.network import members
from potluck.api.network.status import status
from potluck.net import certificates

SITES = ("north", "south", "west")
DAYS = 3650
ADDRESS = "tls://localhost:42220"
PYTHON = [sys.executable, "-m", "potluck"]
PLAN = """version = 1
name = "{name}"
purpose = "{purpose}"
task = "{task}"
federation = {{ sites = ["north", "south", "west"], corrupt = 1, patience = 20 }}
data.columns.age = {{ kind = "number", low = 0, high = 100 }}
protect.with = "mask"
privacy = {{ noise = "shared", unit = "row", epsilon = {epsilon}, delta = 1e-6{more} }}
"""
MEAN = """[[statistics]]
name = "age"
kind = "mean"
column = "age"
"""
HEART = """data.columns.ill = { kind = "category", values = ["0", "1"] }
data.target = { column = "ill", positive = ["1"] }
data.split.test = 0.3
model.kind = "logistic"
training = { method = "gradient", rounds = 60, expected_rows = 200 }
"""
PLANS = {
    "mean": ("statistics", 0.4, "", MEAN),
    "wait": ("statistics", 0.3, "", MEAN),
    "never": ("statistics", 9.0, "", MEAN),
    "later": ("statistics", 0.2, "", MEAN),
    "heart": ("train", 1.0, ", clip = 1.0, redo = 3", HEART),
}
POLICY = """version = 1
[source]
file = "rows.csv"
[allow]
who = ["hospitals"]
tasks = ["train", "statistics"]
models = ["logistic"]
columns = ["age", "ill"]
protect = ["mask"]
noise = ["shared"]
epsilon_per_plan = 10.0
epsilon_per_year = 20.0
min_rows = 50
min_sites = 3
min_corrupt = 1
[approve]
rule = "{rule}"
people = {people}
"""


def verb(*words: str, code: int = 0) -> str:
    """A verb of the program, to its end. Raises AssertionError: it ended otherwise."""
    done = subprocess.run([*PYTHON, *words], capture_output=True, text=True, check=False)
    assert done.returncode == code, (words, done.returncode, done.stdout + done.stderr)
    return done.stdout


def until(true, seconds: float = 90.0) -> None:
    """Wait until it is true. Raises AssertionError: it never was."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.02)


def process(name: str, *words: str) -> subprocess.Popen[bytes]:
    """A verb that stays, with its words in a file of its name."""
    with Path(f"{name}.said").open("ab") as said:
        child = subprocess.Popen([*PYTHON, *words], stdout=said, stderr=said)
    atexit.register(child.kill)
    return child


def said(name: str) -> str:
    """All that it said."""
    return Path(f"{name}.said").read_text(encoding="utf-8")


def enrolled() -> None:
    """Homes, members, rows, policies, plans."""
    certificates.LIFETIME = timedelta(days=DAYS)
    members.federation_new(Path("hospitals"), ADDRESS, time.time(), DAYS)
    for name in SITES:
        verb("site", "new", name)
    verb("site", "new", "alpha", "--compute")
    cards = tuple(Path(name) / f"{name}.card" for name in (*SITES, "alpha"))
    members.federation_add(Path("hospitals"), cards, time.time())
    for name in (*SITES, "alpha"):
        verb("site", "join", name, "hospitals/federation.toml")
    for number, name in enumerate(SITES):
        lines = [f"{20 + (7 * row + number) % 60},{(row * row + number) % 3 % 2}" for row in range(90)]
        Path(name, "rows.csv").write_text("\n".join(["age,ill", *lines]) + "\n", encoding="utf-8")
    for name, (rule, people) in zip(SITES, (("person", 2), ("hash", 1), ("policy", 1)), strict=True):
        Path(name, "policy.toml").write_text(POLICY.format(rule=rule, people=people), encoding="utf-8")
    for name, (task, epsilon, more, rest) in PLANS.items():
        text = PLAN.format(name=name, purpose=f"The plan {name}", task=task, epsilon=epsilon, more=more) + rest
        Path(f"{name}.toml").write_text(text, encoding="utf-8")


def digest(name: str) -> str:
    """The hash of a plan, as its owners see it."""
    return Plan.read(f"{name}.toml").hash.removeprefix("sha256:")


def ran() -> None:
    """What was done, with real processes."""
    stay = [process("broker", "broker", "hospitals")]
    until(lambda: "serves" in said("broker"))
    sites = {name: process(name, "site", "run", name) for name in SITES}
    verb("site", "approve", "south", digest("mean"), "--person", "Sam")
    verb("site", "approve", "south", digest("heart"), "--person", "Sam")
    verb("site", "deny", "south", digest("never"), "--person", "Sam")
    verb("site", "approve", "north", digest("later"), "--person", "Ann Example")
    for plan in ("mean", "heart"):
        verb("site", "approve", "north", digest(plan), "--person", "Ann Example")
        verb("site", "approve", "north", digest(plan), "--person", "Nils")
    verb("server", "run", "hospitals", "mean.toml", "--out", "hospitals/runs/mean", "--wait", "90")
    for plan in ("wait", "never"):
        server = process(plan, "server", "run", "hospitals", f"{plan}.toml", "--wait", "300")
        until(lambda plan=plan: f"request {plan}" in said("north") and f"request {plan}" in said("south"))
        server.send_signal(signal.SIGINT)
        server.wait()
    server = process("heart", "server", "run", "hospitals", "heart.toml", "--wait", "90")

    def rounds() -> int:
        return max((one.opened for one in status(Path("hospitals")).runs if one.plan == "heart"), default=0)

    until(lambda: rounds() >= 3)
    server.kill()
    server.wait()
    sites["north"].kill()
    for child in [*sites.values(), *stay]:
        child.terminate()
        child.wait()


def told(commit: str) -> dict[str, object]:
    """What that program said of all this when it was done."""
    found: dict[str, object] = {"commit": commit, "when": time.time(), "plans": {name: digest(name) for name in PLANS}}
    found["federation"] = json.loads(verb("federation", "show", "hospitals", "--json"))
    found["status"] = json.loads(verb("status", "hospitals", "--json"))
    for name in SITES:
        export = Path(f"{name}.jsonl")
        found[name] = {
            "budget": json.loads(verb("site", "budget", name, "--export", str(export), "--json")),
            "evidence": export.read_text(encoding="utf-8"),
            "inbox": json.loads(verb("site", "inbox", name, "--json")),
            "log": json.loads(verb("site", "log", name, "--json")),
        }
    return found


def main(to: Path) -> None:
    """to: the folder for both files."""
    source = Path(members.__file__).parents[4]
    commit = subprocess.run(["git", "-C", str(source), "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    os.environ |= {"PYTHONPATH": str(source / "src"), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        enrolled()
        ran()
        with tarfile.open(to / "homes.tar.xz", "w:xz") as tar:
            # As they are now, before anything looks at them: north was killed, and its newest entries are in its log.
            for name in ("hospitals", *SITES, "alpha", *(f"{plan}.toml" for plan in PLANS)):
                tar.add(name, filter=kept)
            Path("told.json").write_text(json.dumps(told(commit.stdout.strip()), indent=1) + "\n", encoding="utf-8")
            tar.add("told.json", filter=kept)
        os.chdir(to)


def kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Not what a broker keeps or is made anew, and no name of whoever made this."""
    member.uname = member.gname = ""
    member.uid = member.gid = 0
    left = ("/broker/store", "/broker/nats.", "report.html", ".sqlite-shm")
    return None if any(part in member.name for part in left) and not member.name.endswith(".conf") else member


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
