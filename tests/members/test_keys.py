"""Keys on disk: made from the draw alone, for this user alone, never overwritten, never shown."""

import errno
import os
import stat

import nkeys
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from potluck.core.errors import Refused, UsageError
from potluck.members import files
from potluck.members import keys as keyring
from potluck.testing.draws import seeded
from support.members.scene import keys

NAMES = {"signing.key", "box.key", "broker.nk"}


def test_keys_come_from_the_draw_alone(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        keyring.make(tmp_path / name, seeded(seed))
    bytes_of = {name: [(tmp_path / name / file).read_bytes() for file in sorted(NAMES)] for name in "abc"}
    assert bytes_of["a"] == bytes_of["b"]
    assert all(one != other for one, other in zip(bytes_of["a"], bytes_of["c"], strict=True))


def test_only_this_user_may_enter_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        keyring.make(tmp_path / "keys", seeded(1))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700
    assert {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "keys").iterdir()} == dict.fromkeys(
        NAMES, 0o600
    )


def test_keys_are_never_overwritten(tmp_path):
    made = keyring.make(tmp_path / "keys", seeded(1))
    with pytest.raises(UsageError, match="there already"):
        keyring.make(tmp_path / "keys", seeded(2))
    assert keyring.load(tmp_path / "keys").signing.public == made.signing.public


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o644, 0o610])
@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_key_that_others_can_reach_is_refused(tmp_path, name, mode):
    keyring.make(tmp_path / "keys", seeded(1))
    path = tmp_path / "keys" / name
    path.chmod(mode)
    with pytest.raises(Refused, match=f"chmod 600 '{path}'"):
        keyring.load(tmp_path / "keys")
    path.chmod(0o600)
    keyring.load(tmp_path / "keys")


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777])
def test_a_folder_that_others_can_enter_is_refused(tmp_path, mode):
    keyring.make(tmp_path / "keys", seeded(1))
    (tmp_path / "keys").chmod(mode)
    with pytest.raises(Refused, match=f"chmod 700 '{tmp_path / 'keys'}'"):
        keyring.load(tmp_path / "keys")


def test_a_key_of_another_user_is_refused(tmp_path, monkeypatch):
    keyring.make(tmp_path / "keys", seeded(1))
    if os.geteuid() == 0:
        os.chown(tmp_path / "keys" / "box.key", 12345, -1)
    else:
        monkeypatch.setattr(files.os, "geteuid", lambda: 12345)
    with pytest.raises(Refused, match="another user owns"):
        keyring.load(tmp_path / "keys")


def test_a_damaged_key_is_named_and_not_shown(tmp_path):
    keyring.make(tmp_path / "keys", seeded(1))
    for name in NAMES:
        path = tmp_path / "keys" / name
        whole = path.read_bytes()
        for broken in (b"", whole[:-6], b"?" + whole[1:]):
            path.write_bytes(broken)
            with pytest.raises(UsageError) as caught:
                keyring.load(tmp_path / "keys")
            assert whole.decode().strip()[6:20] not in str(caught.value)
            assert name in str(caught.value)
        path.write_bytes(whole)
    path.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        keyring.load(tmp_path / "keys")


def test_the_users_key_is_what_the_broker_takes():
    user = keys("a").user
    assert user.seed.expose().startswith(b"SU")
    assert user.public.startswith("U")
    signature = nkeys.from_seed(bytearray(user.seed.expose())).sign(b"nonce")
    Ed25519PublicKey.from_public_bytes(keyring.raw_user(user.public)).verify(signature, b"nonce")


def test_a_mistyped_user_key_is_refused():
    public = keys("a").user.public
    keyring.raw_user(public)
    for at in range(len(public)):
        with pytest.raises(Refused):
            keyring.raw_user(public[:at] + ("A" if public[at] != "A" else "B") + public[at + 1 :])
    for bad in ("", "U", public[:-1], public.lower(), "Ü" + public[1:]):
        with pytest.raises(Refused):
            keyring.raw_user(bad)


def test_keys_hide_themselves():
    held = keys("a")
    seed = held.user.seed.expose().decode()
    for shown in (repr(held), str(held), f"{held.user}{held.box}{held.signing}", repr(held.user.seed)):
        assert seed not in shown
        assert "hidden" in shown or "Keys()" in shown or "Secret(" in shown


def test_a_full_disk_leaves_no_keys(tmp_path, monkeypatch):
    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises((UsageError, OSError), match="No space left"):
        keyring.make(tmp_path / "keys", seeded(1))
    assert not (tmp_path / "keys" / "signing.key").exists()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "federation.toml"
    files.replace(path, b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        files.replace(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["federation.toml"]
    files.replace(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_lock_is_one_processes_and_falls_with_it(tmp_path):
    lock = tmp_path / "site.lock"
    with (
        files.locked(lock, "runs already"),
        pytest.raises(Refused, match="runs already"),
        files.locked(lock, "runs already"),
    ):
        pass
    with files.locked(lock, "runs already"):
        pass
