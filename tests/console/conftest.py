"""Homes are made once; each test has a copy of its own."""

import shutil

import pytest
from nacl.pwhash import argon2id

from potluck.members import passwords
from support.console import home as homes


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """(a federation's folder, in which site `a` asks one person for each run; the hash of a plan that waits there)."""
    home = homes.found(tmp_path_factory.mktemp("console"))
    return home.parent, homes.ask(home)


@pytest.fixture
def home(made, tmp_path):
    """Site `a`'s home, where run r1 waits."""
    return shutil.copytree(made[0], tmp_path / "f") / "a"


@pytest.fixture
def plan(made):
    """The hash of the plan that waits."""
    return made[1]


@pytest.fixture
def ann(home):
    """Who came by the printed address."""
    return homes.Visitor(home).enter()


@pytest.fixture(scope="session")
def standing(made, tmp_path_factory):
    """(home, visitor who is signed in, plan that waits) of tests that change nothing there: their attacks fail."""
    home = shutil.copytree(made[0], tmp_path_factory.mktemp("standing") / "f") / "a"
    return home, homes.Visitor(home).enter(), made[1]


@pytest.fixture
def cheap(monkeypatch):
    """Digests that cost little; what they cost is a test of its own."""
    monkeypatch.setattr(argon2id, "OPSLIMIT_INTERACTIVE", argon2id.OPSLIMIT_MIN)
    monkeypatch.setattr(argon2id, "MEMLIMIT_INTERACTIVE", argon2id.MEMLIMIT_MIN)
    passwords._nobody.cache_clear()
    yield
    passwords._nobody.cache_clear()
