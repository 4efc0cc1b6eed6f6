"""Programs that stand in for an engine: workers without OpenFHE, workers with operations of a test, a fake Python."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import potluck
from potluck.engines.environment import PACKAGES, lock_file

ROOT = str(Path(potluck.__file__).parents[1])
SPEAK = f"""
import os, sys, time
sys.path.append({ROOT!r})
from potluck.engines.frames import ERROR, REPLY, pack
from potluck.engines.frames import read as frame
HEAD, ONE = b"PLE1\\x02\\x00" + bytes(8), (1).to_bytes(4, "little")
def send(kind, name, number, *buffers):
    for piece in pack(kind, name, number, buffers):
        while piece:
            piece = piece[os.write(1, piece):]
def take(wanted):
    got = b""
    while len(got) < wanted:
        piece = os.read(0, wanted - len(got))
        if not piece:
            os._exit(0)
        got += piece
    return got
def read():
    return frame(take)
def ready():
    send(REPLY, "ready", 0, b"python 3.12.0", b"openfhe 0", b"numpy 0")
"""
SERVE = f"""
import sys
sys.path.append({ROOT!r})
import ctypes, json, os, resource, signal, socket, stat, subprocess, time
import numpy
from potluck.engines.frames import OpError
from potluck.engines.openfhe.serve import main
"""
ECHO = """
ready()
while True:
    request = read()
    send(REPLY, request.name, request.number, *request.buffers)
"""


def stub(body: str) -> list[str]:
    """A worker in this Python that does what `body` says; it needs no engine and is not contained."""
    return [sys.executable, "-I", "-B", "-c", SPEAK + body]


def until(true: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until it is true; False: it never was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def gone(pid: int) -> bool:
    """Whether no process has this id any more, or only its entry waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def fake_python(path: Path, pip: str = "exit 0", version: str = "3.12.9") -> Path:
    """A Python that makes an environment of itself, whose pip runs `pip` (shell) and whose worker only echoes."""
    worker = path.parent / "worker.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = SPEAK.replace("openfhe 0", f"openfhe {PACKAGES['he']['openfhe']}").replace(', b"numpy 0"', "")
    worker.write_text(said + ECHO, encoding="utf-8")
    path.write_text(
        f"""#!/bin/sh
case "$*" in
  *"-m venv "*) for folder; do :; done; mkdir -p "$folder/bin" && cp "$0" "$folder/bin/python";;
  *"-m pip "*) {pip};;
  *.serve*import*main*) exec {sys.executable} -I -B {worker};;
  *"print('python"*) echo python {version};;
  *importlib.metadata*) case "$0" in *mpc*) cat {lock_file("mpc")};; *) cat {lock_file("he")};; esac;;
esac
""",
        encoding="utf-8",
    )
    path.chmod(0o755)
    return path
