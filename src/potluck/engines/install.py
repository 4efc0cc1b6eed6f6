"""Make an engine's environment: find its Python, install the locked packages, test it; only then is it installed.

pip takes no file whose SHA-256 the engine's lock does not list, from whatever index, and no package that the lock does
not name: an index, or who stands before it, cannot put in other code. The same holds for a folder of wheels, which
`download` fills on a machine with a network for one without.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from potluck.core.errors import Refused, UsageError
from potluck.core.rounds import Abort
from potluck.engines import environment, interpreter
from potluck.engines.environment import LOCK, MARK, PACKAGES, PLACE, PYTHONS, Installed, Mark
from potluck.engines.worker import Worker

Say = Callable[[str], None]
Step = Callable[[Sequence[str], str, str], None]
"""Run a command. In words: what it means where it fails, and what to do then."""
LISTED = "from importlib.metadata import distributions as d\nfor one in d(): print(f'{one.name}=={one.version}')"
BUNDLED = ("pip", "setuptools")
"""What a Python puts into an environment by itself."""
NO_ENVIRONMENT = ("the environment cannot be made", "is there room?")
NO_PACKAGES = "the packages cannot be installed"
ONLINE = "is the package index reachable? then run it again; a hash that does not match is another file than we tested"
OFFLINE = (
    "the folder has to hold each file of this version's lock, for this machine's Python, unchanged. "
    "Fill it by the same version of Potluck and the same Python"
)
SUPPORTED = "its packages are made for Linux on x86-64 with glibc"


def install(name: str, say: Say, environ: Mapping[str, str] = os.environ, wheels: Path | None = None) -> Installed:
    """Make the engine's environment where there is none that works. say: is told each step, a line each.

    wheels: a folder with the packages' files, from which alone they come; no network is used. None: pip's index.
    Raises UsageError: no Python for it, no place to write, its packages cannot be had, or it fails its self-test.
    Raises Refused: another installation is going on.
    """
    environment.known(name)
    if wheels is not None and not wheels.is_dir():
        raise UsageError("is no folder", where=str(wheels), hint=f"potluck engine download {name} -o FOLDER makes one")
    found = _working(environment.installed(name, environ))
    if found is not None:
        return found
    folder = _place(environ) / environment.title(name)
    try:
        with _alone(folder, environ) as step:
            if _working(environment.read(name, folder)) is None:
                _make(name, folder, say, environ, step, wheels)
    except OSError as error:
        what = f"the environment cannot be written ({error.strerror or type(error).__name__})"
        raise UsageError(what, where=str(folder), hint=f"make room, or set {PLACE} to another folder") from None
    return environment.require(name, environ)


def _working(found: Installed | None) -> Installed | None:
    if found is not None:
        try:
            checked(found.name, found.folder)
        except UsageError:
            return None
    return found


def download(name: str, folder: Path, say: Say, environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """The files of the engine's packages, into `folder`, for `install` elsewhere; gives all wheels that lie there.

    They are those for the Python that an installation on this machine would take, and for this system.
    Raises UsageError: no Python for it, the folder cannot be written, or the packages cannot be had.
    """
    environment.known(name)
    base = interpreter.find(PYTHONS[name], environ)
    say(f"Python {base.version} from {base.source}: {base.path}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as place:
            _stepped(_venv(base.path, Path(place)), *NO_ENVIRONMENT, environ)
            python = str(environment.python(Path(place)))
            say(f"packages of the lock, into {folder}")
            fetch = [*packages(python, environment.lock_file(name), "download"), "--dest", str(folder)]
            _stepped(fetch, "the packages cannot be downloaded", ONLINE, environ)
        return tuple(sorted(folder.glob("*.whl")))
    except OSError as error:
        what = f"the packages cannot be written ({error.strerror or type(error).__name__})"
        raise UsageError(what, where=str(folder), hint="make room, or name another folder") from None


def _make(name: str, folder: Path, say: Say, environ: Mapping[str, str], step: Step, wheels: Path | None) -> None:
    base = interpreter.find(PYTHONS[name], environ, fetch=wheels is None)
    say(f"Python {base.version} from {base.source}: {base.path}")
    if folder.exists():
        say("what an installation left here is incomplete or does not work: begun again")
        (folder / MARK).unlink(missing_ok=True)
        shutil.rmtree(folder)
    say(f"an environment in {folder}")
    step(_venv(base.path, folder), *NO_ENVIRONMENT)
    wanted = [f"{package}=={version}" for package, version in PACKAGES[name].items()]
    say(f"packages: {', '.join(wanted)}" + (f", from {wheels} alone" if wheels else ""))
    python, lock = str(environment.python(folder)), environment.lock_file(name)
    if wheels is None:
        step(packages(python, lock), NO_PACKAGES, ONLINE)
    else:
        step([*packages(python, lock), *only(wheels)], NO_PACKAGES, f"{OFFLINE}: potluck engine download {name}")
    say("self-test")
    step([python, "-I", "-c", f"import {', '.join(PACKAGES[name])}"], "the packages do not load", SUPPORTED)
    versions = checked(name, folder)
    (folder / LOCK).write_bytes(environment.lock_file(name).read_bytes())
    mark = Mark(name, versions["python"], str(base.path), base.source, dict(PACKAGES[name]))
    part = folder / f".{MARK}.part"
    part.write_bytes(msgspec.json.format(msgspec.json.encode(mark), indent=1))
    part.replace(folder / MARK)


def packages(python: str, lock: Path, verb: str = "install") -> list[str]:
    """The command that installs what a lock lists into a Python's environment, and nothing else; or downloads it."""
    pip = [python, "-I", "-m", "pip", verb, "--disable-pip-version-check", "--quiet", "--only-binary=:all:"]
    return [*pip, "--require-hashes", "--requirement", str(lock)]


def only(wheels: Path) -> list[str]:
    """pip's words for: from this folder, and from no index, whatever this machine's settings name."""
    return ["--isolated", "--no-index", "--find-links", str(wheels.absolute())]


def _venv(python: Path, folder: Path) -> list[str]:
    return [str(python), "-I", "-m", "venv", str(folder)]


def checked(name: str, folder: Path) -> Mapping[str, str]:
    """The versions that the engine in `folder` says it has.

    Raises UsageError: its packages are not those of the lock, or it fails its self-test.
    """
    versions = tested(name, environment.program(name, folder))
    _compare(name, environment.python(folder))
    return versions


def _compare(name: str, python: Path) -> None:
    """Raises UsageError: an environment holds other packages than the lock, or in other versions."""
    said = interpreter.ran([str(python), "-I", "-c", LISTED], os.environ)
    there = {environment.plain(package): version for package, version in environment.PIN.findall(said.stdout)}
    lock = environment.locked(name)
    for package in sorted({*there, *lock} - set(BUNDLED)):
        version, wanted = there.get(package), lock.get(package, set())
        if version not in wanted:
            has, needed = version or "missing", " or ".join(sorted(wanted)) or "none"
            what = f"the engine {name} has {package} {has} where the lock has {needed}"
            raise UsageError(what, hint=f"potluck engine install {name}")


def tested(name: str, program: Sequence[str]) -> Mapping[str, str]:
    """Start the engine, which tests itself, and end it; gives its versions.

    Raises UsageError: it fails, or a package is there in another version than the one pinned.
    """
    worker = Worker(name, program=program)
    try:
        worker.start()
    except Abort as abort:
        hint = f"potluck engine install {name}; {SUPPORTED}"
        raise UsageError(f"the engine {name} fails its self-test ({abort.detail})", hint=hint) from None
    finally:
        worker.close()
    for package, version in worker.versions.items():
        if version != PACKAGES[name].get(package, version):
            what = f"the engine {name} has {package} {version} where {PACKAGES[name][package]} is needed"
            raise UsageError(what, hint=f"potluck engine install {name}")
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
def _alone(folder: Path, environ: Mapping[str, str]) -> Iterator[Step]:
    """Gives what runs a step. Only one installation at a time: the lock ends with this process and its last step."""
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Refused("another installation is going on", where=str(folder), hint="wait for it") from None

        def step(command: Sequence[str], what: str, hint: str) -> None:
            _stepped(command, what, hint, environ, [lock.fileno()])  # a step that outlives us keeps the lock

        yield step


def _stepped(
    command: Sequence[str], what: str, hint: str, environ: Mapping[str, str], keeps: Sequence[int] = ()
) -> None:
    done = interpreter.ran(command, environ, keeps=keeps)
    if done.returncode != 0:
        raise UsageError(f"{what}: {_last(done.stderr + done.stdout)}", hint=hint)


def _last(said: str) -> str:
    """The line that says what went wrong."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return next((line for line in reversed(lines) if "error" in line.lower()), lines[-1] if lines else "no words")[:300]
