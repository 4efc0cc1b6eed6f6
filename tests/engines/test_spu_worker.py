"""Claims about SPU's worker: what it may do once it is ready, what it refuses, and that all parties compile alike."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from potluck.core.rounds import Abort, Cause
from potluck.engines.environment import python
from potluck.engines.worker import Worker
from support.engines.rig import ROOT

PROBE = f"""
import sys
sys.path.append({ROOT!r})
import ctypes, json, os, resource
from potluck.engines.frames import OpError
from potluck.engines.spu.serve import TABLES, main

def look(state):
    names = ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
    about = {{name: resource.getrlimit(getattr(resource, name)) for name in names}}
    about |= {{"dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), "variables": sorted(os.environ)}}
    return [json.dumps(about).encode()]

def spend(state, size):
    return [str(len(bytearray(int(size)))).encode()]

def refuse(state, op, *buffers):
    try:
        return TABLES[0][op.decode()]({{}}, *buffers)
    except OpError as error:
        return [str(error).encode()]

main((*TABLES, {{"look": look, "spend": spend, "refuse": refuse}}))
"""


@pytest.fixture(scope="module")
def program(mpc_engine):
    """A worker that also tells of its limits, and outlives its refusals."""
    return [str(python(mpc_engine.folder)), "-I", "-B", "-c", PROBE]


@pytest.fixture(scope="module")
def worker(program):
    made = Worker("mpc", program=program)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(mpc_engine):
    """The installed worker itself, for calls that do not end it."""
    made = Worker("mpc")
    yield made
    made.close()


def refused(worker, op, *buffers):
    """The words of a refusal."""
    with pytest.raises(Abort) as caught:
        worker.call(op, *buffers)
    assert caught.value.cause is Cause.ENGINE
    return caught.value.detail


def asked(**about):
    return json.dumps(about).encode()


def test_it_says_what_it_runs_on(shared, mpc_engine):
    shared.start()
    assert {"spu", "jax", "jaxlib", "numpy"} <= shared.versions.keys()
    assert {name: shared.versions[name] for name in ("spu", "jax", "numpy")}.items() <= mpc_engine.mark.packages.items()
    assert shared.versions["python"].startswith(("3.11.", "3.10."))


def test_it_keeps_sockets_and_files_and_gives_up_the_rest(worker):
    about = json.loads(worker.call("look")[0])
    assert about["RLIMIT_AS"] == [8 << 30] * 2
    assert about["RLIMIT_CORE"] == [0, 0]
    assert about["RLIMIT_FSIZE"] == [8 << 30] * 2
    assert 4096 <= about["RLIMIT_NOFILE"][1] < 5000
    assert about["dumpable"] == 0
    own = {"TF_CPP_MIN_LOG_LEVEL"}  # jax sets it
    assert set(about["variables"]) - own == {"LC_ALL", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
    assert Path(f"/proc/{worker.pid}/oom_score_adj").read_text().strip() == "1000"


def test_its_memory_is_bounded(worker):
    assert worker.call("spend", b"1000000") == (b"1000000",)
    assert refused(worker, "spend", str(9 << 30).encode()) == "MemoryError"


def test_before_a_link_it_listens_to_nobody(shared):
    shared.start()
    names = [os.readlink(f"/proc/{shared.pid}/fd/{number}") for number in os.listdir(f"/proc/{shared.pid}/fd")]
    assert [name for name in names if name.startswith("socket:")] == []


def test_a_failed_self_test_is_told(mpc_engine):
    broken = PROBE.replace(
        "def look(state):",
        "import potluck.engines.spu.serve as here\nhere.join = lambda *_: bytes(8)\n\ndef look(state):",
    )
    worker = Worker("mpc", program=[str(python(mpc_engine.folder)), "-I", "-B", "-c", broken])
    with pytest.raises(Abort, match="the self-test gives a wrong sum"):
        worker.start()
    worker.close()


PARTS = {"sites": 3, "parts": [[5, 7, 9], [2, 2**40, 2**50]]}
LAYER = {"rows": 4, "activation": "", "widths": [3, 1], "high": 10, "limits": [10], "scales": [10], "cuts": []}


@pytest.mark.parametrize(
    ("program_name", "numbers"),
    [("sum_checked", PARTS), pytest.param("layers_scored", LAYER, marks=pytest.mark.slow)],
)
def test_every_process_compiles_the_same_and_another_number_or_protocol_another_thing(
    shared, worker, program_name, numbers
):
    want = asked(protocol="ABY3", program=program_name, numbers=numbers)
    digest, values = shared.call("mpc.compile", want)
    assert len(digest) == 32
    assert worker.call("mpc.compile", want) == (digest, values)
    assert shared.call("mpc.compile", asked(protocol="CHEETAH", program=program_name, numbers=numbers))[0] != digest
    other = numbers | ({"sites": 2} if "sites" in numbers else {"high": 11})
    assert shared.call("mpc.compile", asked(protocol="ABY3", program=program_name, numbers=other))[0] != digest


TREES = {
    "train": 40,
    "test": 8,
    "depth": 1,
    "rounds": 1,
    "rate": 1 << 16,
    "ridge": 1 << 18,
    "sides": 1,
    "least": 1,
    "cuts": [2, 1],
    "target": 0,
}


@pytest.mark.slow
def test_a_party_whose_sigmoid_is_not_kept_in_its_range_has_another_program(mpc_engine, shared):
    """The library's sigmoid is wrong far from zero: whoever leaves out the clip cannot compute with the others."""
    want = asked(protocol="ABY3", program="boosted_trees", numbers=TREES)
    digest, _ = shared.call("mpc.compile", want)
    careless = PROBE.replace(
        "def look(state):", "import potluck.engines.spu.trees as here\nhere.CLIP = 1e4\n\ndef look(state):"
    )
    worker = Worker("mpc", program=[str(python(mpc_engine.folder)), "-I", "-B", "-c", careless])
    assert worker.call("mpc.compile", want)[0] != digest
    worker.close()


@pytest.mark.parametrize(
    ("op", "buffers", "words"),
    [
        ("mpc.compile", [b"{"], "a request begins with a JSON object"),
        ("mpc.compile", [b"[1]"], "a request begins with a JSON object"),
        ("mpc.compile", [b"[" * 100_000], "a request begins with a JSON object"),
        ("mpc.compile", [b" " * (1 << 21)], "a request begins with a JSON object"),
        ("mpc.compile", [asked(protocol="ABY3", program="sum_checked", numbers=3)], "no such program"),
        ("mpc.compile", [asked(protocol=[], program="sum_checked", numbers={})], "no such protocol"),
        ("mpc.execute", [asked(timeout=5), bytes(32)], "no link is open"),
        ("mpc.psi", [asked(timeout=5, receiver=2), b""], "no link is open"),
        ("mpc.link", [asked(protocol="ABY3", rank=3), b"", b"", b""], "rank must be"),
        ("mpc.link", [asked(protocol="SEMI2K", rank=0), b"", b"", b""], "SEMI2K is refused"),
        ("mpc.link", [asked(protocol="ABY3", rank=0, addresses=["a:1", "a:1", "b:1"]), b"", b"", b""], "3 different"),
        ("mpc.link", [asked(protocol="RR22", rank=0, addresses=["a:1", "b:1"]), b"", b"", b""], "a job has a name"),
        (
            "mpc.link",
            [asked(protocol="RR22", rank=0, addresses=["a:1", "b:1"], job="j", timeout=5), b"", b"", b""],
            "as many certificates as parties",
        ),
        (
            "mpc.link",
            [asked(protocol="RR22", rank=0, addresses=["a:1", "b:1"], job="j"), *[b"x"] * 3],
            "timeout must be",
        ),
    ],
)
def test_what_an_operation_cannot_take_is_refused_by_name(worker, op, buffers, words):
    """By its words; that they end the worker and reach the caller is the next test."""
    (said,) = worker.call("refuse", op.encode(), *buffers)
    assert words in said.decode()


def test_a_refusal_ends_the_worker_and_its_words_never_hold_a_value(shared):
    words = refused(shared, "mpc.compile", asked(protocol="ABY3", program="sum_checked", numbers={"sites": 271828}))
    assert "271828" not in words
    assert shared.pid is None


def test_potluck_itself_needs_neither_spu_nor_jax():
    code = "import sys, potluck.mpc.psi.keys, potluck.mpc.local; print(sorted({'spu', 'jax'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
