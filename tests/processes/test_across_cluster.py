"""A broker of three nodes and a copied coordinator: a run goes on whichever of them dies, and ends as undisturbed.

Real processes on loopback: three nodes, four sites, one server. Each death is at a chosen letter.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import nats.errors
import pytest

from potluck.api.machine.backup import server_backup, server_restore
from potluck.members.home import CoordinatorHome
from potluck.net import broker
from potluck.net.address import stream
from potluck.net.session import Account, connect
from potluck.net.topology import ApiError, api
from potluck.parties.runners.journal import LOST
from support.ports import free_port
from support.processes.hospitals import NAMES, NONE, frames, plan, reference
from support.processes.kills import BOUND, STARTED
from support.processes.rig import BROKER, SERVER, Rig, Trap, need_broker, wait_for

NODES = (1, 2, 3)
ROUNDS = 6
PATIENCE = 60.0
"""Seconds of a step: an election takes ten on a quiet machine."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One federation for all deaths."""
    need_broker()
    made = Rig(tmp_path_factory.mktemp("cluster") / "f", frames())
    made.found(*(free_port(broker.BETWEEN) for _ in NODES))
    try:
        yield made
    finally:
        made.close()
    made.leaves_nothing()


@pytest.fixture
def rig(shared):
    """All nodes and sites run, and no server."""
    home = shared.folder / "fed"
    for node in NODES:  # the wrapper around one that was killed ends by itself
        name = f"{BROKER}-{node}"
        if name in shared.children:
            child = shared.children[name]
            wait_for(lambda child=child, node=node: not child.alive() or broker.answers(home, node), 60, name)
        shared.start(name)
    shared.start(*NAMES)
    yield shared
    shared.disarm()
    if SERVER in shared.children:
        shared.children[SERVER].stop()


def begun(rig, word, *, dies, step, moment="on receipt", number=3):
    """A run whose server, or a node ("leader": of the queue), dies at this letter. Gives plan, file, folder, node."""
    of = plan(word, NONE, patience=PATIENCE, rounds=ROUNDS)
    name = f"cluster-{rig.starts}"
    path, out = rig.plan(of, name), rig.folder / "runs" / name
    rig.serve(path, "--out", out, wait=STARTED)
    node = leader(rig)
    rig.trap(SERVER, Trap(moment, step, number, "bert", pid_file(rig, node) if dies == "leader" else ""))
    return of, path, out, node


def ended(rig, of):
    """The run's document: the sum is that of all sites, bit for bit."""
    done = rig.children[SERVER].end(BOUND).document
    givers = [one["givers"] for one in rig.rounds(rig.runs()[0]) if one["opened"]]
    assert len(givers) == ROUNDS + 1
    assert done["model"]["digest"] == reference(of, givers).digest()
    return done


def pid_file(rig, node):
    return str(rig.folder / "fed" / "broker" / f"node-{node}" / "nats.pid")


def kill(rig, node):
    os.kill(int(Path(pid_file(rig, node)).read_text()), signal.SIGKILL)


def leader(rig):
    """The node that leads the queue, once there is one."""
    member = CoordinatorHome.at(rig.fed).open(time.time())
    it = member.federation
    account = Account(it.id, member.me, it.broker, it.ca, member.keys.user.seed)

    async def led():
        session = await connect(account)
        try:
            while True:
                with contextlib.suppress(ApiError, nats.errors.Error):  # not made yet, or nobody leads
                    found = await api(session, f"STREAM.INFO.{stream(it.id)}")
                    if name := found.get("cluster", {}).get("leader"):
                        return int(name.rpartition("_")[2])
                await asyncio.sleep(0.1)
        finally:
            await session.end()

    return asyncio.run(asyncio.wait_for(led(), STARTED))


@pytest.mark.parametrize(("word", "step"), [("mask", "mask/input"), ("clear", "clear/input")])
def test_the_node_that_leads_the_queue_dies_and_the_run_goes_on_by_itself(rig, word, step):
    of, _, _, node = begun(rig, word, dies="leader", step=step)
    wait_for(lambda: rig.sprung(SERVER), STARTED, "the node dies")
    ended(rig, of)
    assert rig.children[f"{BROKER}-{node}"].process.wait(60) == 4


def test_a_server_that_was_put_back_elsewhere_from_a_copy_ends_the_run_as_if_undisturbed(rig):
    of, path, out, _ = begun(rig, "mask", dies="server", step="mask/unmask", number=2)
    assert rig.children[SERVER].process.wait(STARTED) == -9
    copy = rig.folder / "runs" / f"copy-{rig.starts}"
    server_backup(rig.fed, copy)
    rig.trap(SERVER, Trap("on receipt", "mask/input", 6, "bert", ""))
    rig.serve(path, "--out", out, wait=STARTED)
    assert rig.children[SERVER].process.wait(STARTED) == -9
    before = {one["number"] for one in rig.rounds(rig.runs()[0])}
    for gone in ("keys", "runs", "federation.toml"):  # that machine is gone; the broker's nodes are not
        victim = rig.fed / gone
        shutil.rmtree(victim) if victim.is_dir() else victim.unlink()
    rig.fed_name = f"fed-{rig.starts}"
    server_restore(copy, rig.fed)
    rig.serve(path, "--out", out, wait=STARTED)
    ended(rig, of)
    rounds = rig.rounds(rig.runs()[0])
    lost = {one["number"] for one in rounds if one["step"] == -1}
    assert lost  # the control: the copy was behind
    assert lost <= before
    opened = [one["number"] for one in rounds if one["opened"]]
    for name in NAMES:  # who gave to a round gave once, and none was opened under a number that was used before
        charged = rig.charged(name, rig.runs()[0])
        assert len(charged) == len(set(charged))
    assert not lost & set(opened)
    assert any(LOST in cause for causes in [rig.causes(rig.runs()[0])] for cause in causes)


def test_server_and_node_die_together(rig):
    of, path, out, _ = begun(rig, "mask", dies="leader", step="mask/share")
    wait_for(lambda: rig.sprung(SERVER), STARTED, "the node dies")
    rig.children[SERVER].stop(signal.SIGKILL)
    rig.serve(path, "--out", out, wait=STARTED)
    ended(rig, of)


def test_with_two_nodes_dead_the_run_waits_and_goes_on_when_one_is_back(rig):
    of, _, _, node = begun(rig, "mask", dies="leader", step="mask/relay", moment="before send")
    wait_for(lambda: rig.sprung(SERVER), STARTED, "the node dies")
    other, last = [one for one in NODES if one != node]
    kill(rig, other)
    log = rig.folder / "fed" / "broker" / f"node-{last}" / "nats.log"
    wait_for(lambda: "quorum" in log.read_text().lower(), STARTED, "the last node says that it is alone")
    assert rig.children[SERVER].alive()
    rig.children[f"{BROKER}-{node}"].process.wait(60)
    rig.start(f"{BROKER}-{node}")
    ended(rig, of)
