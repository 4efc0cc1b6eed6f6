"""The broker's own owner in the middle of TLS: it can stop a run, and cannot change what comes out of one."""

import random
import re
import threading

import pytest

from potluck.core.party import SERVER, site
from potluck.net import broker
from potluck.net.address import token
from potluck.net.pieces import HEADER
from support.ports import free_port
from support.processes.hospitals import NAMES, federation, plan, reference
from support.processes.middle import Middle, renamed
from support.processes.rig import BROKER, need_broker, wait_for

TOKENS = {token(party): party.name for party in (SERVER, *map(site, NAMES))}
AT = HEADER.size


class Enemy:
    """What it does to the messages that carry letters of rounds; counted."""

    def __init__(self, act) -> None:
        self.act, self.applied = act, 0
        self.rng = random.Random(5)
        self.seen: list[tuple[str, bytes]] = []
        self.lock = threading.Lock()

    def __call__(self, subject: str, payload: bytes) -> list[bytes]:
        with self.lock:
            out = [payload]
            if b"mask/" in payload[:400]:
                out = self.act(self, subject, payload)
            self.applied += out != [payload]
            self.seen.append((subject, payload))
            return out


def spoilt(payload: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(AT, len(payload))
    return payload[:place] + bytes([payload[place] ^ 1 << rng.randrange(8)]) + payload[place + 1 :]


def repeats(it: Enemy, subject: str, payload: bytes) -> list[bytes]:
    return [payload, payload, renamed(payload), renamed(payload)]


def adds_spoilt(it: Enemy, subject: str, payload: bytes) -> list[bytes]:
    return [*(renamed(spoilt(payload, it.rng)) for _ in range(4)), payload]


def adds_others(it: Enemy, subject: str, payload: bytes) -> list[bytes]:
    """Letters to others, of others, of earlier rounds."""
    old = [renamed(one) for _, one in it.rng.sample(it.seen, min(6, len(it.seen)))]
    return [*old, payload]


def loses(it: Enemy, subject: str, payload: bytes) -> list[bytes]:
    return [] if it.rng.random() < 0.05 else [payload]


def spoils(it: Enemy, subject: str, payload: bytes) -> list[bytes]:
    return [spoilt(payload, it.rng)] if it.rng.random() < 0.05 else [payload]


def swaps(it: Enemy, subject: str, payload: bytes) -> list[bytes]:
    """Instead of a letter another one, of another sender or to another receiver."""
    return [renamed(it.rng.choice(it.seen)[1])] if it.rng.random() < 0.05 and it.seen else [payload]


@pytest.fixture(scope="module")
def trapped(tmp_path_factory):
    """A federation whose broker listens elsewhere, and the enemy where it should."""
    need_broker()
    rig = federation(tmp_path_factory.mktemp("middle") / "f")
    conf = rig.fed / "broker" / "nats.conf"
    [public] = re.findall(r'listen: "127.0.0.1:(\d+)"', conf.read_text())
    real = free_port()
    conf.write_text(conf.read_text().replace(f"127.0.0.1:{public}", f"127.0.0.1:{real}"))
    assert broker.listens(rig.fed)[1] == real
    try:
        rig.start(BROKER)
        with Middle(rig.fed / "broker", int(public), real, lambda subject, payload: [payload]) as middle:
            rig.start(*NAMES)
            yield rig, middle
            rig.close()
    finally:
        rig.close()
    rig.leaves_nothing()


def run(trapped, act, patience: float):
    rig, middle = trapped
    enemy = middle.tamper = Enemy(act)
    of = plan(patience=patience)
    name = f"{act.__name__}-{rig.starts}"
    try:
        ended = rig.serve(rig.plan(of, name), "--out", rig.folder / "runs" / name, "--fresh", wait=10).end(90)
    finally:
        middle.tamper = lambda subject, payload: [payload]
    wait_for(lambda: enemy.applied > 0, 1, "the control: the attack took place")
    return ended, of, rig.rounds(rig.runs()[0])


@pytest.mark.parametrize(
    "act",
    [pytest.param(one, marks=pytest.mark.slow) for one in (repeats, adds_spoilt, adds_others)],  # in memory by default
    ids=lambda act: act.__name__,
)
def test_what_the_broker_adds_cannot_matter(trapped, act):
    ended, of, _ = run(trapped, act, 20.0)
    assert ended.document["model"]["digest"] == reference(of).digest()


@pytest.mark.parametrize(
    "act",
    [pytest.param(one, marks=pytest.mark.slow) for one in (loses, spoils, swaps)],  # in memory by default
    ids=lambda act: act.__name__,
)
def test_what_the_broker_takes_away_cannot_change_a_model(trapped, act):
    ended, of, rounds = run(trapped, act, 2.0)
    if ended.code == 0:
        givers = [one["givers"] for one in rounds if one["opened"]]
        assert ended.document["model"]["digest"] == reference(of, givers).digest()
    else:
        assert ended.code in (3, 4), ended.words
        assert ended.out == ""
        assert re.search("Abort: |Refused: |Unreachable: ", ended.words), ended.words
    print(act.__name__, ended.code, ended.words.strip().splitlines()[-1:])
