"""Claims about the real worker: what it can no longer do once it is ready. It needs the engine `he`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from potluck.core.rounds import Abort, Cause
from potluck.engines.environment import python
from potluck.engines.worker import Worker
from support.engines.rig import SERVE, gone, until

OPS = """
def tried(work):
    try:
        work()
    except OSError as error:
        return [type(error).__name__.encode(), str(error.errno).encode()]
    return [b"done"]

def descriptors():
    found = {}
    for number in range(1024):
        try:
            mode = os.fstat(number)
        except OSError:
            continue
        found[number] = "pipe" if stat.S_ISFIFO(mode.st_mode) else [os.major(mode.st_rdev), os.minor(mode.st_rdev)]
    return found

def limits():
    names = ("RLIMIT_AS", "RLIMIT_CORE", "RLIMIT_FSIZE", "RLIMIT_NOFILE")
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}

def noisy(state):
    print("printed")
    os.write(1, b"printed by a library")
    return [b"fine"]

def refuse(state, *buffers):
    raise OpError("not reduced")

def explode(state, *buffers):
    raise ValueError(bytes(buffers[0]))

def allocate(state, size):
    return [str(int(numpy.ones(int(size), numpy.uint8)[-1])).encode()]

def count(state):
    state["calls"] = state.get("calls", 0) + 1
    return [str(state["calls"]).encode()]

def look(state):
    about = {"open": descriptors(), "limits": limits(), "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)}
    about |= {"variables": dict(os.environ), "folder": os.getcwd(), "left": signal.getitimer(signal.ITIMER_REAL)[0]}
    return [json.dumps(about).encode()]

main([{
    "read": lambda state: tried(lambda: open("/etc/hostname")),
    "write": lambda state: tried(lambda: open("/dev/shm/left", "w")),
    "socket": lambda state: tried(socket.socket),
    "unix": lambda state: tried(socket.socketpair),
    "pipe": lambda state: tried(os.pipe),
    "memory file": lambda state: tried(lambda: os.memfd_create("x")),
    "program": lambda state: tried(lambda: subprocess.run(["/bin/true"])),
    "send out": lambda state: tried(lambda: socket.create_connection(("127.0.0.1", 9))),
    "look": look, "noisy": noisy, "refuse": refuse, "explode": explode, "allocate": allocate, "count": count,
    "abort": lambda state: os.abort(),
    "alarm": lambda state: os.kill(os.getpid(), signal.SIGALRM),
    "sleep": lambda state: time.sleep(600),
}, {"other count": count}])
"""
TOO_MANY_FILES = b"24"


@pytest.fixture
def program(he_engine):
    return [str(python(he_engine.folder)), "-I", "-B", "-c", SERVE + OPS]


@pytest.fixture
def worker(program):
    made = Worker("he", program=program)
    yield made
    made.close()


def aborted(worker, op, *buffers):
    with pytest.raises(Abort) as caught:
        worker.call(op, *buffers)
    assert caught.value.cause is Cause.ENGINE
    return caught.value


def test_the_installed_engine_passes_its_self_test_and_answers(he_engine):
    worker = Worker("he")
    assert worker.call("echo", b"x") == (b"x",)
    assert {"openfhe": worker.versions["openfhe"], "numpy": worker.versions["numpy"]} == he_engine.mark.packages
    assert worker.versions["python"].startswith("3.12.")
    worker.close()


@pytest.mark.parametrize("what", ["read", "write", "socket", "unix", "pipe", "memory file", "program", "send out"])
def test_it_can_open_no_file_and_no_socket(worker, what):
    assert worker.call(what)[-1] == TOO_MANY_FILES


def test_it_holds_two_pipes_and_the_null_device_and_nothing_else(worker):
    (said,) = worker.call("look")
    found = sorted(map(str, json.loads(said)["open"].values()))
    null = str([os.major(os.stat("/dev/null").st_rdev), os.minor(os.stat("/dev/null").st_rdev)])
    assert found == sorted([null, null, "pipe", "pipe"])


def test_its_limits_are_hard_and_no_debugger_may_read_it(worker):
    about = json.loads(worker.call("look")[0])
    none = [0, 0]
    assert about["limits"] == {
        "RLIMIT_AS": [8 << 30] * 2,
        "RLIMIT_CORE": none,
        "RLIMIT_FSIZE": none,
        "RLIMIT_NOFILE": none,
    }
    assert about["dumpable"] == 0
    assert 3000 < about["left"] <= 3600  # the kernel's own end of an operation
    assert Path(f"/proc/{worker.pid}/oom_score_adj").read_text().strip() == "1000"


def test_no_variable_of_the_caller_reaches_it(monkeypatch, program):
    monkeypatch.setenv("POTLUCK_TEST_TOKEN", "topsecret")
    worker = Worker("he", program=program)
    about = json.loads(worker.call("look")[0])
    worker.close()
    assert about["variables"] == {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C.UTF-8"}
    assert about["folder"] == "/"


def test_sixteen_gigabytes_are_refused_and_the_next_call_works(worker):
    assert worker.call("allocate", b"1000000") == (b"1",)
    assert aborted(worker, "allocate", str(16 << 30).encode()).detail == "MemoryError"
    assert worker.call("allocate", b"1000000") == (b"1",)
    assert worker.generation == 2


def test_its_memory_limit_is_the_one_asked_for(program):
    worker = Worker("he", program=program, memory=1 << 30)
    assert worker.call("allocate", str(100 << 20).encode()) == (b"1",)
    assert aborted(worker, "allocate", str(1 << 30).encode()).detail == "MemoryError"
    worker.close()


def test_what_a_library_prints_is_not_in_the_answer(worker):
    assert worker.call("noisy") == (b"fine",)
    assert worker.call("echo", b"x") == (b"x",)


def test_an_abort_of_the_library_is_named_and_leaves_no_core(worker):
    assert aborted(worker, "abort").detail == "ended by SIGABRT"


def test_the_kernels_alarm_ends_an_operation(worker):
    assert aborted(worker, "alarm").detail == "ended by SIGALRM"


@pytest.mark.slow
def test_an_operation_that_refuses_says_why_and_its_state_is_gone(worker):
    assert [worker.call("count") for _ in range(2)] == [(b"1",), (b"2",)]
    assert worker.call("other count") == (b"1",)  # each table has a state of its own
    assert aborted(worker, "refuse", b"topsecret").detail == "not reduced"
    assert worker.call("count") == (b"1",)
    assert worker.generation == 2


def test_an_error_of_the_library_gives_its_kind_and_never_its_words(worker):
    abort = aborted(worker, "explode", b"topsecret")
    assert abort.detail == "ValueError"
    assert "topsecret" not in f"{abort!r} {abort} {vars(abort)}"


def test_an_unknown_operation_is_refused(worker):
    assert aborted(worker, "bfv.nothing").detail == "no such operation"


PARENT = """
import sys
from potluck.engines.worker import Worker
worker = Worker("he", program={program!r})
worker.start()
print(worker.pid, flush=True)
{then}
"""


@pytest.mark.parametrize("then", ["sys.stdin.read()", "worker.call('sleep', deadline=600)"], ids=["idle", "busy"])
def test_when_its_parent_is_killed_it_ends(program, then):
    code = PARENT.format(program=program, then=then)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.send_signal(signal.SIGKILL)
    assert until(lambda: gone(pid))


def test_when_its_parent_ends_as_usual_it_ends(program):
    code = PARENT.format(program=program, then="")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert gone(int(done.stdout))
