"""The coordinator's home is made once; each test has a copy of its own, and an office that does what the test says."""

import shutil

import pytest

from support.console import office as offices


@pytest.fixture(scope="session")
def federation(tmp_path_factory):
    """A coordinator's home with four members."""
    return offices.found(tmp_path_factory.mktemp("coordinator"))


@pytest.fixture
def copied(federation, tmp_path):
    """The home of one test."""
    return shutil.copytree(federation.parent, tmp_path / "c") / "fed"


@pytest.fixture
def desk(copied):
    """Its pages, and what is behind them."""
    with offices.desk(copied) as one:
        yield one


@pytest.fixture
def ann(desk):
    """Who came by the printed address."""
    return desk.visitor().enter()


@pytest.fixture
def quick(monkeypatch):
    """Plans are looked at in this process: what a process of its own costs is a test of its own."""
    from potluck.console.server import rehearsal

    monkeypatch.setattr(rehearsal, "rehearse", lambda folder, collude=(): rehearsal.sheet(folder, collude))
