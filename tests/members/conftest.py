"""The command line in this process, a stand-in for the broker's room, and a small enrolled federation."""

from collections.abc import Callable
from pathlib import Path

import pytest

from potluck.api.network import members as api
from support.members.scene import Told, ca
from support.spoken import Spoken, spoken


class StandIn:
    """What enrolment asks of `net.broker`; remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.reloads = 0
        self.ca = ca()

    def prepare(self, folder, federation_id, places, users, now, *, renew=False):
        self.told.append(Told(dict(users), renew))
        return self.ca

    def reload(self, folder):
        self.reloads += 1


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """No broker's files are made."""
    stand_in = StandIn()
    monkeypatch.setattr(api, "broker", stand_in)
    monkeypatch.setattr(api, "federation_post", lambda folder: "")
    return stand_in


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Spoken]:
    """Call `potluck ARGS...`; gives exit code, stdout, stderr."""
    return lambda *arguments: spoken(capsys, *arguments)


@pytest.fixture
def enrolled(tmp_path: Path, room: StandIn) -> Path:
    """A folder with the coordinator's `hospitals` and the sites `a` and `b`, which have joined version 2."""
    import time

    now = time.time()
    api.federation_new(tmp_path / "hospitals", "tls://localhost:4222", now)
    made = [api.site_new(tmp_path / name) for name in "ab"]
    api.federation_add(tmp_path / "hospitals", [home.card for home in made], now)
    for name in "ab":
        api.site_join(tmp_path / name, tmp_path / "hospitals" / "federation.toml", now)
    return tmp_path
