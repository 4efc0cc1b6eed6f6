"""Find a CPython of a version that an engine's wheels hold a binary for.

A name on PATH proves nothing (pyenv puts a file there that only prints an error), so every candidate is started once.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import UsageError

PROBE = (
    "import sys, ssl, venv, ensurepip; assert sys.implementation.name == 'cpython' and sys.maxsize > 2**32; "
    "print('python %d.%d.%d' % sys.version_info[:3])"
)
"""A distribution may leave out venv and ensurepip, without which no environment can be made."""
DOWNLOAD = 600


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python that runs. source: where it was found, in words; version: as in 3.12.1."""

    path: Path
    source: str
    version: str


def find(versions: Sequence[str], environ: Mapping[str, str], *, fetch: bool = True) -> Interpreter:
    """The first that runs: on PATH (`python3.12`), then pyenv's, then Potluck's own, then one that uv downloads.

    versions: as in 3.12, the first choice first; uv is asked for that alone. environ: PATH, PYENV_ROOT, HOME are read.
    fetch: whether uv may download one; without, it gives one that it has.
    Raises UsageError: in none of these places, all named.
    """
    for version in versions:
        for path, source in (*_on_path(version, environ), *_of_pyenv(version, environ), *_own(version)):
            if found := runs(path, version, environ):
                return Interpreter(path, source, found)
    first = versions[0]
    downloaded = _of_uv(first, environ, fetch)
    if downloaded is not None and (found := runs(downloaded, first, environ)):
        return Interpreter(downloaded, "uv", found)
    searched = ", ".join(f"python{one} on PATH, {_pyenv(environ)}/versions/{one}*" for one in versions)
    last, other = ("uv's download", ", or install uv, which downloads one") if fetch else ("what uv has", "")
    raise UsageError(
        f"no CPython {' or '.join(versions)} that runs: searched {searched}, and {last}",
        hint=f"install python{first} (with its venv module){other}",
    )


def runs(path: Path, version: str, environ: Mapping[str, str]) -> str | None:
    """The version of the Python at `path` in full, or None: it does not run, is another, or can make no environment."""
    try:
        done = ran([str(path), "-I", "-c", PROBE], environ, 60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.split()
    right = done.returncode == 0 and len(said) == 2 and said[1].startswith(f"{version}.")
    return said[1] if right else None


def ran(
    command: Sequence[str], environ: Mapping[str, str], seconds: float | None = None, keeps: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """A command that has ended, with all that it said. keeps: descriptors that it gets. Raises as `subprocess` does."""
    return subprocess.run(  # noqa: S603  programs of the user's own PATH and files of ours; no word is from a plan
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
        env=dict(environ),
        pass_fds=keeps,
    )


def _on_path(version: str, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        candidate = Path(folder or ".").absolute() / f"python{version}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):  # quiet about folders one may not read
            yield candidate, "PATH"


def _pyenv(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME") or os.path.expanduser("~")) / ".pyenv")


def _own(version: str) -> Iterator[tuple[Path, str]]:
    """The interpreter under Potluck's own environment; it need not be on PATH."""
    base = getattr(sys, "_base_executable", None)
    if base and version == f"{sys.version_info.major}.{sys.version_info.minor}":
        yield Path(base), "Potluck's own"


def _of_pyenv(version: str, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Newest first."""
    found = (_pyenv(environ) / "versions").glob(f"{version}*")
    for path in sorted(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)], reverse=True):
        yield path / "bin" / f"python{version}", "pyenv"


def _of_uv(version: str, environ: Mapping[str, str], fetch: bool) -> Path | None:
    """The Python that uv has or, with `fetch`, downloads; None: no uv, or it could not."""
    uv = shutil.which("uv", path=environ.get("PATH", os.defpath))
    command = [uv] if uv else [sys.executable, "-m", "uv"]
    try:
        install, look = ["python", "install", "--quiet", version], ["python", "find", "--no-project", version]
        for step in (install, look) if fetch else ([*look, "--offline", "--no-python-downloads"],):
            done = ran([*command, *step], environ, DOWNLOAD)
            if done.returncode != 0:
                return None
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(done.stdout.strip())
