"""Engines that rounds of several files share."""

import pytest

from potluck.engines.worker import Worker
from potluck.mpc.spu import Spu
from support.mpc.share_rig import end
from support.mpc.spu_rig import ring


@pytest.fixture(scope="session")
def engines(mpc_engine):
    """Engines of three who compute, by party: made and linked by the first round, and again after `end`."""
    made = {}
    yield made
    end(made)


@pytest.fixture(scope="session")
def aby3(mpc_engine):
    """Three linked engines, by rank."""
    with ring("ABY3") as found:
        yield found


@pytest.fixture(scope="session")
def cheetah(mpc_engine):
    """Two linked engines, by rank."""
    with ring("CHEETAH") as found:
        yield found


@pytest.fixture(scope="session")
def compiler(mpc_engine):
    """An engine that is linked to nobody."""
    engine = Spu(Worker("mpc"))
    yield engine
    engine.close()


@pytest.fixture(params=["ABY3", "CHEETAH"])
def protocol(request):
    """A protocol and its linked engines."""
    return request.param, request.getfixturevalue(request.param.lower())
