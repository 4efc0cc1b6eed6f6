"""Engines that rounds of several files share."""

import pytest


@pytest.fixture(scope="session")
def workers(he_engine):
    """Engines, one a party, made by the first round that needs them."""
    made = {}
    yield made
    for worker in made.values():
        worker.close()
