"""An engine's own environment: a virtual environment on its own Python, with locked packages, made once a machine.

It lies inside the virtual environment that Potluck runs in, where there is one that may be written to, else in the
user's data folder; POTLUCK_ENGINES names another place. A file is written last, when the engine has passed its
self-test, and only what has that file counts as installed: an installation that was cut off is begun again. Beside it
lies the lock that the packages were installed by; with another lock the engine is not installed.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.core.errors import UsageError
from potluck.core.schema import readable

MARK, LOCK = "installed.json", "lock.txt"
PLACE = "POTLUCK_ENGINES"
PACKAGES: Mapping[str, Mapping[str, str]] = {
    "he": {"openfhe": "1.6.1.0.24.4", "numpy": "2.5.5"},
    "mpc": {
        "spu": "0.9.5",
        "jax": "0.4.34",
        "jaxlib": "0.4.34",
        "numpy": "1.26.4",
        "scipy": "1.15.3",
        "ml_dtypes": "0.5.4",
    },
}
"""What each engine is made of; its folder bears the version of the first. What these need in turn is in the lock."""
PYTHONS: Mapping[str, tuple[str, ...]] = {"he": ("3.12",), "mpc": ("3.11", "3.10")}
"""The CPythons that an engine's wheels are made for, the first choice first."""
WORKERS: Mapping[str, str] = {"he": "openfhe", "mpc": "spu"}
"""The package here that holds an engine's worker program."""
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
SERVE = "import sys; sys.path.append({root!r}); from potluck.engines.{worker}.serve import main; main()"


class NotInstalled(UsageError):
    """An engine is not installed here."""


class Mark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the file that completes an installation says. source: where the Python came from, in words."""

    engine: str
    python: str
    interpreter: str
    source: str
    packages: dict[str, str]


@dataclass(frozen=True, slots=True)
class Installed:
    """An engine that is there. folder: its virtual environment."""

    name: str
    folder: Path
    mark: Mark

    def program(self) -> list[str]:
        """The command line of its worker, to which the memory limit is added."""
        return program(self.name, self.folder)


def installed(name: str, environ: Mapping[str, str] = os.environ) -> Installed | None:
    """The engine, if it is installed in the version that this Potluck asks for. Starts no process.

    Raises UsageError: no engine of that name.
    """
    known(name)
    for place in places(environ):
        found = read(name, place / title(name))
        if found is not None:
            return found
    return None


def require(name: str, environ: Mapping[str, str] = os.environ) -> Installed:
    """The engine. Raises NotInstalled, which says how to install it."""
    found = installed(name, environ)
    if found is None:
        raise NotInstalled(f"the engine {name} is not installed", hint=f"potluck engine install {name}")
    return found


def lock_file(name: str) -> Path:
    """The engine's lock, in pip's form: all packages of its environment and the hashes of their files (`make lock`)."""
    return Path(__file__).parent / "locks" / f"{name}.txt"


def locked(name: str) -> dict[str, set[str]]:
    """Package -> its versions in the engine's lock: where there are several, each is for another Python."""
    found: dict[str, set[str]] = {}
    for package, version in PIN.findall(lock_file(name).read_text(encoding="utf-8")):
        found.setdefault(plain(package), set()).add(version)
    return found


def plain(package: str) -> str:
    """A package's name in its one spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", package).lower()


def known(name: str) -> None:
    """Raises UsageError: no engine of that name in this version."""
    if name not in PACKAGES:
        raise UsageError(f"no engine is called {name!r}", hint=f"engines: {', '.join(PACKAGES)}")


def places(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """The folders that may hold engines, the first choice first."""
    if environ.get(PLACE):
        return [Path(environ[PLACE]).absolute()]
    home = environ.get("HOME") or os.path.expanduser("~")
    data = Path(environ.get("XDG_DATA_HOME") or Path(home) / ".local" / "share").absolute()
    own = [Path(sys.prefix) / "share"] if sys.prefix != sys.base_prefix else []
    return [base / "potluck" / "engines" for base in (*own, data)]


def title(name: str) -> str:
    """The name of the engine's folder."""
    return f"{name}-{next(iter(PACKAGES[name].values()))}"


def python(folder: Path) -> Path:
    """The interpreter of the environment in `folder`."""
    return folder / "bin" / "python"


def program(name: str, folder: Path) -> list[str]:
    """The command line of the worker of the engine `name` that runs in the environment in `folder`."""
    root = str(Path(__file__).parents[2])
    return [str(python(folder)), "-I", "-B", "-c", SERVE.format(root=root, worker=WORKERS[name])]


def read(name: str, folder: Path) -> Installed | None:
    """What `folder` holds, if it is complete and of this version."""
    try:
        mark = msgspec.json.decode((folder / MARK).read_bytes(), type=readable(Mark))
        same = (folder / LOCK).read_bytes() == lock_file(name).read_bytes()
    except (OSError, msgspec.DecodeError):
        return None
    right = same and mark.engine == name and mark.packages == PACKAGES[name] and os.access(python(folder), os.X_OK)
    return Installed(name, folder, mark) if right else None
