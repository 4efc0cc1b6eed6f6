"""A rig without a federation: `up` makes one of its own."""

import pytest

from support.processes.rig import Rig, need_broker


@pytest.fixture
def rig(tmp_path):
    """A place for a plan and the files that it names; nothing started."""
    need_broker()
    made = Rig(tmp_path / "f", {})
    made.rooms()
    yield made
    made.close()
    made.leaves_nothing()
