"""Engines that rounds of several files share."""

import pytest

from support.mpc.share_rig import end


@pytest.fixture(scope="session")
def engines(mpc_engine):
    """Engines of three who compute, by party: made and linked by the first round, and again after `end`."""
    made = {}
    yield made
    end(made)
