"""Claims about locks: every package in one version with the hashes of its files, and pip takes no other file."""

import os
import re
import socket
import subprocess
import sys
import tomllib

import pytest

from potluck.core.errors import UsageError
from potluck.engines import environment
from potluck.engines import install as making
from potluck.engines.environment import PACKAGES, locked, plain
from support.engines.wheel import wheel
from support.places import ROOT

LOCKS = {path.stem: path for path in (ROOT / "locks").glob("*.txt")}
ENGINES = {name: environment.lock_file(name) for name in PACKAGES}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)(?: ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)")
HOSTS = re.compile(r"://|[a-z0-9]\.(?:org|com|io|net)\b|--(?:extra-)?index|--find-links|@ ", re.IGNORECASE)


def wanted(line):
    """(name, [(comparison, version)]) of a requirement."""
    name, rest = re.fullmatch(r"([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?(.*)", line.replace(" ", "")).groups()
    return plain(name), [re.fullmatch(r"(>=|<|==)(.+)", one).groups() for one in rest.split(",") if one]


def number(text):
    return [int(part) for part in re.findall(r"\d+", text)]


def fits(version, said):
    compare = {">=": lambda a, b: a >= b, "<": lambda a, b: a < b, "==": lambda a, b: a == b}
    return all(compare[sign](number(version), number(least)) for sign, least in said)


def listed(file):
    return [line for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if line[0] != "#"]


def pins(path):
    return {plain(name): version for name, version, _ in PIN.findall(path.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("path", [*LOCKS.values(), *ENGINES.values()], ids=lambda path: path.stem)
def test_every_line_of_a_lock_is_a_version_with_its_hashes_and_names_no_host(path):
    text = path.read_text(encoding="utf-8")
    assert PIN.sub("", text) == ""
    assert not HOSTS.search(text)
    assert len(PIN.findall(text)) >= 1


@pytest.mark.parametrize(
    ("lock", "lines"),
    [
        ("program", PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"] + ["pip"]),
        ("dev", [line for name in ("networks", "sklearn", "sql", "yaml", "dev") for line in EXTRAS[name]]),
        ("broker", EXTRAS["broker"]),
        ("spark", EXTRAS["spark"]),
        ("bench", listed("bench/requirements.txt")),
        ("peers", listed("bench/peers.txt")),
        ("oracles", listed("tests/support/oracles.txt")),
    ],
)
def test_everything_that_is_asked_for_is_in_the_lock_in_a_version_that_fits(lock, lines):
    known = pins(LOCKS[lock])
    for line in lines:
        name, said = wanted(line)
        if name in ("torch", "potluck"):  # taken by its range; this program itself
            continue
        assert name in known, f"{line}: make lock"
        assert fits(known[name], said), f"{line}, and the lock has {known[name]}: make lock"


def test_all_locks_of_a_checkout_have_one_version_of_a_package():
    whole = pins(LOCKS["dev"])
    for name in ("program", "bench"):
        assert {one: version for one, version in pins(LOCKS[name]).items() if whole.get(one, version) != version} == {}
    assert set(pins(LOCKS["program"])) <= set(whole)


@pytest.mark.parametrize("name", PACKAGES)
def test_an_engines_lock_has_its_pins_and_more(name):
    known = locked(name)
    assert {plain(package): {version} for package, version in PACKAGES[name].items()}.items() <= known.items()


def test_torch_is_in_no_lock_and_its_range_in_the_makefile_is_that_of_the_project():
    assert not any("torch" in pins(path) for path in (*LOCKS.values(), *ENGINES.values()))
    (asked,) = [line for line in EXTRAS["networks"] if line.startswith("torch")]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    installs = re.findall(r"pip install (.*)", makefile)
    loose = [line for line in installs if "--require-hashes" not in line]
    assert f"'{asked}'" in loose[1]
    # Beside torch: this program itself, without its dependencies, and the tool that writes locks.
    assert loose[0].endswith("--no-deps --no-build-isolation -e .")
    assert loose[2].endswith(" uv")
    assert len(loose) == 3


@pytest.fixture
def index(tmp_path):
    """`install(lock)`: what the engine's own command installs, with a folder for an index; or pip's words."""
    folder, count = tmp_path / "index", iter(range(9))
    folder.mkdir()

    def install(lock, command=making.packages):
        place, file = tmp_path / f"into{next(count)}", tmp_path / "lock.txt"
        file.write_text(lock)
        environ = {
            "PATH": os.environ["PATH"],
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(folder),
            "PIP_CONFIG_FILE": os.devnull,
        }
        done = subprocess.run(
            [*command(sys.executable, file), "--target", str(place)], env=environ, capture_output=True, text=True
        )
        return sorted(one.name for one in place.glob("*.py")) if done.returncode == 0 else done.stderr

    return folder, install


def by_version(python, lock):
    """The former command: pins without hashes."""
    names = re.findall(r"^\S+==\S+", lock.read_text(), re.MULTILINE)
    return [python, "-I", "-m", "pip", "install", "--quiet", "--only-binary=:all:", *names]


def test_an_index_cannot_put_in_another_file_of_the_same_version(index):
    folder, install = index
    lock = f"tiny==1.0 --hash=sha256:{wheel(folder, 'tiny', 'honest = 1')}\n"
    assert install(lock) == ["tiny.py"]
    wheel(folder, "tiny", "import os  # whatever an attacker likes")
    assert "DO NOT MATCH THE HASHES" in install(lock)
    assert install(lock, by_version) == ["tiny.py"]  # the control: by its version alone the altered file goes in


@pytest.mark.slow
def test_an_index_cannot_add_a_package_by_what_another_needs(index):
    folder, install = index
    wheel(folder, "more", "import os  # whatever an attacker likes")
    lock = f"tiny==1.0 --hash=sha256:{wheel(folder, 'tiny', 'honest = 1', 'Requires-Dist: more')}\n"
    assert "more" in install(lock)
    assert "--require-hashes" in install(lock)
    assert install(lock, by_version) == ["more.py", "tiny.py"]  # the control


def test_a_line_without_a_hash_is_not_installed(index):
    folder, install = index
    wheel(folder, "tiny", "honest = 1")
    assert "Hashes are required" in install("tiny==1.0\n")
    lax = lambda python, lock: [one for one in making.packages(python, lock) if one != "--require-hashes"]  # noqa: E731
    assert install("tiny==1.0\n", lax) == ["tiny.py"]  # the control


@pytest.mark.slow
def test_from_a_folder_nothing_is_asked_of_an_index_that_settings_name(tmp_path):
    folder, lock = tmp_path / "wheels", tmp_path / "lock.txt"
    folder.mkdir()
    lock.write_text(f"tiny==1.0 --hash=sha256:{wheel(folder, 'tiny', 'honest = 1')}\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        asks = {"PATH": os.environ["PATH"], "PIP_INDEX_URL": f"http://127.0.0.1:{listener.getsockname()[1]}/simple"}
        command = [*making.packages(sys.executable, lock), "--target", str(tmp_path / "into")]
        subprocess.run([*command, *making.only(folder)], env=asks, check=True)
        with pytest.raises(BlockingIOError):
            listener.accept()
        listener.settimeout(60)
        with subprocess.Popen(command, env=asks, stderr=subprocess.DEVNULL) as child:
            listener.accept()[0].close()  # the control
            child.kill()


def test_the_installed_engines_are_what_the_locks_say(request):
    for name in PACKAGES:
        real = request.getfixturevalue(f"{name}_engine")
        making.checked(name, real.folder)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ("openfhe==1.6.1.0.24.4\nnumpy==2.5.4", "has numpy 2.5.4 where the lock has 2.5.5"),
        ("openfhe==1.6.1.0.24.4", "has numpy missing where the lock has 2.5.5"),
        ("openfhe==1.6.1.0.24.4\nnumpy==2.5.5\nevil==6.6", "has evil 6.6 where the lock has none"),
    ],
)
def test_an_environment_with_other_packages_than_the_lock_does_not_work(tmp_path, there, said):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\ncat <<END\npip==1\n{there}\nEND\n")
    python.chmod(0o755)
    with pytest.raises(UsageError, match=re.escape(said)):
        making._compare("he", python)
