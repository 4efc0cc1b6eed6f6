from functools import partial

import pytest

import potluck
from potluck.audits.trial import trials
from support.audits.recorded import frames, plan


@pytest.fixture(scope="session")
def one_row(tmp_path_factory):
    """A network over one row a site, in the clear: (folder, plan, rows)."""
    spec, rows = plan(), frames(1)
    return potluck.run(spec, rows, out=tmp_path_factory.mktemp("audit") / "run", record=True).folder, spec, rows


@pytest.fixture(scope="session")
def masked(tmp_path_factory):
    """The same under masks."""
    spec, rows = plan("mask"), frames(1)
    return potluck.run(spec, rows, out=tmp_path_factory.mktemp("audit") / "run", record=True).folder, spec, rows


@pytest.fixture
def only(monkeypatch):
    """Of the table of attacks these alone, where a test asks for no other."""

    def table(*attacks):
        monkeypatch.setattr("potluck.api.proof.attack.trials", partial(trials, table=attacks))

    return table
