"""A federation whose homes are made once a file, and a copy of it for each test; a model that an earlier run left."""

import pytest

import potluck
from support.parties import across, scene
from support.parties.across import Across


@pytest.fixture(scope="module")
def founded(tmp_path_factory):
    return across.found(tmp_path_factory.mktemp("federation"))


@pytest.fixture
def fed(founded, tmp_path):
    return Across(across.copy(founded, tmp_path / "f"))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("earlier")
    potluck.run(scene.plan(), scene.frames(), out=folder / "run", ledger=folder / "ledger")
    return folder / "run" / "model.json"
