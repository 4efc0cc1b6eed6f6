"""What attacks on the pages share."""

import pytest
from nacl.pwhash import argon2id

from potluck.members import passwords


@pytest.fixture
def cheap(monkeypatch):
    """Digests that cost little; what they cost is a test of its own."""
    monkeypatch.setattr(argon2id, "OPSLIMIT_INTERACTIVE", argon2id.OPSLIMIT_MIN)
    monkeypatch.setattr(argon2id, "MEMLIMIT_INTERACTIVE", argon2id.MEMLIMIT_MIN)
    passwords._nobody.cache_clear()
    yield
    passwords._nobody.cache_clear()
