"""Claims about the search for a Python: PATH, then pyenv, then our own, then uv, and only what runs."""

import os
import sys

import pytest

from potluck.core.errors import UsageError
from potluck.engines import interpreter
from support.engines.rig import fake_python


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with no Python but what a test puts there: its environment."""
    monkeypatch.setattr(interpreter.sys, "executable", "/nonexistent/python")
    (tmp_path / "bin").mkdir()
    return {"PATH": f"{tmp_path / 'shims'}:{tmp_path / 'bin'}:/usr/bin:/bin", "PYENV_ROOT": str(tmp_path / "pyenv")}


@pytest.fixture(autouse=True)
def no_real_one(monkeypatch):
    """A Python of this machine itself does not count."""
    real = interpreter._on_path
    monkeypatch.setattr(
        interpreter,
        "_on_path",
        lambda version, env: [one for one in real(version, env) if not str(one[0]).startswith(("/usr/", "/bin/"))],
    )
    monkeypatch.setattr(interpreter, "_own", lambda version: [])


def shim(tmp_path, code=127):
    """What pyenv puts on PATH for a version that is not chosen: it prints an error."""
    path = tmp_path / "shims" / "python3.12"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\necho "pyenv: python3.12: command not found" >&2\nexit {code}\n')
    path.chmod(0o755)


def uv(tmp_path, finds):
    path = tmp_path / "bin" / "uv"
    path.write_text(f'#!/bin/sh\ncase "$2" in install) exit 0;; find) echo {finds};; esac\n')
    path.chmod(0o755)


def test_path_comes_first(machine, tmp_path):
    fake_python(tmp_path / "bin" / "python3.12")
    fake_python(tmp_path / "pyenv" / "versions" / "3.12.1" / "bin" / "python3.12")
    found = interpreter.find(["3.12"], machine)
    assert (found.path, found.source, found.version) == (tmp_path / "bin" / "python3.12", "PATH", "3.12.9")


@pytest.mark.parametrize("code", [127, 0])
def test_a_shim_that_only_prints_an_error_is_passed_over(machine, tmp_path, code):
    shim(tmp_path, code)
    fake_python(tmp_path / "bin" / "python3.12")
    assert interpreter.find(["3.12"], machine).path == tmp_path / "bin" / "python3.12"


def test_pyenv_comes_next_and_its_newest_first(machine, tmp_path):
    shim(tmp_path)
    for version in ("3.12.2", "3.12.10", "3.12.9", "3.11.9"):
        fake_python(tmp_path / "pyenv" / "versions" / version / "bin" / "python3.12", version=version)
    found = interpreter.find(["3.12"], machine)
    assert (found.source, found.version) == ("pyenv", "3.12.10")


def test_uv_comes_last(machine, tmp_path):
    shim(tmp_path)
    downloaded = fake_python(tmp_path / "downloaded" / "python3.12")
    uv(tmp_path, downloaded)
    found = interpreter.find(["3.12"], machine)
    assert (found.source, found.path) == ("uv", downloaded)


@pytest.mark.parametrize("version", ["3.11.9", "3.13.0", "3.120.0", ""])
def test_another_version_under_that_name_is_passed_over(machine, tmp_path, version):
    fake_python(tmp_path / "bin" / "python3.12", version=version)
    with pytest.raises(UsageError):
        interpreter.find(["3.12"], machine)


def test_without_any_the_error_names_the_three_places_and_what_to_do(machine, tmp_path):
    shim(tmp_path)
    uv(tmp_path, "/nonexistent/python3.12")
    with pytest.raises(UsageError) as caught:
        interpreter.find(["3.12"], machine)
    words = str(caught.value)
    assert "python3.12 on PATH" in words
    assert f"{tmp_path / 'pyenv'}/versions/3.12*" in words
    assert "uv" in words
    assert "install python3.12" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_on_path_that_may_not_be_read_is_passed_over(machine, tmp_path):
    (tmp_path / "shims").mkdir(mode=0)
    fake_python(tmp_path / "bin" / "python3.12")
    assert interpreter.find(["3.12"], machine).path == tmp_path / "bin" / "python3.12"


def test_the_callers_pythonpath_has_no_say(machine, tmp_path):
    """Candidates and steps run isolated (-I); the fake answers only to that."""
    path = fake_python(tmp_path / "bin" / "python3.12")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('case "$*" in', '[ "$1" = -I ] || exit 9\ncase "$*" in'), encoding="utf-8")
    assert interpreter.find(["3.12"], machine).path == path


def test_an_engine_may_take_its_second_choice_of_python(machine, tmp_path):
    fake_python(tmp_path / "bin" / "python3.10", version="3.10.4")
    found = interpreter.find(["3.11", "3.10"], machine)
    assert (found.path, found.version) == (tmp_path / "bin" / "python3.10", "3.10.4")
    fake_python(tmp_path / "pyenv" / "versions" / "3.11.2" / "bin" / "python3.11", version="3.11.2")
    assert interpreter.find(["3.11", "3.10"], machine).source == "pyenv"


def test_without_either_the_error_names_both(machine):
    with pytest.raises(UsageError, match=r"no CPython 3\.11 or 3\.10 that runs") as caught:
        interpreter.find(["3.11", "3.10"], machine)
    assert "python3.10 on PATH" in str(caught.value)
    assert "install python3.11" in caught.value.hint


def test_the_python_that_potluck_runs_on_needs_no_path(monkeypatch):
    monkeypatch.undo()
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    (found,) = interpreter._own(mine)
    assert interpreter.runs(found[0], mine, {}) == ".".join(map(str, sys.version_info[:3]))
    assert list(interpreter._own("3.6")) == []
