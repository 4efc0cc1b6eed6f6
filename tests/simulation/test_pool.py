"""Processes that work for one: what they answer, what they refuse, and that none is left."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from potluck.core.errors import GraphError, UsageError
from potluck.core.rounds import Abort, Cause
from potluck.simulation.memory import bounded, bytes_of, shared, taken
from potluck.simulation.pool import Pool


def gone(pid):
    """Whether a process is no more, or is dead and nobody has asked after it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def serve(op, given):
    if op == "refuse":
        raise UsageError("what", where="where", hint="hint")
    if op == "graph":
        raise GraphError("torch fails", where="graph")
    if op == "abort":
        raise Abort(Cause.RANGE, detail="beyond")
    if op == "memory":
        raise MemoryError
    if op == "pid":
        return [str(os.getpid()).encode()]
    if op == "wait":
        time.sleep(600)
    return [one[::-1] for one in given]


def test_each_request_is_answered_once_whoever_is_free():
    asked = [[str(number).encode(), b"x" * (1 << 18)] for number in range(50)]
    with Pool(3, serve) as pool:
        found = pool.share("turn", asked)
        assert sorted(found) == sorted([(one[::-1], b"x" * (1 << 18)) for one, _ in asked])
        assert len({pid for (pid,) in pool.all("pid")}) == 3
        pids = pool.pids
    assert all(gone(pid) for pid in pids)


@pytest.mark.parametrize(
    ("op", "kind", "said"),
    [
        ("refuse", UsageError, r"UsageError: where: what\. hint: hint"),
        pytest.param("graph", GraphError, "torch fails", marks=pytest.mark.slow),
        pytest.param("abort", Abort, "beyond", marks=pytest.mark.slow),
        ("memory", MemoryError, "^$"),
    ],
)
def test_what_goes_wrong_in_a_process_is_said_as_if_it_were_here(op, kind, said):
    with Pool(2, serve) as pool, pytest.raises(kind, match=said):
        pool.share(op, [[b""]] * 4)


def test_a_process_that_is_killed_ends_the_simulation_by_name():
    with Pool(2, serve) as pool:
        os.kill(pool.pids[1], signal.SIGKILL)
        with pytest.raises(Abort, match="a process of the simulation was ended") as stopped:
            pool.share("turn", [[b"a"]] * 8)
        assert stopped.value.cause is Cause.ENGINE
        pids = pool.pids
    assert all(gone(pid) for pid in pids)


PARENT = """
import sys, time
from potluck.simulation.pool import Pool
def serve(op, given):
    time.sleep(600)
pool = Pool(2, serve)
print(*pool.pids, flush=True)
pool.share("wait", [[b""], [b""]])
"""


POLITE = [pytest.param(one, marks=pytest.mark.slow) for one in (signal.SIGTERM, signal.SIGINT)]


@pytest.mark.parametrize("how", [signal.SIGKILL, *POLITE])
def test_no_process_outlives_the_one_that_it_works_for(how):
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        pids = [int(one) for one in parent.stdout.readline().split()]
        assert [gone(pid) for pid in pids] == [False, False]
        parent.send_signal(how)
        parent.wait(60)
    for _ in range(600):
        if all(gone(pid) for pid in pids):
            break
        time.sleep(0.1)
    assert all(gone(pid) for pid in pids)


def test_sizes_are_read_as_people_write_them():
    assert [bytes_of(one) for one in ("4G", "500 MB", "1.5k", "1048576", "2GiB")] == [
        4 << 30, 500 << 20, 1536, 1 << 20, 2 << 30,
    ]  # fmt: skip
    for wrong in ("", "4X", "-1G", "0", "G"):
        with pytest.raises(UsageError, match="is no size"):
            bytes_of(wrong)


def test_one_client_a_process_has_to_fit():
    assert shared(None, 10, 2, 100) is None
    assert shared(1000, 200, 2, 400) == 400
    with pytest.raises(UsageError, match="1,002, and 1,000 is the bound"):
        shared(1000, 200, 2, 401)


def test_a_process_beyond_its_memory_is_told_so_and_one_within_is_not():
    base = []

    def take(op, given):
        base.append(taken())
        with bounded(1 << 26, base[0]):
            return [np.ones(int(given[0]), np.uint8)[:1].tobytes()]

    with Pool(1, take) as pool:
        for _ in range(4):  # what was given back counts no more
            assert pool.all("take", str(1 << 25).encode()) == [(b"\x01",)]
        with pytest.raises(UsageError, match="more than 67,108,864 bytes are needed"):
            pool.all("take", str(1 << 27).encode())
