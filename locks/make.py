"""Write the lock files: every package that an installation takes, in one version, with the hashes of its files.

`make lock` runs it. What is asked for stands elsewhere: in pyproject.toml, in bench/, in tests/support and, for the
engines, in `potluck.engines.environment`. A version that a lock has already is kept where it still fits;
`--upgrade` takes the newest.

torch is in no lock: machines without a graphics card take a build of it whose files have other hashes. It is installed
by its range after the lock, which has what it needs on every machine.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from potluck.engines.environment import PACKAGES, PYTHONS, lock_file

ROOT = Path(__file__).parents[1]
LOCKS = ROOT / "locks"
UNLOCKED = ("torch",)
OF_TORCH = ("filelock", "fsspec", "jinja2", "networkx", "sympy", "typing-extensions")
"""What torch needs on every machine."""
TOOLS = ("pip",)
"""What installs the rest."""
EXTRAS = ("networks", "sklearn", "onnx", "plot", "sql", "yaml", "site", "dev")
"""Extras of a checkout. `broker` and `spark` have locks of their own: for machines that lack the program, and for
`make test-all`."""
PROJECT = """\
[project]
name = "engine"
version = "0"
requires-python = "{python}"
dependencies = {packages}
[tool.uv]
environments = ["{machines}"]
"""
"""An engine as a project, so that its lock need not fit machines for which it has no packages."""


def main(words: Sequence[str]) -> None:
    """words: the path of uv, then perhaps --upgrade."""
    uv = [
        str(Path(words[0]).absolute()),
        "pip",
        "compile",
        "--quiet",
        "--universal",
        "--generate-hashes",
        "--no-header",
        "--no-annotate",
    ]
    uv += ["--no-python-downloads", *words[1:]]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    program = [*TOOLS, *project["build-system"]["requires"], *project["project"]["dependencies"]]
    extras: dict[str, list[str]] = project["project"]["optional-dependencies"]
    dev = [*program, *OF_TORCH, *(line for name in EXTRAS for line in _others(extras[name]))]
    oldest = [*uv, "--python-version", project["project"]["requires-python"].removeprefix(">=")]
    _write(oldest, LOCKS / "dev.txt", dev)
    alike = [*oldest, "--constraint", str(LOCKS / "dev.txt")]
    _write(alike, LOCKS / "program.txt", program)
    _write(alike, LOCKS / "broker.txt", extras["broker"])
    _write(alike, LOCKS / "spark.txt", extras["spark"])
    _write(alike, LOCKS / "bench.txt", _lines(ROOT / "bench/requirements.txt"))
    _write([*oldest, "--no-deps"], LOCKS / "peers.txt", _lines(ROOT / "bench/peers.txt"))
    _write([*oldest, "--no-deps"], LOCKS / "oracles.txt", _lines(ROOT / "tests/support/oracles.txt"))
    for name in PACKAGES:
        _engine(uv, name)


def _write(command: Sequence[str], path: Path, wanted: Sequence[str]) -> None:
    subprocess.run([*command, "--output-file", str(path), "-"], input="\n".join(wanted), text=True, check=True)  # noqa: S603
    print(path.relative_to(ROOT))


def _engine(uv: Sequence[str], name: str) -> None:
    versions = sorted(PYTHONS[name], key=lambda text: [int(part) for part in text.split(".")])
    major, minor = versions[-1].split(".")
    after = f"{major}.{int(minor) + 1}"
    machines = f"python_version < '{after}' and sys_platform == 'linux' and platform_machine == 'x86_64'"
    packages = [f"{package}=={version}" for package, version in PACKAGES[name].items()]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pyproject.toml"
        file.write_text(PROJECT.format(python=f">={versions[0]},<{after}", packages=packages, machines=machines))
        more = ["--python-version", versions[0], "--only-binary", ":all:", "--output-file", str(lock_file(name))]
        subprocess.run([*uv, *more, file.name], check=True, cwd=folder)  # noqa: S603  uv looks there for its table
    print(lock_file(name).relative_to(ROOT))


def _others(lines: Sequence[str]) -> Iterator[str]:
    """What an extra asks for, but for this program's own extras and for what no lock holds."""
    return (line for line in lines if _name(line) not in (*UNLOCKED, "potluck"))


def _name(line: str) -> str:
    return re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0].lower()


def _lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


if __name__ == "__main__":
    main(sys.argv[1:])
