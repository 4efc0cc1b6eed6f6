"""Frozen weights in a party's folder: found by their hash, whatever else lies there, and hashed once."""

import os

import numpy as np
import pytest

from potluck.core.errors import GraphError
from potluck.core.slices import digest_of
from potluck.learning.graph import bases
from potluck.learning.graph.bases import base_in
from potluck.learning.graph.tensors import packed

HELD = packed({"w": np.arange(6, dtype=np.float32).reshape(2, 3)})
OTHER = packed({"w": np.ones((2, 3), np.float32)})


@pytest.fixture(autouse=True)
def read(monkeypatch):
    """How many bytes were hashed to find a base."""
    counted, of = [], bases.hashlib.sha256

    class Counted:
        def __init__(self):
            self.inner = of()

        def update(self, part):
            counted.append(len(part))
            self.inner.update(part)

        def hexdigest(self):
            return self.inner.hexdigest()

    monkeypatch.setattr(bases, "hashlib", type("hashlib", (), {"sha256": Counted}))
    monkeypatch.setattr(bases, "_HASHED", {})
    return counted


def test_a_folder_is_hashed_once_however_often_a_base_is_asked_for_that_is_not_there(tmp_path, read):
    for number in range(3):
        (tmp_path / f"{number}.safetensors").write_bytes(OTHER + bytes(number))
    for _ in range(5):
        assert base_in(tmp_path, digest_of(HELD)) is None
    assert sum(read) == 3 * len(OTHER) + 3


def test_a_file_that_changed_is_hashed_again(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(OTHER)
    assert base_in(tmp_path, digest_of(HELD)) is None
    assert len(HELD) == len(OTHER)
    path.write_bytes(HELD)
    os.utime(path, ns=(1, 1))  # whatever the clock of the disk says
    assert base_in(tmp_path, digest_of(HELD))["w"].tolist() == [[0, 1, 2], [3, 4, 5]]
    path.write_bytes(OTHER)
    os.utime(path, ns=(2, 2))
    assert base_in(tmp_path, digest_of(HELD)) is None


def test_a_hash_that_is_remembered_wrongly_lets_no_other_base_in(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(OTHER)
    bases._HASHED[bases._identity(path.stat())] = digest_of(HELD)
    assert base_in(tmp_path, digest_of(HELD)) is None


def test_what_is_no_file_is_passed_over(tmp_path):
    (tmp_path / "a.safetensors").mkdir()
    os.mkfifo(tmp_path / "b.safetensors")
    (tmp_path / "c.safetensors").symlink_to(tmp_path / "nowhere")
    (tmp_path / "d.safetensors").symlink_to(tmp_path / "d.safetensors")
    (tmp_path / "e.safetensors").write_bytes(HELD)
    assert set(base_in(tmp_path, digest_of(HELD))) == {"w"}


def test_what_has_the_hash_and_is_no_base_is_refused(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(b"no tensors")
    with pytest.raises(GraphError):
        base_in(tmp_path, digest_of(b"no tensors"))
