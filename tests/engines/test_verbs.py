"""Claims about `potluck engine`: what it prints, and with which exit code it ends."""

import json

import pytest

from potluck.cli import potluck as group
from potluck.cli.door import run
from potluck.engines.environment import title
from support.engines.rig import fake_python
from support.places import ROOT

DOCS = ROOT / "docs" / "reference" / "json.md"


@pytest.fixture
def verb(tmp_path, monkeypatch, capsys):
    """Run `potluck engine ...` on a machine whose Pythons are fakes; gives exit code, stdout and stderr."""
    fake_python(tmp_path / "bin" / "python3.12")
    fake_python(tmp_path / "bin" / "python3.11", version="3.11.9")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("POTLUCK_ENGINES", str(tmp_path / "engines"))

    def ask(*words):
        capsys.readouterr()
        code = run(group, ["engine", *words])
        return code, *capsys.readouterr()

    return ask


def test_status_of_all_tells_what_is_missing_and_how_to_get_it(verb):
    code, out, err = verb("status")
    assert (code, err) == (0, "")
    assert "he: the engine he is not installed (potluck engine install he)" in out
    assert "mpc: the engine mpc is not installed (potluck engine install mpc)" in out


def test_status_of_one_that_is_not_installed_fails_and_says_what_to_type(verb):
    for words in (("status", "he"), ("status", "he", "--json")):
        assert verb(*words) == (
            2,
            "",
            "NotInstalled: the engine he is not installed. hint: potluck engine install he\n",
        )


def test_install_then_status(verb, tmp_path):
    code, out, err = verb("install", "he")
    assert code == 0
    assert out.startswith("he: works\n")
    assert "Python 3.12.9 from PATH" in err
    code, out, _ = verb("status", "he", "--json")
    (name, state), *others = json.loads(out)["engines"].items()
    assert (code, name, others) == (0, "he", [])
    assert state["installed"] is state["works"] is True
    assert (state["source"], state["problem"]) == ("PATH", None)
    assert state["folder"] == str(tmp_path / "engines" / title("he"))


def test_install_without_a_name_installs_all_of_this_version_quietly(verb):
    code, out, err = verb("install", "-q", "--json")
    assert (code, err) == (0, "")
    assert list(json.loads(out)["engines"]) == ["he", "mpc"]


def test_download_lists_the_files_that_are_to_be_carried_over(verb, tmp_path, monkeypatch):
    fake_python(tmp_path / "bin" / "python3.12", 'for folder; do :; done; touch "$folder/openfhe-1.whl"')
    code, out, err = verb("download", "he", "-o", "carried")
    assert (code, out.splitlines()) == (0, ["carried/openfhe-1.whl"])
    assert "Python 3.12.9 from PATH" in err
    said = json.loads(verb("download", "he", "-o", "carried", "--json")[1])
    assert said == {"folder": "carried", "files": ["openfhe-1.whl"]}
    assert verb("install", "he", "--from", "carried")[0] == 0
    assert verb("install", "he", "--from", "nowhere")[0] == 2


def test_a_broken_engine_is_told_by_status_and_made_anew_by_install(verb, tmp_path):
    verb("install", "he")
    (tmp_path / "engines" / title("he") / "bin" / "python").write_text("#!/bin/sh\nexit 9\n")
    code, out, err = verb("status", "he")
    assert (code, out) == (2, "")
    assert "the engine he fails its self-test (ended with code 9)" in err
    assert "potluck engine install he" in err
    code, out, _ = verb("status", "--json")
    state = json.loads(out)["engines"]["he"]
    assert (code, state["installed"], state["works"]) == (0, True, False)
    assert "ended with code 9" in state["problem"]
    assert verb("install", "he")[0] == 0
    assert verb("status", "he")[0] == 0


@pytest.mark.parametrize("word", ["install", "status"])
@pytest.mark.parametrize("name", ["openfhe", "spu"])
def test_an_engine_that_is_not_in_this_version_is_refused_by_name(verb, word, name):
    code, out, err = verb(word, name)
    assert (code, out) == (2, "")
    assert name in err
    assert "engines: he, mpc" in err


def test_a_machine_without_python_3_12_is_told_where_it_was_looked_for(verb, tmp_path, monkeypatch):
    fake_python(tmp_path / "bin" / "python3.12", version="3.11.0")
    monkeypatch.setattr("potluck.engines.interpreter._on_path", lambda version, environ: [])
    monkeypatch.setattr("potluck.engines.interpreter._of_uv", lambda version, environ, fetch: None)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    code, out, err = verb("install", "he")
    assert (code, out) == (2, "")
    assert "python3.12 on PATH" in err
    assert "pyenv/versions/3.12*" in err
    assert "uv" in err


def test_every_key_is_documented(verb):
    section = DOCS.read_text(encoding="utf-8").split("\n## engine\n")[1].split("\n## ")[0]
    verb("install")
    for words in (("install", "--json"), ("status", "--json")):
        for state in json.loads(verb(*words)[1])["engines"].values():
            assert [key for key in state if f"`{key}`" not in section] == []


@pytest.mark.parametrize("name", ["he", "mpc"])
def test_the_real_one_works(name, request, capsys):
    real = request.getfixturevalue(f"{name}_engine")
    assert run(group, ["engine", "status", name, "--json"]) == 0
    state = json.loads(capsys.readouterr().out)["engines"][name]
    assert state["folder"] == str(real.folder)
    assert state["works"] is True
