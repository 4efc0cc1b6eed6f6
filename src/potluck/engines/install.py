"""Make an engine's environment: find its Python, install the pinned packages, test it; only then is it installed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from potluck.core.errors import Refused, UsageError
from potluck.core.rounds import Abort
from potluck.engines import environment, interpreter
from potluck.engines.environment import MARK, PACKAGES, PLACE, Installed, Mark
from potluck.engines.worker import Worker

Say = Callable[[str], None]


def install(name: str, say: Say, environ: Mapping[str, str] = os.environ) -> Installed:
    """Make the engine's environment where there is none, and test it. say: is told each step, a line each.

    Raises UsageError: no Python 3.12, no place to write, the packages cannot be had, or the engine fails its self-test.
    Raises Refused: another installation is going on.
    """
    found = environment.installed(name, environ)
    if found is not None:
        return found
    folder = _place(environ) / environment.title(name)
    with _alone(folder):
        found = environment.read(name, folder)
        if found is None:
            _make(name, folder, say, environ)
    return environment.require(name, environ)


def _make(name: str, folder: Path, say: Say, environ: Mapping[str, str]) -> None:
    base = interpreter.find(environ)
    say(f"Python {base.version} from {base.source}: {base.path}")
    if folder.exists():
        say("an installation was cut off here: begun again")
        shutil.rmtree(folder)
    say(f"an environment in {folder}")
    _step([str(base.path), "-I", "-m", "venv", str(folder)], "the environment cannot be made", environ)
    wanted = [f"{package}=={version}" for package, version in PACKAGES[name].items()]
    say(f"packages: {', '.join(wanted)}")
    pip = [str(environment.python(folder)), "-I", "-m", "pip", "install", "--disable-pip-version-check"]
    _step([*pip, "--quiet", "--only-binary=:all:", *wanted], "the packages cannot be installed", environ)
    say("self-test")
    versions = tested(name, environment.program(folder))
    mark = Mark(name, versions["python"], str(base.path), base.source, dict(PACKAGES[name]))
    part = folder / f".{MARK}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(mark), indent=1))
    part.replace(folder / MARK)


def tested(name: str, program: Sequence[str]) -> Mapping[str, str]:
    """Start the engine, which tests itself, and end it; gives its versions. Raises UsageError: it fails."""
    worker = Worker(name, program=program)
    try:
        worker.start()
    except Abort as abort:
        hint = "its packages are made for Linux on x86-64 with glibc"
        raise UsageError(f"the engine {name} fails its self-test ({abort.detail})", hint=hint) from None
    finally:
        worker.close()
    return worker.versions


def _place(environ: Mapping[str, str]) -> Path:
    """The first folder that can be written to. Raises UsageError: none."""
    tried = environment.places(environ)
    for place in tried:
        with contextlib.suppress(OSError):
            place.mkdir(parents=True, exist_ok=True)
            if os.access(place, os.W_OK):
                return place
    where = ", ".join(map(str, tried))
    raise UsageError("no folder for engines can be written to", where=where, hint=f"set {PLACE} to one")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Only one installation at a time; the lock ends with the process."""
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("another installation is going on", where=str(folder), hint="wait for it") from None
        yield


def _step(command: Sequence[str], what: str, environ: Mapping[str, str]) -> None:
    done = subprocess.run(  # noqa: S603  no word of it comes from a plan
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=dict(environ)
    )
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        last = next((line for line in reversed(lines) if "rror" in line), lines[-1] if lines else "no words")
        raise UsageError(f"{what}: {last[:300]}", hint="is the package index reachable? then run it again")
