"""Secrets that a party makes where it has none: a site's key for its ties, an owner's secret of a run."""

import os
import stat

import pytest

from potluck.core.errors import Refused, UsageError
from potluck.members import files
from potluck.owner.run_secrets import RunSecrets
from potluck.tasks.tie import key_of
from potluck.testing.draws import seeded


def tie(folder):
    folder.mkdir(mode=0o700, exist_ok=True)
    return key_of(folder / "rows.key", seeded(1))


def run(folder):
    return RunSecrets(folder).of("a-run", seeded(1))


SECRETS = {"rows.key": tie, "a-run.secret": run}


@pytest.fixture(params=SECRETS)
def made(request, tmp_path):
    """(what gives the secret, its file)"""
    folder = tmp_path / "home"

    def give():
        return SECRETS[request.param](folder)

    give()
    return give, folder / request.param


def test_it_is_made_once_for_this_user_alone(made):
    give, path = made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert give().expose() == give().expose() == path.read_bytes() == seeded(1)(32)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_secret_that_others_can_read_is_refused(made, mode, monkeypatch):
    give, path = made
    path.chmod(mode)
    with pytest.raises(Refused, match=f"chmod 600 '{path}'"):
        give()
    monkeypatch.setattr(files, "owned", lambda *of: None)
    assert give().expose() == path.read_bytes()  # the control: unchecked, it is used


def test_a_secret_in_a_folder_that_others_can_enter_is_refused(made):
    give, path = made
    path.parent.chmod(0o755)
    with pytest.raises(Refused, match="chmod 700"):
        give()


@pytest.mark.parametrize("left", [b"", b"x" * 31, b"x" * 33])
def test_what_a_crash_or_an_editor_left_of_a_secret_is_no_secret(made, left):
    give, path = made
    path.write_bytes(left)
    with pytest.raises(UsageError, match="is no secret of 32 bytes"):
        give()


def test_a_crash_while_it_is_made_leaves_none(made, monkeypatch):
    """A file that was made and not yet written would be an empty key from then on, which anybody knows."""
    give, path = made
    path.unlink()

    class Killed(BaseException):
        pass

    def killed(handle):
        raise Killed

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(Killed):
        give()
    assert not path.exists()
    monkeypatch.undo()
    assert len(give()) == 32
