"""Find a CPython 3.12: the engine's wheels hold a binary for that one alone.

A name on PATH proves nothing (pyenv puts a file there that only prints an error), so every candidate is started once.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from potluck.core.errors import UsageError

VERSION = "3.12"
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


def find(environ: Mapping[str, str]) -> Interpreter:
    """The first that runs: `python3.12` on PATH, then pyenv's, then one that uv downloads.

    environ: PATH, PYENV_ROOT and HOME are read. Raises UsageError: in none of the three places, all named.
    """
    for path, source in (*_on_path(environ), *_of_pyenv(environ)):
        if version := runs(path, environ):
            return Interpreter(path, source, version)
    downloaded = _of_uv(environ)
    if downloaded is not None and (version := runs(downloaded, environ)):
        return Interpreter(downloaded, "uv", version)
    raise UsageError(
        f"no CPython {VERSION} that runs: searched python{VERSION} on PATH, {_pyenv(environ)}/versions/{VERSION}*, "
        "and uv's download",
        hint=f"install python{VERSION} (with its venv module), or install uv, which downloads one",
    )


def runs(path: Path, environ: Mapping[str, str]) -> str | None:
    """The version of the Python at `path`, or None: it does not run, is another version, or can make no environment."""
    try:
        done = subprocess.run(  # noqa: S603  a file of PATH, as the user has it
            [str(path), "-I", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
            env=dict(environ),
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = done.stdout.split()
    right = done.returncode == 0 and len(said) == 2 and said[1].startswith(f"{VERSION}.")
    return said[1] if right else None


def _on_path(environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        candidate = Path(folder or ".").absolute() / f"python{VERSION}"
        if os.path.isfile(candidate) and os.access(candidate, os.X_OK):  # quiet about folders one may not read
            yield candidate, "PATH"


def _pyenv(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("PYENV_ROOT") or Path(environ.get("HOME") or os.path.expanduser("~")) / ".pyenv")


def _of_pyenv(environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    """Newest first."""
    found = (_pyenv(environ) / "versions").glob(f"{VERSION}*")
    for path in sorted(found, key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)], reverse=True):
        yield path / "bin" / f"python{VERSION}", "pyenv"


def _of_uv(environ: Mapping[str, str]) -> Path | None:
    """The Python that uv has or downloads; None: no uv, or it could not."""
    uv = shutil.which("uv", path=environ.get("PATH", os.defpath))
    command = [uv] if uv else [sys.executable, "-m", "uv"]
    try:
        for step in (["python", "install", "--quiet", VERSION], ["python", "find", "--no-project", VERSION]):
            done = subprocess.run(  # noqa: S603  uv, as the user has it
                [*command, *step],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=DOWNLOAD,
                check=False,
                env=dict(environ),
            )
            if done.returncode != 0:
                return None
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(done.stdout.strip())
