"""What tests of owners' rows share: engines that take a while to start."""

import pytest

from support.owner import postgres as postgresql
from support.owner import spark as sparks


@pytest.fixture(scope="session")
def database():
    """The port of an empty PostgreSQL."""
    if why := postgresql.missing():
        pytest.skip(why)
    with postgresql.server() as port:
        yield port


@pytest.fixture(scope="session")
def spark():
    """A session of Spark on this machine."""
    if why := sparks.missing():
        pytest.skip(why)
    with sparks.running() as session:
        yield session
